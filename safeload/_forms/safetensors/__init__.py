"""Read safetensors files without the safetensors package: one file, or shards and their index."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._forms.weight_file import WeightFile


def open_weights(ref: FileRef) -> WeightFile:
    """Open a safetensors file, or the shards that an index lists.

    Raises:
        SafeLoadError: As `Safetensors`.
    """
    from safeload._forms.safetensors.file import Safetensors  # noqa: PLC0415  (imports NumPy)

    return Safetensors(ref)
