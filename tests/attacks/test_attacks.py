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
from attacks import ATTACKS, MARK, SECONDS

import safeload
from safeload import testing
from safeload.errors import SafeLoadError

HERE = Path(__file__).parent


@pytest.fixture
def folder(request, name, tmp_path):
    model = request.getfixturevalue(f"tiny_{ATTACKS[name].kind}")
    copy = shutil.copytree(model, tmp_path / "model")
    for path in copy.iterdir():
        path.chmod(0o644)
    return copy


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_told(name, folder):
    command = [sys.executable, str(HERE / "attacks.py"), name, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS + 20)

    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["error"] in ATTACKS[name].error.split("|"), found
    assert not found["ran_code"]
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
    from test_cli import safeload_cli

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
