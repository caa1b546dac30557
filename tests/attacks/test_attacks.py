"""No hostile file crashes, hangs, exhausts memory, runs code, or makes safeload read what the user did not name."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._bytes.files import DISK, Source
from safeload._forms.tensorflow.bundle import TensorBundle
from safeload._model_kind import Request
from safeload._steps import check
from safeload.bert.builders import keras_bert as builder
from safeload.elmo._model import elmo as kind_of_elmo
from safeload.errors import SafeLoadError
from safeload.lock import hash_of
from tests import forking
from tests.faults.catalogue import HOSTILE
from tests.faults.hostile import MARK

WALL_SECONDS = 300  # for an attack that waits; capped.py caps the processor's time
HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="session")
def run():
    """Return a function that runs a script in a process of its own, which has imported what checks the hostile files."""
    with forking.template("tests.faults.catalogue") as run:
        yield run


@pytest.mark.parametrize("fault", HOSTILE.values(), ids=HOSTILE)
def test_an_attack_is_told(fault, run, request):
    folder = request.getfixturevalue("elmo" if fault.model == "elmo" else "bert")
    done = run("-m", "tests.attacks.capped", fault.name, folder, cwd=ROOT, timeout=WALL_SECONDS)

    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["error"] in fault.outcomes, found
    assert not found["ran_code"]
    assert all(" " <= c <= "~" for line in found.get("text", "").split("\n") for c in line)
    assert all(len(line) < 5_100 for line in found.get("text", "").split("\n"))
    assert not re.search(r"^ +hint: +run this", found.get("text", ""), re.MULTILINE)
    assert not os.path.exists(MARK)
    if not found["error"]:
        own = {str(path) for path in folder.rglob("*")} | {str(folder.parent / "elsewhere.txt")}
        assert set(found["paths"]) <= own


def test_the_table_has_a_row_for_each():
    rows = re.findall(
        r"^\| `(\w+)` \| (.+) \| (.+) \|$", (HERE / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    said = {
        name: (fault.what, " or ".join(fault.outcomes) or "loaded, the good model's values")
        for name, fault in HOSTILE.items()
    }
    assert {name: (what, error) for name, what, error in rows if name in HOSTILE} == said


def test_the_table_names_the_tests_that_are_no_single_file():
    rows = set(re.findall(r"^\| `(test_\w+)` \|", (HERE / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    tests = set(re.findall(r"^def (test_\w+)", "".join(map(Path.read_text, HERE.glob("test_*.py"))), re.MULTILINE))
    assert rows == {name for name in tests if "the_table" not in name} - {"test_an_attack_is_told"}


@pytest.mark.parametrize(
    "name",
    ["bert_config.json", "vocab.txt", "bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001", "weights.hdf5"],
)
def test_a_file_that_becomes_a_fifo(name, request, monkeypatch):
    """It is no FIFO when it is looked at, and one when it is opened, the first time or later: nobody waits for its writer."""
    folder = request.getfixturevalue("elmo" if name == "weights.hdf5" else "bert")
    check = safeload.check_elmo if name == "weights.hdf5" else safeload.check_bert
    path, content = folder / name, (folder / name).read_bytes()
    real, opens = Source.open, {"so far": 0, "swapped": 0}

    def swapping(source, at):
        if at == str(path):
            opens["so far"] += 1
            if opens["so far"] == opens["swapped"]:
                path.unlink()
                os.mkfifo(path)
        return real(source, at)

    monkeypatch.setattr(Source, "open", swapping)
    check(folder)
    n_opens = opens["so far"]
    assert n_opens > 0
    for number in range(1, n_opens + 1):
        opens.update({"so far": 0, "swapped": number})
        with pytest.raises(SafeLoadError):
            check(folder)
        assert path.is_fifo()
        path.unlink()
        path.write_bytes(content)


def test_a_config_is_read_or_rejected_at_every_depth(bert):
    """The reader of JSON gives up at a depth that depends on the stack; the message is made a few calls deeper."""
    path = bert / "bert_config.json"
    good = path.read_text()
    for depth in range(500, 1010, 3):
        path.write_text(good.replace('"vocab_size": 30', f'"vocab_size": {"[" * depth}{"]" * depth}'))
        with pytest.raises(SafeLoadError):
            safeload.check_bert(bert)


def test_a_hole_takes_no_memory_in_a_lock_s_copy(tmp_path):
    with (tmp_path / "sparse").open("w+b", buffering=0) as file, (tmp_path / "copy").open("w+b", buffering=0) as copy:
        file.write(b"begin")
        file.truncate(64 << 20)
        original = DISK.open(file.name)
        try:
            _, n_bytes = hash_of(original, copy)
        finally:
            original.close()
        assert (n_bytes, os.fstat(copy.fileno()).st_size) == (64 << 20, 64 << 20)
        assert os.fstat(copy.fileno()).st_blocks * 512 < 4 << 20
        file.seek(0)
        copy.seek(0)
        assert file.read() == copy.read()


@pytest.fixture
def swap(bert, tmp_path):
    """Return a function that puts another model's files in the place of the model's."""
    other = testing.write_bert_checkpoint(tmp_path / "other", seed=9)

    def swap():
        for path in other.iterdir():
            os.replace(shutil.copy(path, bert / "new"), bert / path.name)

    return swap


def test_files_that_are_swapped_between_check_and_load(bert, swap, monkeypatch):
    """What is filled is what was checked: the values are kept from then on."""
    pytest.importorskip("keras_bert")
    real = builder.require_keras_bert
    wanted = [values.tolist() for values in safeload.load_bert(bert).get_weights()]

    def swapping():
        swap()
        return real()

    monkeypatch.setattr(builder, "require_keras_bert", swapping)
    assert [values.tolist() for values in safeload.load_bert(bert).get_weights()] == wanted
    monkeypatch.undo()
    assert [values.tolist() for values in safeload.load_bert(bert).get_weights()] != wanted


@pytest.mark.parametrize("call", [safeload.check_bert, safeload.load_bert])
@pytest.mark.parametrize("when", ["before", "after"])
def test_files_that_are_swapped_while_the_values_are_read(call, when, bert, swap, monkeypatch):
    def swapping(real):
        def use(bundle, names, **options):
            if when == "before":
                swap()
            result = real(bundle, names, **options)
            if when == "after":
                swap()
            return result

        return use

    for name in ("verify", "read"):
        monkeypatch.setattr(TensorBundle, name, swapping(getattr(TensorBundle, name)))
    with pytest.raises(SafeLoadError, match="replaced or written to"):
        call(bert)


@contextlib.contextmanager
def rewritten(folder):
    """Let another process rewrite the files in place all the while."""
    command = [sys.executable, "-m", "tests.attacks.rewriting", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout.readline() == "begun\n"
            yield
            assert writer.poll() is None
        finally:
            writer.kill()


def test_loads_while_another_process_rewrites(tmp_path):
    """Two threads check while a process rewrites the files in place: each check is typed, or of one of the two models."""
    for write in (testing.write_elmo, testing.write_bert_checkpoint):
        write(tmp_path)
    escaped, counts = [], {"good": 0, "typed": 0}

    def check(call):
        for _ in range(40):
            try:
                call()
                counts["good"] += 1
            except SafeLoadError:  # noqa: PERF203
                counts["typed"] += 1
            except BaseException as exc:  # noqa: BLE001  (what must not be)
                escaped.append(exc)

    calls = (
        lambda: safeload.check_bert(tmp_path),
        lambda: safeload.check_elmo(tmp_path / "options.json", tmp_path / "weights.hdf5"),
    )
    threads = [threading.Thread(target=check, args=(call,)) for call in calls]
    with rewritten(tmp_path):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert escaped == []
    assert sum(counts.values()) == 80


def test_a_locked_model_is_whole_or_an_error_while_it_is_rewritten(tmp_path):
    """With a lock, what is read is the locked model's values and no other's."""
    from tests.command_line import safeload_cli

    model = testing.write_elmo(tmp_path / "model")
    safeload_cli("lock", model)

    wanted = testing._elmo.elmo_datasets()["char_embed"]
    with rewritten(model):
        for _ in range(40):
            try:
                arguments = safeload.elmo._arguments.elmo_arguments(
                    num_output_representations=1, requires_grad=False, do_layer_norm=False, dropout=0.5, vocab_to_cache=None,
                    keep_sentence_boundaries=False, scalar_mix_parameters=None, backend="torch",
                )  # fmt: skip
                found = check(kind_of_elmo(arguments), Request(config=model), keep_values=True)
                assert np.array_equal(found.values["char_embed"], wanted)
            except SafeLoadError:  # noqa: PERF203
                pass
