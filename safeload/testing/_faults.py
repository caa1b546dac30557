"""What goes wrong with a model's files, as functions on its folder; each works on a BERT's and, where it can, on an ELMo's.

The folder is one that `write_bert_checkpoint` or `write_elmo` made, or a copy of another model with the same file names.
Each function changes the files in place, and raises an ArgumentError or MissingFileError where it cannot.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from safeload._arguments import bad_argument, is_int
from safeload._files import require_file
from safeload._formats.hdf5 import Hdf5File
from safeload._formats.tensor_bundle import TensorBundle
from safeload._formats.tensor_values import read_values
from safeload._paths import resolve_path
from safeload.bert._checkpoint import find_checkpoint
from safeload.errors import ArgumentError
from safeload.testing._bundle import write_checkpoint
from safeload.testing._models import CONFIG_NAME, OPTIONS_NAME, VOCAB_NAME, WEIGHTS_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from safeload._paths import StrPath

LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"
HTML_PAGE = "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Not Found</body></html>\n"
_OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"


def truncate(folder: StrPath, file: str | None = None, *, keep: int | None = None) -> None:
    """Cut a file, as a full disk or a broken download does.

    Args:
        folder: The model's folder.
        file: Its name; by default the weights: the first data shard, or the HDF5 file.
        keep: How many bytes stay; by default half.
    """
    path = _file(folder, file)
    data = path.read_bytes()
    if keep is not None and not 0 <= keep < len(data):
        message = f"keep is {keep}, and the file has {len(data)} bytes"
        raise ArgumentError(message, argument="keep", hints=["keep less, and at least 0"])
    path.write_bytes(data[: len(data) // 2 if keep is None else keep])


def flip_bit(folder: StrPath, variable: str | None = None, *, file: str | None = None, byte: int | None = None) -> None:
    """Flip the lowest bit of one byte.

    Args:
        folder: The model's folder.
        variable: The variable or dataset in the middle of whose values it lies.
        file: In place of a variable, the file's name; by default the weights.
        byte: Which byte of the file, from 0; by default the middle one.
    """
    if variable is not None:
        path, byte = _place_of(folder, variable)
    else:
        path = _file(folder, file)
    data = bytearray(path.read_bytes())
    if byte is not None and not 0 <= byte < len(data):
        message = f"byte is {byte}, and the file has {len(data)} bytes"
        raise ArgumentError(message, argument="byte", hints=["the first byte is 0"])
    data[len(data) // 2 if byte is None else byte] ^= 1
    path.write_bytes(data)


def drop_variable(folder: StrPath, name: str) -> None:
    """Leave a variable or dataset out of the weights."""
    _edit(folder, name, lambda tensors: tensors.pop(name))


def rename_variable(folder: StrPath, name: str, new: str) -> None:
    """Give a variable or dataset another name."""
    _edit(folder, name, lambda tensors: tensors.update({new: tensors.pop(name)}))


def reshape_variable(folder: StrPath, name: str, shape: Sequence[int]) -> None:
    """Give a variable or dataset another shape: its values are repeated or cut to fill it."""
    if not all(is_int(size) and size >= 0 for size in shape):
        raise bad_argument("shape", shape, "integers from 0", ["a scalar's shape is ()"])
    _edit(folder, name, lambda tensors: tensors.update({name: np.resize(tensors[name], tuple(shape))}))


def poison(folder: StrPath, name: str | None = None, value: float = float("nan")) -> None:
    """Put a value, NaN by default, in the place of a variable's first one; by default of the first variable."""

    def spoil(tensors: dict[str, NDArray[Any]]) -> None:
        chosen = name or next(key for key, values in tensors.items() if values.dtype == np.float32)
        tensors[chosen] = np.array(tensors[chosen])
        tensors[chosen].reshape(-1)[0] = value

    _edit(folder, name, spoil)


def swap_index(folder: StrPath) -> None:
    """Put the index file of another training, with the same names and shapes, beside the data shards."""
    prefix = _prefix(folder)
    tensors, shards = _tensors(prefix)
    index = Path(f"{prefix}.index")
    data = [Path(f"{prefix}.data-{number:05d}-of-{shards:05d}") for number in range(shards)]
    before = [path.read_bytes() for path in data]
    write_checkpoint(prefix, {name: _other(values) for name, values in tensors.items()}, shards=shards)
    other = index.read_bytes()
    for path, content in zip(data, before, strict=True):
        path.write_bytes(content)
    index.write_bytes(other)


def remove_shard(folder: StrPath, number: int = 0) -> None:
    """Remove a data shard; where there is one only, the weights are spread over two first."""
    prefix = _prefix(folder)
    tensors, shards = _tensors(prefix)
    if shards == 1:
        Path(f"{prefix}.data-00000-of-00001").unlink()
        shards = 2
        write_checkpoint(prefix, tensors, shards=shards)
    path = f"{prefix}.data-{number:05d}-of-{shards:05d}"
    require_file(path, role="shard", given=folder)
    Path(path).unlink()


def remove_file(folder: StrPath, file: str | None = None) -> None:
    """Remove a file; by default the weights."""
    _file(folder, file).unlink()


def as_lfs_pointer(folder: StrPath, file: str | None = None) -> None:
    """Leave of a file, by default of the weights, what a clone without Git LFS leaves of it."""
    path = _file(folder, file)
    path.write_text(LFS_POINTER.format(_OID, path.stat().st_size), encoding="ascii")


def as_html_page(folder: StrPath, file: str | None = None) -> None:
    """Save in the place of a file, by default of the weights, the page that a server sends when it has no such file."""
    _file(folder, file).write_text(HTML_PAGE, encoding="ascii")


def edit_config(folder: StrPath, **changes: object) -> None:
    """Change keys of a BERT's config or an ELMo's options; None removes a key, a dict changes keys of the table there."""
    path = _file(folder, OPTIONS_NAME if _is_elmo(folder) else CONFIG_NAME)
    path.write_text(
        json.dumps(_merged(json.loads(path.read_text(encoding="utf-8")), changes), indent=2), encoding="utf-8"
    )


def edit_vocabulary(folder: StrPath, change: Callable[[list[str]], Sequence[str]]) -> None:
    """Change the vocabulary's lines, without their ends: `lambda lines: [*lines, "new"]`."""
    path = _file(folder, VOCAB_NAME)
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    after = change(lines)
    if not isinstance(after, (list, tuple)):
        raise bad_argument("change", change, "a function that returns the new lines", [f"it returned {after!r}"])
    path.write_text("\n".join(after) + "\n", encoding="utf-8")


def exchange_files(folder: StrPath, first: str = OPTIONS_NAME, second: str = WEIGHTS_NAME) -> None:
    """Let two files change their names."""
    a, b = _file(folder, first), _file(folder, second)
    content = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(content)


def leave_unwritten(folder: StrPath, name: str) -> None:
    """Create an ELMo's dataset anew and write no values, as a program does that ends too early."""
    with h5py.File(_file(folder, WEIGHTS_NAME), "r+") as file:
        _require_known(name, file)
        shape = file[name].shape
        del file[name]
        file.create_dataset(name, shape, "f4")


def _folder(folder: StrPath) -> Path:
    return Path(resolve_path(folder, argument="folder"))


def _is_elmo(folder: StrPath) -> bool:
    return any((_folder(folder) / name).exists() for name in (OPTIONS_NAME, WEIGHTS_NAME))


def _prefix(folder: StrPath) -> str:
    return find_checkpoint(str(_folder(folder)), given=folder).prefix


def _file(folder: StrPath, file: str | None) -> Path:
    if file is None:
        shards = sorted(path.name for path in _folder(folder).glob("*.data-00000-of-*"))
        file = shards[0] if shards and not _is_elmo(folder) else WEIGHTS_NAME
    path = _folder(folder) / file
    require_file(str(path), role="model", given=folder)
    return path


def _tensors(prefix: str) -> tuple[dict[str, NDArray[Any]], int]:
    with TensorBundle(prefix) as bundle:
        return read_values(bundle, bundle.variables), bundle.n_shards


def _edit(folder: StrPath, name: str | None, change: Callable[[dict[str, NDArray[Any]]], object]) -> None:
    if _is_elmo(folder):
        path = _file(folder, WEIGHTS_NAME)
        with h5py.File(path, "r+") as file:
            names: list[str] = []
            file.visititems(lambda found, item: names.append(found) if isinstance(item, h5py.Dataset) else None)
            before = {found: file[found][()] for found in names}
            after = _changed(before, name, change)
            for found, values in before.items():
                if after.get(found) is not values:
                    del file[found]
            for found, values in after.items():
                if before.get(found) is not values:
                    file[found] = values
        return
    prefix = _prefix(folder)
    tensors, shards = _tensors(prefix)
    write_checkpoint(prefix, _changed(tensors, name, change), shards=shards)


def _changed(
    tensors: Mapping[str, NDArray[Any]], name: str | None, change: Callable[[dict[str, NDArray[Any]]], object]
) -> dict[str, NDArray[Any]]:
    if name is not None:
        _require_known(name, tensors)
    after = dict(tensors)
    change(after)
    return after


def _require_known(name: str, tensors: Collection[str]) -> None:
    if name not in tensors:
        message = f"the weights have no {name!r}"
        raise ArgumentError(message, argument="name", hints=[f"the first ones are {', '.join(list(tensors)[:3])}"])


def _place_of(folder: StrPath, variable: str) -> tuple[Path, int]:
    """Return the file and the byte in the middle of a variable's values."""
    if _is_elmo(folder):
        path = _file(folder, WEIGHTS_NAME)
        with Hdf5File(str(path)) as file:
            _require_known(variable, file.datasets)
            dataset = file.datasets[variable]
            return path, (dataset.offset or 0) + dataset.n_bytes // 2
    with TensorBundle(_prefix(folder)) as bundle:
        _require_known(variable, bundle.variables)
        entry = bundle.variables[variable]
        return Path(bundle.shard_path(entry.shard)), entry.offset + entry.n_bytes // 2


def _other(values: NDArray[Any]) -> NDArray[Any]:
    return values + values.dtype.type(1) if values.dtype.kind in "fiu" else values


def _merged(before: dict[str, Any], changes: Mapping[str, object]) -> dict[str, Any]:
    after = dict(before)
    for key, value in changes.items():
        if value is None:
            after.pop(key, None)
        elif isinstance(value, dict) and isinstance(after.get(key), dict):
            after[key] = _merged(after[key], value)
        else:
            after[key] = value
    return after
