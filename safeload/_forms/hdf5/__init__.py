"""Read HDF5 files: the structure with h5py, most values without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._forms.weight_file import WeightFile


def open_weights(ref: FileRef) -> WeightFile:
    """Open an HDF5 file.

    Raises:
        SafeLoadError: As `Hdf5File`.
    """
    from safeload._forms.hdf5.file import Hdf5File  # noqa: PLC0415  (imports h5py and NumPy)

    return Hdf5File(ref)
