"""Machines with little: of memory, of open files, of processors, of places to write to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from safeload import testing
from tests.docs.blocks import ROOT

CHECKED = "37 variables"
SHIM = Path(__file__).with_name("shim.c")
resource = pytest.importorskip("resource")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Return a folder with a BERT of 160 MB, and the bytes of its weights."""
    folder = testing.write_bert(
        tmp_path_factory.mktemp("large") / "m",
        form="safetensors",
        vocab=30522,
        hidden=768,
        layers=4,
        intermediate=3072,
        attention_heads=12,
        positions=512,
    )
    return folder, (folder / "model.safetensors").stat().st_size


def check(folder, *, code=0, env=None, limits=None, command="check", **given):
    def limit():
        for name, value in (limits or {}).items():
            resource.setrlimit(getattr(resource, name), (value, value))

    done = subprocess.run(
        [sys.executable, "-m", "safeload", *command.split(), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **(env or {})},
        preexec_fn=limit,
        **given,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_an_address_space_of_one_and_a_half_times_the_weights_is_enough(large):
    folder, n_bytes = large

    assert "69 tensors" in check(folder, limits={"RLIMIT_AS": n_bytes * 3 // 2})


def test_64_open_files_are_enough(tiny_bert):
    assert CHECKED in check(tiny_bert, limits={"RLIMIT_NOFILE": 64})


def test_one_processor_is_enough(tiny_bert):
    code = f"import os, sys; os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}}); import safeload; print(safeload.check_bert({str(tiny_bert)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert CHECKED in done.stdout


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """Return a function that gives the environment of a process whose calls fail as the given variables say."""
    compiler = shutil.which("cc") or pytest.skip("needs a compiler of C")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(SHIM), "-ldl"], check=True)

    def environment(**failing):
        return {"LD_PRELOAD": str(library), **{f"SHIM_{name}": value for name, value in failing.items()}}

    return environment


@pytest.fixture
def models(tiny_bert, tiny_elmo, tmp_path):
    """Return a folder with a locked BERT and an ELMo."""
    for name, model in (("bert", tiny_bert), ("elmo", tiny_elmo)):
        shutil.copytree(model, tmp_path / "models" / name)
    check(tmp_path / "models/bert", command="lock")
    return tmp_path / "models"


EVERYWHERE = ":".join(["/tmp", "/var/tmp", "/usr/tmp", "/dev/shm", str(ROOT), str(Path.home())])


@pytest.mark.parametrize(
    "failing",
    [
        {"READ_ONLY": EVERYWHERE},
        {"FULL": "/tmp:/var/tmp:/dev/shm"},
        {"NO_MEMFD": "1"},
        {"NO_MEMFD": "1", "FULL": "/dev/shm"},
        {"NO_LOCKS": "1", "NO_LINKS": "1"},
    ],
    ids=lambda failing: " ".join(failing).lower(),
)
def test_models_are_checked_where_nothing_can_be_written(models, shim, failing):
    shown = check(models, env={**shim(**failing), "HOME": "/nowhere"})

    assert "2 good, 0 bad" in shown
    assert "locked" in shown


def test_where_a_locked_copy_has_no_place_the_error_says_so(models, shim):
    shown = check(models / "bert", code=1, env=shim(READ_ONLY=EVERYWHERE, NO_MEMFD="1"))

    assert "FileSystemError" in shown
    assert "there is no folder for temporary files; set TMPDIR to one" in shown


@pytest.mark.parametrize("name", ["00001", "index", ".json", ".txt"])
def test_a_file_that_a_network_file_system_lost_is_named(bert, shim, name):
    shown = check(bert, code=1, env=shim(STALE=name))

    assert "FileSystemError" in shown
    assert f"{name}\n" in shown
    assert "the network file system lost the file" in shown


@pytest.mark.parametrize(("failing", "said"), [("READ_ONLY", "mounted read-only"), ("FULL", "free some space")])
def test_a_lock_that_cannot_be_written_is_one_line_and_leaves_nothing(bert, shim, failing, said):
    shown = check(bert, code=1, env=shim(**{failing: str(bert)}), command="lock")

    assert shown.startswith("FileSystemError: the system cannot write the lock file")
    assert said in shown
    assert not list(bert.glob("*lock*"))


@pytest.mark.parametrize("home", [None, "/nowhere", ""])
def test_no_home_is_needed(tiny_bert, home, monkeypatch):
    monkeypatch.delenv("HOME", raising=False)

    assert CHECKED in check(tiny_bert, env={} if home is None else {"HOME": home})
