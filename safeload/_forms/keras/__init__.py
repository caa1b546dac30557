"""Read `.keras` files as data: a zip archive with the weights in HDF5 and the model's config in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._forms.weight_file import WeightFile


def open_weights(ref: FileRef) -> WeightFile:
    """Open a `.keras` file.

    Raises:
        SafeLoadError: As `KerasFile`.
    """
    from safeload._forms.keras.file import KerasFile  # noqa: PLC0415  (imports h5py and NumPy)

    return KerasFile(ref)
