"""Write the zip archive of torch.save."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._forms.byte_order import little
from safeload._forms.torch.calls import STORAGES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

ROOT = "archive"
_STORAGE_OF = {dtype: name for name, (dtype, _) in reversed(STORAGES.items())}
_REBUILD, _ORDERED_DICT = b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n)R"


def write_torch(path: Path, tensors: Mapping[str, NDArray[Any]], *, transposed: bool = False) -> None:
    """Write a state dict as torch.save does.

    Args:
        path: The file.
        tensors: Name -> values.
        transposed: Whether tensors with two axes are stored column by column, as in models converted from TensorFlow.

    Source:
        torch/serialization.py, _save, torch 1.12.
    """
    stored = {name: values.T if transposed and values.ndim == 2 else values for name, values in tensors.items()}  # noqa: PLR2004
    rows = b"".join(
        _text(name) + _tensor(number, values, is_turned=stored[name] is not values)
        for number, (name, values) in enumerate(tensors.items())
    )
    members = {"data.pkl": b"\x80\x02" + _ORDERED_DICT + b"(" + rows + b"u."}
    members |= {f"data/{number}": little(values).tobytes() for number, values in enumerate(stored.values())}
    write_members(path, {**members, "version": b"3\n"})


def write_members(path: Path, members: Mapping[str, bytes]) -> None:
    """Write an archive with these members."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(f"{ROOT}/{name}"), data)


def _tensor(number: int, values: NDArray[Any], *, is_turned: bool) -> bytes:
    storage = f"ctorch\n{_STORAGE_OF[values.dtype.name]}\n".encode()
    persistent = b"(" + _text("storage") + storage + _text(str(number)) + _text("cpu") + _integer(values.size) + b"tQ"
    shape = values.shape
    strides = (1, shape[0]) if is_turned else tuple(int(np.prod(shape[at + 1 :])) for at in range(len(shape)))
    args = persistent + _integer(0) + _integers(shape) + _integers(strides) + b"\x89" + _ORDERED_DICT
    return _REBUILD + b"(" + args + b"tR"


def _text(text: str) -> bytes:
    data = text.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


def _integer(value: int) -> bytes:
    return b"\x8a\x08" + value.to_bytes(8, "little", signed=True)


def _integers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(_integer, values)) + b"t"
