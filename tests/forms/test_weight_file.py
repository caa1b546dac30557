"""What every form of weights does alike: each tensor is read once, and all faults are told in the order of the file."""

from __future__ import annotations

import os
import threading

import h5py
import numpy as np
import pytest

from safeload._forms import arrays
from safeload._forms.weight_file import WeightFile
from safeload.errors import CorruptFileError
from tests.checkpoints import write_checkpoint
from tests.opened import opened_checkpoint, opened_hdf5

NAMES = ["d", "a", "c", "b"]


def tensorflow(folder, tensors):
    write_checkpoint(folder / "m", tensors)
    return opened_checkpoint(str(folder / "m"))


def hdf5(folder, tensors):
    with h5py.File(folder / "w.hdf5", "w") as file:
        for name, values in tensors.items():
            file[name] = values
    return opened_hdf5(str(folder / "w.hdf5"))


@pytest.fixture(params=[tensorflow, hdf5])
def opened(request, tmp_path):
    return lambda tensors: request.param(tmp_path, tensors)


def tensors(*bad):
    return {name: np.float32([ord(name), np.nan if name in bad else 1]) for name in NAMES}


@pytest.mark.parametrize("n_threads", [1, 4])
def test_each_name_has_its_values(n_threads, opened, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: n_threads)
    with opened(tensors()) as weights:
        found = weights.read(["c", "a", "d"])
        weights.verify(NAMES)

    assert {name: values.tolist() for name, values in found.items()} == {"a": [97, 1], "c": [99, 1], "d": [100, 1]}


@pytest.mark.parametrize("use", [WeightFile.verify, WeightFile.read])
@pytest.mark.parametrize("n_threads", [1, 4])
def test_every_fault_is_told_in_the_order_of_the_file(use, n_threads, opened, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: n_threads)
    with opened(tensors("d", "a", "b")) as weights:
        in_file = sorted("dab", key=weights.position)
        for names in (NAMES, sorted(NAMES), NAMES[::-1]):
            with pytest.raises(CorruptFileError) as caught:
                use(weights, names)
            assert caught.value.variables == tuple(in_file)
            assert caught.value.message == f"3 of 4 {weights.noun}s are damaged in the {weights.title}"
            assert [detail.split()[2] for detail in caught.value.details] == in_file


@pytest.mark.parametrize("use", [WeightFile.verify, WeightFile.read])
def test_one_fault_among_many_is_told_and_the_others_are_sound(use, opened):
    with opened(tensors("c")) as weights:
        with pytest.raises(CorruptFileError) as caught:
            use(weights, NAMES)
        use(weights, ["a", "b", "d"])

    assert caught.value.variables == ("c",)


def test_nothing_is_read_of_no_names(opened):
    with opened(tensors("a")) as weights:
        assert weights.read([]) == {}
        weights.verify([])


def test_threads_share_the_work(opened, monkeypatch):
    """Two threads wait for each other inside a read: one alone would not get there."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(arrays, "N_ALONE_BYTES", 0)
    together = threading.Barrier(2, timeout=20)
    weights = opened({name: np.ones(8, np.float32) for name in "ab"})
    read = type(weights)._read

    def waiting(self, name):
        together.wait()
        return read(self, name)

    monkeypatch.setattr(type(weights), "_read", waiting)
    with weights:
        assert sorted(weights.read("ab")) == ["a", "b"]
    assert arrays.MAX_THREADS >= 2


def test_a_closed_file_keeps_its_listing(opened):
    with opened(tensors()) as weights:
        pass

    assert sorted(weights.tensors) == sorted(NAMES)
    assert [weights.tensors["a"].spec.shape, weights.tensors["a"].n_bytes] == [(2,), 8]
    with pytest.raises(ValueError, match="closed file"):
        weights.read(["a"])
