"""No hostile file crashes, hangs, exhausts memory, runs code, or makes safeload read what the user did not name."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from attacks import ATTACKS, MARK

import safeload
from safeload import _files, testing
from safeload.errors import SafeLoadError
from safeload.lock import hash_of

WALL_SECONDS = 300  # for an attack that waits; attacks.py caps the processor's time
HERE = Path(__file__).parent


@pytest.fixture
def folder(request, name, tmp_path):
    kind = ATTACKS[name].kind
    model = request.getfixturevalue("tiny_elmo" if kind == "elmo" else "tiny_bert")
    copy = shutil.copytree(model, tmp_path / "model")
    for path in copy.iterdir():
        path.chmod(0o644)
    return copy


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_told(name, folder):
    command = [sys.executable, str(HERE / "attacks.py"), name, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WALL_SECONDS)

    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["error"] in ATTACKS[name].error.split("|"), found
    assert not found["ran_code"]
    assert all(" " <= c <= "~" for line in found.get("text", "").split("\n") for c in line)
    assert all(len(line) < 5_100 for line in found.get("text", "").split("\n"))
    assert not re.search(r"^ +hint: +run this", found.get("text", ""), re.MULTILINE)
    assert not os.path.exists(MARK)
    if not found["error"]:
        own = {str(folder / path.name) for path in folder.iterdir()} | {str(folder.parent / "elsewhere.txt")}
        assert set(found["paths"]) <= own


def test_the_table_has_a_row_for_each():
    rows = re.findall(
        r"^\| `(\w+)` \| (.+) \| (.+) \|$", (HERE / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    said = {
        name: (attack.what, attack.error.replace("|", " or ") or "loaded, the good model's values")
        for name, attack in ATTACKS.items()
    }
    assert {name: (what, error) for name, what, error in rows if name in ATTACKS} == said


@pytest.mark.parametrize("name", ["bert_config.json", "vocab.txt", "bert_model.ckpt.index", "weights.hdf5"])
def test_a_file_that_becomes_a_fifo(name, request, monkeypatch):
    """It is no FIFO when it is looked at, and one when it is opened: nobody waits for its writer."""
    folder = request.getfixturevalue("elmo" if name == "weights.hdf5" else "bert")
    real = _files.require_file

    def swapping(path, **facts):
        status = real(path, **facts)
        if os.path.basename(path) == name and os.path.isfile(path):
            os.unlink(path)
            os.mkfifo(path)
        return status

    monkeypatch.setattr(_files, "require_file", swapping)
    with pytest.raises(SafeLoadError):
        (safeload.check_elmo if name == "weights.hdf5" else safeload.check_bert)(folder)


def test_a_config_is_read_or_told_at_every_depth(bert):
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
        file.seek(0)
        _, n_bytes = hash_of(file, copy)
        assert (n_bytes, os.fstat(copy.fileno()).st_size) == (64 << 20, 64 << 20)
        assert os.fstat(copy.fileno()).st_blocks * 512 < 4 << 20
        file.seek(0)
        copy.seek(0)
        assert file.read() == copy.read()


def test_files_that_are_swapped_between_check_and_load(bert, tmp_path, monkeypatch):
    """What is filled is what was checked, or the load fails."""
    pytest.importorskip("keras_bert")
    from safeload.bert import _backend

    other = testing.write_bert_checkpoint(tmp_path / "other", seed=9)
    real = _backend.require_backend

    def swapping():
        for path in other.iterdir():
            os.replace(shutil.copy(path, bert / "new"), bert / path.name)
        return real()

    monkeypatch.setattr(_backend, "require_backend", swapping)
    with pytest.raises(SafeLoadError, match="replaced or written to"):
        safeload.load_bert(bert)


def rewrite(folder, stop):
    seed = 0
    while not stop.is_set():
        seed += 1
        testing.write_elmo(folder, seed=seed % 2)
        testing.write_bert_checkpoint(folder, seed=seed % 2)


def test_loads_while_another_process_rewrites(tmp_path):
    """Two threads check while a process rewrites the files in place: each check is typed, or of one of the two models."""
    for write in (testing.write_elmo, testing.write_bert_checkpoint):
        write(tmp_path)
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    writer = context.Process(target=rewrite, args=(tmp_path, stop))
    writer.start()
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
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    writer.join()
    assert escaped == []
    assert sum(counts.values()) == 80


def test_a_locked_model_is_whole_or_an_error_while_it_is_rewritten(tmp_path):
    """With a lock, what is read is the locked model's values and no other's."""
    from command_line import safeload_cli

    model = testing.write_elmo(tmp_path / "model")
    safeload_cli("lock", model)
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    writer = context.Process(target=rewrite, args=(model, stop))
    writer.start()
    from safeload.elmo._check import check

    wanted = testing._models.elmo_datasets()["char_embed"]
    for _ in range(40):
        try:
            arguments = safeload.elmo._arguments.elmo_arguments(
                num_output_representations=1, requires_grad=False, do_layer_norm=False, dropout=0.5, vocab_to_cache=None,
                keep_sentence_boundaries=False, scalar_mix_parameters=None, backend="torch",
            )  # fmt: skip
            found = check(model, None, arguments=arguments, base_dir=None, ignore_unused=(), lock_file=None)
            assert np.array_equal(found.values["char_embed"], wanted)
        except SafeLoadError:  # noqa: PERF203
            pass
    stop.set()
    writer.join()
