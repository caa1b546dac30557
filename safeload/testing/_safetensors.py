"""Write safetensors files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._forms.safetensors import writing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


def write_safetensors(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write tensors to a safetensors file."""
    specs = {name: (values.shape, values.dtype.name) for name, values in tensors.items()}
    writing.write_safetensors(path, specs, tensors.items(), metadata)
