"""An HDF5 file, opened read-only and closed again."""

from __future__ import annotations

import os
import resource

import h5py
import numpy as np
import pytest

import safeload
from safeload._forms.hdf5 import file
from safeload.errors import FileSystemError, SafeLoadError
from tests.elmos import OPTIONS_NAME, WEIGHTS_NAME
from tests.opened import opened_hdf5


def test_a_file_that_the_system_does_not_open_is_told(elmo):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(FileSystemError, match="cannot open the weight file: Too many open files") as caught:
            opened_hdf5(str(elmo / WEIGHTS_NAME), given="w")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert (caught.value.resolved, caught.value.given, caught.value.label) == (str(elmo / WEIGHTS_NAME), "w", "weight")


def test_the_file_is_opened_read_only_and_closed(elmo):
    path = elmo / WEIGHTS_NAME
    path.chmod(0o444)
    before = (path.read_bytes(), path.stat().st_mtime_ns, sorted(os.listdir(elmo)))
    descriptors = os.listdir("/proc/self/fd")
    safeload.check_elmo(elmo)
    (elmo / "spoiled.hdf5").write_bytes(before[0][:2000])
    with pytest.raises(SafeLoadError):
        safeload.check_elmo(elmo / OPTIONS_NAME, elmo / "spoiled.hdf5")
    (elmo / "spoiled.hdf5").unlink()

    assert len(os.listdir("/proc/self/fd")) == len(descriptors)
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(os.listdir(elmo))) == before


def test_another_program_may_hold_the_file_open(elmo):
    """HDF5 locks files; the check needs no lock, since it never writes."""
    with h5py.File(elmo / WEIGHTS_NAME, "r"):
        assert len(safeload.check_elmo(elmo).read) == 29


@pytest.mark.parametrize(("n_values", "is_shown"), [(16_000, True), (16_001, False)])
def test_a_dataset_is_unpacked_for_display_up_to_a_size(n_values, is_shown, tmp_path, monkeypatch):
    monkeypatch.setattr(file, "MAX_SHOWN_BYTES", 64_000)
    with h5py.File(tmp_path / "w.hdf5", "w") as made:
        made.create_dataset("zeros", data=np.zeros(n_values, "f4"), compression="gzip")
        made.create_dataset("contiguous", data=np.zeros(1, "f4"))
    with opened_hdf5(str(tmp_path / "w.hdf5")) as opened:
        values, fault = opened.look("zeros")
        assert opened.look("contiguous")[1] == ""
        assert opened.read(["zeros"])["zeros"].shape == (n_values,)

    assert (values is not None) == is_shown
    assert fault == ("" if is_shown else f"TOO LARGE: 64,004 bytes in a file of {opened.n_bytes:,}")


def test_what_is_not_much_larger_than_its_file_is_shown_at_any_size(tmp_path, monkeypatch):
    monkeypatch.setattr(file, "MAX_SHOWN_BYTES", 1)
    values = np.random.default_rng(0).random(50_000, np.float32)
    with h5py.File(tmp_path / "w.hdf5", "w") as made:
        made.create_dataset("x", data=values, compression="gzip", shuffle=True)
    with opened_hdf5(str(tmp_path / "w.hdf5")) as opened:
        assert opened.look("x")[1] == ""
