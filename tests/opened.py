"""Weight files and configs, opened by their paths alone."""

from __future__ import annotations

from safeload._bytes.files import DISK, FileRef
from safeload._forms.hdf5.file import Hdf5File
from safeload._forms.tensorflow.bundle import TensorBundle


def ref(path, role="config", given=None, source=DISK):
    """Return the reference to a file."""
    return FileRef(path=str(path), role=role, given=given, source=source)


def opened_checkpoint(prefix, given=None, source=DISK):
    """Open a TensorFlow checkpoint."""
    return TensorBundle(ref(prefix, "prefix", given, source))


def opened_hdf5(path, given=None, source=DISK):
    """Open an HDF5 file."""
    return Hdf5File(ref(path, "weight", given, source))
