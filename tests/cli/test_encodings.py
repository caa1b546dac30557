"""Consoles that cannot encode every character: each command prints, in each format, and ends as elsewhere."""

from __future__ import annotations

import html
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from safeload import testing
from safeload.cli.formats import FORMATS
from tests.docs.blocks import ROOT

SCRIPT = """
import json, os, sys, traceback
from safeload.cli import main

streams, codes = (sys.stdout, sys.stderr), []
for number, command in enumerate(json.loads(sys.argv[1])):
    with open(f"{sys.argv[2]}/{number}.out", "w", encoding=streams[0].encoding, errors=streams[0].errors) as out:
        with open(f"{sys.argv[2]}/{number}.err", "w", encoding=streams[1].encoding, errors=streams[1].errors) as err:
            sys.stdout, sys.stderr = out, err
            try:
                main([os.fsdecode(each.encode("utf-8", "surrogateescape")) for each in command], prog_name="safeload")
            except SystemExit as exc:
                codes.append(exc.code)
            except BaseException:
                codes.append(traceback.format_exc())
            finally:
                sys.stdout, sys.stderr = streams
print(json.dumps(codes))
"""
NAMES = ("mod\u00e8le \u2603 \u65e5\u672c", os.fsdecode(b"not \xff utf-8"))
"""A folder whose name some encodings have a part of, and one that none has."""

CONSOLES = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "cp932": {"PYTHONIOENCODING": "cp932"},
    "ascii, strict": {"PYTHONIOENCODING": "ascii:strict"},
    "no locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""},
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Return the folders of good models, and of damaged ones."""
    root = tmp_path_factory.mktemp("encodings")
    good, bad = [], []
    for name in NAMES:
        good.append(str(testing.write_bert(root / name / "good", form="safetensors")))
        bad.append(str(testing.write_bert_checkpoint(root / name / "b\u00e4d")))
        testing.poison(bad[-1])
    return good, bad


def commands(good, bad, new):
    """Return each command, with its exit code."""
    formats = [(["check", "--format", each, path], 1) for path in bad for each in FORMATS]
    formats += [(["check", "--format", each, *bad, *good], 1) for each in ("text", "junit")]
    for number, (one, other) in enumerate(zip(good, bad, strict=True)):
        yield from [
            (["check", one], 0),
            (["check", f"{one}/n\u00f6ne"], 1),
            (["check", "--json", f"{one}/n\u00f6ne"], 1),
            (["inspect", one], 0),
            (["inspect", "--json", one], 0),
            (["inspect", f"{one}/n\u00f6ne"], 1),
            (["inspect", "--json", f"{one}/n\u00f6ne"], 1),
            (["diff", one, other], 1),
            (["diff", "--json", one, other], 1),
            (["lock", other], 1),
            (["lock", "--json", other], 1),
            (["convert", "--form", "google", "--activation", "gelu_tanh", one, f"{new}/{number} \u00fc"], 0),
            (["convert", "--form", "n\u00f6ne", one, f"{new}/{number}"], 2),
            (["convert", "--json", "--form", "safetensors", other, f"{new}/{number}"], 1),
            (["n\u00f6ne"], 2),
        ]
    yield from formats


@pytest.mark.parametrize("console", CONSOLES)
def test_each_command_prints_in_each_format(console, places, tmp_path):
    listed = list(commands(*places, tmp_path))
    env = {**os.environ, **CONSOLES[console], "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps([command for command, _ in listed]), str(tmp_path / "out")],
        capture_output=True, check=False, cwd=ROOT, env=env, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode("ascii", "replace")
    encoding = CONSOLES[console]["PYTHONIOENCODING"].partition(":")[0] or "ascii"
    codes = json.loads(done.stdout)
    for number, ((command, code), found) in enumerate(zip(listed, codes, strict=True)):
        out, err = ((tmp_path / "out" / f"{number}.{end}").read_bytes() for end in ("out", "err"))
        text = out.decode(encoding) + err.decode("utf-8" if encoding == "ascii" else encoding)  # as click has it
        assert found == code, (command, found, text)
        assert text
        assert "Traceback" not in text
        require_format(command, out, "b\\udcc3\\udca4d" if console == "no locale" else "b\u00e4d")


def require_format(command, out, name):
    """Require that what was printed is of the format that was asked for, with the name of the model in it."""
    form = command[command.index("--format") + 1] if "--format" in command else ""
    if "--json" in command or form in ("json", "sarif"):
        assert json.loads(out.decode("ascii"))
    elif form == "jsonl":
        assert all(json.loads(line) for line in out.decode("ascii").splitlines())
    elif form == "junit":
        names = {os.path.basename(case.get("name")) for case in ET.fromstring(out).iter("testcase")}
        assert name in names
    elif form == "html":
        assert b'charset="utf-8"' in out
        assert name in html.unescape(out.decode("utf-8"))
