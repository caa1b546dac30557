"""Read HDF5 files, one or several that an index lists: the structure with h5py, most values without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._forms.weight_file import WeightFile


def open_weights(ref: FileRef) -> WeightFile:
    """Open an HDF5 file, or the shards that an index lists.

    Raises:
        SafeLoadError: As `Hdf5File` and `Hdf5Shards`.
    """
    if ref.role == "index":
        from safeload._forms.hdf5.shards import Hdf5Shards  # noqa: PLC0415  (imports h5py and NumPy)

        return Hdf5Shards(ref)
    from safeload._forms.hdf5.file import Hdf5File  # noqa: PLC0415  (as above)

    return Hdf5File(ref)
