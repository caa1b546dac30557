"""What every command has in common."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from functools import partial

import pytest

import safeload
from safeload.cli import _difference, _inspection, _locking
from tests.command_line import safeload_cli

HEAVY = ("tensorflow", "torch", "keras", "tf_keras", "allennlp")


def test_help_teaches_every_command():
    shown = safeload_cli("--help").stdout
    for command in ("check", "inspect", "diff", "lock", "doctor", "demo"):
        assert f"\n  {command} " in shown
        assert "--help" in safeload_cli(command, "--help").stdout
    for command in (("check", "bert"), ("check", "elmo"), ("inspect",), ("diff",), ("lock",), ("doctor",)):
        assert "Examples:\n    safeload" in safeload_cli(*command, "-h").stdout
    for option in ("-V", "--version"):
        assert safeload_cli(option).stdout.strip() == f"safeload, version {safeload.__version__}"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("check",),
        ("check", "gpt", "x"),
        ("check", "bert"),
        ("check", "bert", "a", "b", "--vocab", "v"),
        ("check", "elmo", "a", "b", "--weights", "w"),
        ("check", "bert", "a", "--jobs", "0"),
        ("inspect",),
        ("diff", "a"),
        ("nothing",),
    ],
)
def test_a_wrong_command_is_exit_code_2(arguments):
    assert "Usage: " in (done := safeload_cli(*arguments, code=2)).stderr + done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "bert", "{bert}"),
        ("check", "elmo", "{elmo}"),
        ("inspect", "{bert}", "--stats"),
        ("inspect", "{elmo}", "--stats"),
        ("diff", "{bert}", "{bert}"),
        ("--help",),
    ],
)
def test_no_framework_is_imported(arguments, tiny_bert, tiny_elmo):
    arguments = [text.format(bert=tiny_bert, elmo=tiny_elmo) for text in arguments]
    code = f"""
import sys
from safeload.cli import main
try:
    main({arguments!r})
except SystemExit as exc:
    print(exc.code, [name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("0 []\n")


@pytest.mark.parametrize(
    "arguments", [("check", "bert", "-\x1b[31m"), ("\x1b[31mx",), ("inspect", "a", "b\x1b[31m\nError: c")]
)
def test_a_name_in_a_message_about_usage_is_escaped(arguments):
    done = safeload_cli(*arguments, code=2)
    assert "\x1b" not in done.stderr
    assert r"\x1b" in done.stderr
    assert "\nError: c" not in done.stderr


@pytest.mark.parametrize(
    ("module", "reader", "run", "code"),
    [
        (_inspection, "open_given", partial(_inspection.run, stats=False, html=None, as_json=False), 1),
        (_difference, "open_given", partial(_difference.run, "x", scope=None, as_json=False), 2),
        (_locking, "make_lock", partial(_locking.run, wanted=_locking.Wanted(), update=False, as_json=False), 1),
    ],
    ids=["inspect", "diff", "lock"],
)
@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (OSError(errno.EIO, os.strerror(errno.EIO)), "FileSystemError"),
        (MemoryError(), "FileSystemError"),
        (OverflowError("Python int too large"), "UnsafeFileError"),
    ],
    ids=["EIO", "memory", "overflow"],
)
def test_no_command_shows_a_traceback_of_what_the_system_failed_to_do(
    module, reader, run, code, failure, told, tiny_bert, monkeypatch, capsys
):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(module, reader, fail)

    assert run(str(tiny_bert)) == code
    printed = capsys.readouterr()
    assert (printed.out + printed.err).startswith(f"{told}: ")
