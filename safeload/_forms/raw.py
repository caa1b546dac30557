"""Give the bytes of an array as files have them, and write all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._forms.byte_order import little

if TYPE_CHECKING:
    from io import FileIO

    from numpy.typing import NDArray


def bytes_of(values: NDArray[Any]) -> memoryview:
    """Return the bytes of an array in C order, little-endian; without a copy where it is so in memory."""
    return little(np.ascontiguousarray(values)).reshape(-1).view(np.uint8).data


def write_all(file: FileIO, data: memoryview) -> None:
    """Write all of the data to a file without a buffer.

    Raises:
        OSError: The system cannot write it, or the disk is full.
    """
    while data:
        data = data[file.write(data) :]
