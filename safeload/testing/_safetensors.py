"""Write safetensors files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from safeload._forms.safetensors.header import DTYPES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

N_ALIGN_BYTES = 8
_NAMES = {ours: theirs for theirs, ours in DTYPES.items()}


def write_safetensors(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write tensors to a safetensors file.

    Source:
        safetensors/src/tensor.rs, serialize, safetensors 0.8.
    """
    table: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, values in tensors.items():
        table[name] = {
            "dtype": _NAMES[values.dtype.name],
            "shape": list(values.shape),
            "data_offsets": [end, end + values.nbytes],
        }
        end += values.nbytes
    header = json.dumps(table, separators=(",", ":")).encode()
    header += b" " * (-len(header) % N_ALIGN_BYTES)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for values in tensors.values():
            file.write(values.tobytes())
