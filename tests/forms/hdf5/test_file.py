"""An HDF5 file, opened read-only and closed again."""

from __future__ import annotations

import os
import resource

import h5py
import pytest

import safeload
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
