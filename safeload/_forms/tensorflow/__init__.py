"""Read TensorFlow V2 checkpoints without TensorFlow: an index file and its data shards."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._forms.weight_file import WeightFile


def open_weights(ref: FileRef) -> WeightFile:
    """Open the checkpoint with a prefix.

    Raises:
        SafeLoadError: As `TensorBundle`.
    """
    from safeload._forms.tensorflow.bundle import TensorBundle  # noqa: PLC0415  (imports NumPy)

    return TensorBundle(ref)
