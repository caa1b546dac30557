"""Write safetensors files.

Source:
    safetensors/src/tensor.rs, serialize, safetensors 0.8.
"""

from __future__ import annotations

import json
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._bytes import system
from safeload._forms.raw import bytes_of, write_all
from safeload._forms.safetensors.header import DTYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

N_ALIGN_BYTES = 8
_NAMES = {ours: theirs for theirs, ours in DTYPES.items()}


def write_safetensors(
    path: Path,
    specs: Mapping[str, tuple[tuple[int, ...], str]],
    tensors: Iterable[tuple[str, NDArray[Any]]],
    metadata: Mapping[str, str],
) -> None:
    """Write a file from its tensors, one after the other.

    Args:
        path: The file.
        specs: Name -> shape and dtype, in the order in which the tensors come.
        tensors: Name and values of each.
        metadata: What the writer says of the file.

    Raises:
        OSError: The system cannot write.
    """
    table: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, (shape, dtype) in specs.items():
        start, end = end, end + prod(shape) * np.dtype(dtype).itemsize
        table[name] = {"dtype": _NAMES[dtype], "shape": list(shape), "data_offsets": [start, end]}
    header = json.dumps(table, separators=(",", ":")).encode()
    header += b" " * (-len(header) % N_ALIGN_BYTES)
    with path.open("wb", buffering=0) as file:
        system.reserve(file, 8 + len(header) + end)
        write_all(file, memoryview(len(header).to_bytes(8, "little") + header))
        for _, values in tensors:
            write_all(file, bytes_of(values))
