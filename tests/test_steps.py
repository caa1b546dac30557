"""The five steps: one read, one clock, and the files closed whatever happens."""

from __future__ import annotations

import contextlib
import os
from collections import Counter

import pytest

import safeload
from safeload._bytes import system
from safeload._bytes.files import DISK, FileRef
from safeload._forms.hdf5.file import Hdf5File
from safeload._forms.tensorflow.bundle import TensorBundle
from safeload._model_kind import Clock, Request
from safeload._steps import check, opened_source
from safeload.bert._arguments import build_options
from safeload.bert._model import bert as bert_kind
from safeload.elmo._model import elmo as elmo_kind
from safeload.errors import CorruptFileError, LockError
from safeload.lock import LOCK_NAME, lock_text, make_lock


def kinds(folder):
    """Return the kind of the model in a folder, its weight file's class, and its check."""
    if (folder / "options.json").exists():
        return elmo_kind(None), Hdf5File, safeload.check_elmo
    return bert_kind(build_options(training=True, seq_len=None)), TensorBundle, safeload.check_bert


@pytest.fixture(params=["bert", "elmo"])
def folder(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def reads(monkeypatch):
    """Count how often each byte of each file is read."""
    counts = {}
    usual = system.read_at

    def counting(file, block, offset):
        n_read = usual(file, block, offset)
        counts.setdefault(os.fstat(file.fileno()).st_ino, Counter()).update(range(offset, offset + n_read))
        return n_read

    monkeypatch.setattr(system, "read_at", counting)
    return counts


@pytest.mark.parametrize("keep_values", [False, True])
def test_each_byte_of_the_values_is_read_once(folder, reads, keep_values):
    kind, _, _ = kinds(folder)
    checked = check(kind, Request(config=folder), keep_values=keep_values)

    (weights,) = [path for role, path in checked.files if role in ("shard", "weight")]
    counts = reads[os.stat(weights).st_ino]
    n_bytes = sum(value.nbytes for value in checked.values.values())
    assert set(checked.values) == ({spec.name for spec in checked.report.read} if keep_values else set())
    assert not keep_values or sum(count == 1 for count in counts.values()) >= n_bytes
    assert kind.model == "ELMo" or set(counts.values()) == {
        1
    }  # h5py reads the structure of an HDF5 file more than once


@pytest.mark.parametrize("change", ["written", "replaced"])
@pytest.mark.parametrize("keep_values", [False, True])
def test_a_file_that_changes_while_it_is_read_is_an_error(folder, monkeypatch, change, keep_values):
    kind, form, _ = kinds(folder)
    name = "read" if keep_values else "verify"
    usual = getattr(form, name)

    def changing(self, names, **options):
        found = usual(self, names, **options)
        path = self.files()[-1][1]
        if change == "replaced" and form is TensorBundle:
            os.rename(path, f"{path}.old")
        else:
            os.utime(path, ns=(1, 1))
        return found

    monkeypatch.setattr(form, name, changing)
    with pytest.raises(CorruptFileError):
        check(kind, Request(config=folder), keep_values=keep_values)


def test_what_takes_place_in_two_pieces_is_added_up():
    clock = Clock()
    for _ in range(2):
        with clock.step("read"):
            pass
    with clock.step("list"):
        pass

    assert list(clock.seconds) == ["read", "list"]
    assert all(seconds >= 0 for seconds in clock.seconds.values())


def test_a_step_takes_what_the_clock_says(monkeypatch):
    times = iter([10.0, 10.5, 20.0, 22.0])
    monkeypatch.setattr("safeload._model_kind.time.perf_counter", lambda: next(times))
    clock = Clock()
    for _ in range(2):
        with clock.step("read"):
            pass

    assert clock.seconds == {"read": 2.5}


def test_the_state_file_and_the_lock_are_among_the_files(bert):
    (bert / "checkpoint").write_text('model_checkpoint_path: "bert_model.ckpt"')
    lock = bert / LOCK_NAME
    report = safeload.check_bert(bert)
    assert [file.role for file in report.files] == ["config", "vocab", "state file", "index", "shard"]

    lock.write_text(lock_text(make_lock(report, str(lock))), encoding="utf-8")
    locked = safeload.check_bert(bert)
    assert [file.path for file in locked.files] == [*(file.path for file in report.files), str(lock)]
    assert locked.files[-1].role == "lock"


def test_the_report_names_what_was_read_and_what_was_not(tiny_bert, tiny_elmo):
    report, other = safeload.check_bert(tiny_bert), safeload.check_elmo(tiny_elmo)

    assert (report.noun, other.noun) == ("variables", "datasets")
    assert (set(report.unused), set(other.unused)) == ({"pooler", "heads"}, set())


def test_the_steps_are_timed_in_order(folder):
    kind, _, run = kinds(folder)

    assert list(run(folder).seconds) == ["resolve", "read", "list", "compare"]
    assert list(check(kind, Request(config=folder), keep_values=True).clock.seconds) == [
        "resolve",
        "read",
        "list",
        "compare",
    ]


def test_without_a_lock_files_are_opened_on_the_disk(folder):
    with opened_source("BERT", [FileRef(path=str(folder), role="folder")], Clock()) as source:
        assert source is DISK


def test_a_lock_of_a_model_is_no_lock_of_the_other(folder):
    kind, _, run = kinds(folder)
    path = folder / LOCK_NAME
    path.write_text(lock_text(make_lock(run(folder), str(path))), encoding="utf-8")
    other = {"BERT": "ELMo", "ELMo": "BERT"}[kind.model]
    clock = Clock()

    with opened_source(kind.model, [FileRef(path=str(folder), role="folder")], clock) as source:
        assert source is not DISK
    assert list(clock.seconds) == ["lock"]
    with (
        pytest.raises(LockError, match=f"the lock is for {kind.model}"),
        opened_source(other, [FileRef(path=str(folder), role="folder")], Clock()),
    ):
        pass


@pytest.mark.parametrize("is_locked", [False, True])
@pytest.mark.parametrize("is_damaged", [False, True])
def test_every_file_is_closed_whatever_happens(folder, is_locked, is_damaged):
    kind, _, run = kinds(folder)
    path = folder / LOCK_NAME
    if is_locked:
        path.write_text(lock_text(make_lock(run(folder), str(path))), encoding="utf-8")
    if is_damaged:
        safeload.testing.poison(folder)
    before = os.listdir("/proc/self/fd")
    for keep_values in (False, True):
        expected = pytest.raises(safeload.SafeLoadError) if is_damaged else contextlib.nullcontext()
        with expected:
            check(kind, Request(config=folder), keep_values=keep_values)
    assert os.listdir("/proc/self/fd") == before
