"""The doctor: what works here, told even where a library aborts."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile

import pytest

from safeload._bytes import system
from safeload._frameworks.packages import install
from safeload.cli import _doctoring
from tests.command_line import safeload_cli
from tests.docs.blocks import ROOT


def test_the_doctor_tries_every_call():
    done = subprocess.run(
        [sys.executable, "-m", "safeload", "doctor", "--json"], capture_output=True, text=True, check=False
    )
    found = json.loads(done.stdout)
    works = {call["call"]: call["ok"] for call in found["calls"]}

    assert works["check_elmo"]
    assert works["load_bert"] == bool(importlib.util.find_spec("keras_bert"))
    assert works["load_elmo torch"] == bool(importlib.util.find_spec("torch"))
    assert works["load_elmo allennlp"] == bool(importlib.util.find_spec("allennlp"))
    assert done.returncode == (0 if found["ok"] else 1)
    assert found["versions"]["HDF5"]
    assert found["versions"]["numpy"]
    assert found["system"]["byte order"] == sys.byteorder
    assert found["branches"] == system.branches()


def test_what_is_printed_for_a_bug_report_has_no_paths(tmp_path, monkeypatch):
    home = tmp_path / "someone"
    (home / "code").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "code")
    (home / "code/h5py.py").write_text("raise ImportError(f'no libhdf5.so in {__file__}')")
    monkeypatch.setenv("PYTHONPATH", str(home / "code"))

    message = _doctoring.tried("check_elmo").message

    assert "no libhdf5.so in <cwd>/h5py.py" in message
    assert "someone" not in message
    assert _doctoring.without_paths(f"{home}/x and {sys.prefix}/lib") == "~/x and <prefix>/lib"


@pytest.mark.parametrize("options", [[], ["--json"]], ids=" ".join)
def test_the_whole_block_names_no_user(options, tmp_path):
    home = tmp_path / "home/annabel smith"
    (home / "code/torch").mkdir(parents=True)
    (home / "tmp").mkdir()
    said = f"{home}/lib/x.so, /opt/annabel/lib/y.so and C:\\\\Users\\\\annabel\\\\z.dll are no libraries"
    (home / "code/torch/__init__.py").write_text(f"raise ImportError({said!r} + __file__)")
    (home / "code/keras_bert.py").write_text(f"import os, sys; print({said!r}, file=sys.stderr); os.abort()")
    code = home / "code"
    environment = {"HOME": str(home), "USER": "annabel", "TMPDIR": str(home / "tmp"), "PYTHONPATH": f"{code}:{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-m", "safeload", "doctor", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=code,
        env={**os.environ, **environment},
    )

    assert done.returncode == 1
    assert "no libraries" in done.stdout
    assert "annabel" not in done.stdout + done.stderr
    assert str(tmp_path) not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("no file /home/annabel", "no file ~"),
        ("no file '/home/annabel/x/y.so'", "no file '~/x/y.so'"),
        ("/Users/Annabel Smith/lib/libtorch.dylib is cut", "~/lib/libtorch.dylib is cut"),
        (r"no C:\Users\Annabel Smith\x\y.dll", r"no ~\x\y.dll"),
        (r"no 'C:\\Users\\annabel\\y.dll'", r"no '~\\y.dll'"),
        (r"no \\annabel-pc\share\y.dll", "no .../y.dll"),
        (
            "/scratch/annabel/env/lib/libstdc++.so.6: version `GLIBCXX_3.4.29' not found (required by /opt/annabel/x.so)",
            ".../libstdc++.so.6: version `GLIBCXX_3.4.29' not found (required by .../x.so)",
        ),
        ("PATH=/bin:/mnt/annabel/bin:/sbin", "PATH=/bin:.../bin:/sbin"),
        ("see https://example.org/annabel/page and a/b", "see https://example.org/annabel/page and a/b"),
        ("torch 2.13/CPU and/or 'pip install -r x/y.txt'", "torch 2.13/CPU and/or 'pip install -r x/y.txt'"),
    ],
)
def test_a_message_keeps_names_of_files_and_no_folder(text, printed):
    assert _doctoring.without_paths(text) == printed


@pytest.mark.parametrize(
    ("package", "body", "told"),
    [
        ("keras_bert", "import os; os.abort()", "SIGABRT"),
        ("tensorflow", "raise RuntimeError('built for another machine')", "built for another machine"),
        ("tensorflow", "import sys; print('bye', file=sys.stderr); sys.exit(3)", "exit code 3: bye"),
    ],
)
def test_a_library_that_breaks_is_told_with_a_remedy(package, body, told, tmp_path, monkeypatch):
    pytest.importorskip("keras_bert")
    (tmp_path / f"{package}.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = _doctoring.tried("load_bert")

    assert not finding.ok
    assert told in finding.message
    assert "pip install" in finding.remedy or "environment" in finding.remedy


def test_a_library_that_hangs_is_told(tmp_path, monkeypatch):
    (tmp_path / "h5py.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(_doctoring, "TIMEOUT_SECONDS", 2)

    assert "did not finish within 2 s" in _doctoring.tried("check_elmo").message


@pytest.mark.parametrize(
    ("body", "seconds", "told"),
    [("import os; os.abort()", 300, "SIGABRT"), ("import time; time.sleep(60)", 3, "did not finish")],
)
def test_a_library_that_breaks_leaves_no_folder_behind(body, seconds, told, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (tmp_path / "h5py.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)  # so that TMPDIR is read again
    monkeypatch.setattr(_doctoring, "TIMEOUT_SECONDS", seconds)

    assert told in _doctoring.tried("check_elmo").message
    assert list(scratch.iterdir()) == []


def test_missing_packages_have_the_command_that_mends_it(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'allennlp', 'keras_bert'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "import importlib.util\n"
        "real = importlib.util.find_spec\n"
        "def find_spec(name, *rest):\n"
        "    return None if name.split('.')[0] in ('torch', 'allennlp', 'keras_bert') else real(name, *rest)\n"
        "importlib.util.find_spec = find_spec\n"
    )
    done = safeload_cli("doctor", code=1, env={"PYTHONPATH": str(tmp_path)})

    assert install("elmo") in done.stdout
    assert "torch is not installed" in done.stdout
