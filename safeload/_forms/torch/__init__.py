"""Read the files of torch.save without torch and without unpickling: one file, or shards and their index."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._forms.weight_file import WeightFile


def open_weights(ref: FileRef) -> WeightFile:
    """Open a file that torch.save wrote, or the shards that an index lists.

    Raises:
        SafeLoadError: As `TorchFile`.
    """
    from safeload._forms.torch.file import TorchFile  # noqa: PLC0415  (imports NumPy)

    return TorchFile(ref)
