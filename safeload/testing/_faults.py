"""Break the files of a model, as real set-ups do.

Each function changes files in place, in a folder from `write_bert_checkpoint`, from `write_elmo` where the fault applies, or
with a copy of another model under the same file names. It raises ArgumentError or MissingFileError if it cannot.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from safeload._arguments import bad_argument, is_int
from safeload._bytes.files import FileRef
from safeload._bytes.paths import resolve_path
from safeload._bytes.small import require_file
from safeload._forms.hdf5.file import Hdf5File
from safeload._forms.tensorflow.bundle import TensorBundle
from safeload._forms.tensorflow.prefixes import find_checkpoint
from safeload.errors import ArgumentError
from safeload.testing._bundle import write_checkpoint
from safeload.testing._models import CONFIG_NAME, OPTIONS_NAME, VOCAB_NAME, WEIGHTS_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from safeload._bytes.paths import StrPath

LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"
HTML_PAGE = "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Not Found</body></html>\n"
_OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"


def truncate(folder: StrPath, file: str | None = None, *, keep: int | None = None) -> None:
    """Truncate a file, as a full disk or an interrupted download does.

    Args:
        folder: The model's folder.
        file: The file's name. Defaults to the weights: the first data shard, or the HDF5 file.
        keep: Number of bytes to keep. Defaults to half.
    """
    path = _file(folder, file)
    data = path.read_bytes()
    if not data:
        message = f"{path.name} is empty already"
        raise ArgumentError(message, argument="file", hints=["pass a file that has bytes"])
    if keep is not None and not 0 <= keep < len(data):
        message = f"keep is {keep}, and the file has {len(data)} bytes"
        raise ArgumentError(message, argument="keep", hints=["pass a smaller number, at least 0"])
    path.write_bytes(data[: len(data) // 2 if keep is None else keep])


def flip_bit(folder: StrPath, variable: str | None = None, *, file: str | None = None, byte: int | None = None) -> None:
    """Flip the lowest bit of one byte.

    Args:
        folder: The model's folder.
        variable: A variable or dataset; the middle byte of its values is changed.
        file: The file's name, if no variable is passed. Defaults to the weights.
        byte: Position of the byte in the file, from 0. Defaults to the middle.
    """
    if variable is not None:
        path, byte = _place_of(folder, variable)
    else:
        path = _file(folder, file)
    data = bytearray(path.read_bytes())
    if not data:
        message = f"{path.name} is empty: it has no bit to flip"
        raise ArgumentError(message, argument="file", hints=["pass a file that has bytes"])
    if byte is not None and not 0 <= byte < len(data):
        message = f"byte is {byte}, and the file has {len(data)} bytes"
        raise ArgumentError(message, argument="byte", hints=["the first byte is 0"])
    data[len(data) // 2 if byte is None else byte] ^= 1
    path.write_bytes(data)


def drop_variable(folder: StrPath, name: str) -> None:
    """Remove a variable or dataset from the weights."""
    _edit(folder, name, lambda tensors: tensors.pop(name))


def rename_variable(folder: StrPath, name: str, new: str) -> None:
    """Rename a variable or dataset."""
    _edit(folder, name, lambda tensors: tensors.update({new: tensors.pop(name)}))


def reshape_variable(folder: StrPath, name: str, shape: Sequence[int]) -> None:
    """Change the shape of a variable or dataset; its values are repeated or truncated to fit."""
    if not all(is_int(size) and size >= 0 for size in shape):
        raise bad_argument("shape", shape, "integers from 0", ["a scalar's shape is ()"])
    _edit(folder, name, lambda tensors: tensors.update({name: np.resize(tensors[name], tuple(shape))}))


def poison(folder: StrPath, name: str | None = None, value: float = float("nan")) -> None:
    """Set the first value of a variable or dataset, by default the first float32 one, to NaN or another value."""

    def spoil(tensors: dict[str, NDArray[Any]]) -> None:
        chosen = name or next(key for key, values in tensors.items() if values.dtype == np.float32)
        tensors[chosen] = np.array(tensors[chosen])
        tensors[chosen].reshape(-1)[0] = value

    _edit(folder, name, spoil)


def swap_index(folder: StrPath) -> None:
    """Replace the index file with that of another training run, with the same names and shapes."""
    prefix = _prefix(folder)
    tensors, shards = _tensors(prefix)
    index = Path(f"{prefix}.index")
    data = [Path(f"{prefix}.data-{number:05d}-of-{shards:05d}") for number in range(shards)]
    before = [path.read_bytes() for path in data]
    write_checkpoint(prefix, {name: _shifted(values) for name, values in tensors.items()}, shards=shards)
    other = index.read_bytes()
    for path, content in zip(data, before, strict=True):
        path.write_bytes(content)
    index.write_bytes(other)


def remove_shard(folder: StrPath, number: int = 0) -> None:
    """Remove a data shard; a checkpoint with a single shard is split into two first."""
    prefix = _prefix(folder)
    tensors, shards = _tensors(prefix)
    if shards == 1:
        Path(f"{prefix}.data-00000-of-00001").unlink()
        shards = 2
        write_checkpoint(prefix, tensors, shards=shards)
    path = f"{prefix}.data-{number:05d}-of-{shards:05d}"
    require_file(FileRef(path=path, role="shard", given=folder))
    Path(path).unlink()


def remove_file(folder: StrPath, file: str | None = None) -> None:
    """Remove a file, by default the weights."""
    _file(folder, file).unlink()


def as_lfs_pointer(folder: StrPath, file: str | None = None) -> None:
    """Replace a file, by default the weights, with a Git LFS pointer, as a clone without Git LFS does."""
    path = _file(folder, file)
    path.write_text(LFS_POINTER.format(_OID, path.stat().st_size), encoding="ascii")


def as_html_page(folder: StrPath, file: str | None = None) -> None:
    """Replace a file, by default the weights, with the HTML page of a 404 error."""
    _file(folder, file).write_text(HTML_PAGE, encoding="ascii")


def edit_config(folder: StrPath, **changes: object) -> None:
    """Change keys of a BERT's config or an ELMo's options; None removes a key, a dict is merged into a nested object."""
    path = _file(folder, OPTIONS_NAME if _is_elmo(folder) else CONFIG_NAME)
    path.write_text(
        json.dumps(_merged(json.loads(path.read_text(encoding="utf-8")), changes), indent=2), encoding="utf-8"
    )


def edit_vocabulary(folder: StrPath, change: Callable[[list[str]], Sequence[str]]) -> None:
    """Change the lines of the vocabulary, passed without line ends: `lambda lines: [*lines, "new"]`."""
    path = _file(folder, VOCAB_NAME)
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    after = change(lines)
    if not isinstance(after, (list, tuple)):
        raise bad_argument("change", change, "a function that returns the new lines", [f"it returned {after!r}"])
    path.write_text("\n".join(after) + "\n", encoding="utf-8")


def exchange_files(folder: StrPath, first: str = OPTIONS_NAME, second: str = WEIGHTS_NAME) -> None:
    """Swap the contents of two files, by default an ELMo's options and weights."""
    a, b = _file(folder, first), _file(folder, second)
    content = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(content)


def leave_unwritten(folder: StrPath, name: str) -> None:
    """Recreate an ELMo's dataset without writing its values, as a program that is interrupted does."""
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
    return find_checkpoint(FileRef(path=str(_folder(folder)), role="checkpoint", given=folder)).ref.path


def _file(folder: StrPath, file: str | None) -> Path:
    if file is None:
        shards = sorted(path.name for path in _folder(folder).glob("*.data-00000-of-*"))
        file = shards[0] if shards and not _is_elmo(folder) else WEIGHTS_NAME
    path = _folder(folder) / file
    require_file(FileRef(path=str(path), role="model", given=folder))
    return path


def _tensors(prefix: str) -> tuple[dict[str, NDArray[Any]], int]:
    with TensorBundle(FileRef(path=prefix, role="prefix")) as bundle:
        return bundle.read(bundle.variables), bundle.n_shards


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
    """Return the file with a variable's values, and the position of their middle byte."""
    if _is_elmo(folder):
        path = _file(folder, WEIGHTS_NAME)
        with Hdf5File(FileRef(path=str(path), role="weight")) as file:
            _require_known(variable, file.datasets)
            dataset = file.datasets[variable]
            if dataset.offset is None:
                message = f"{variable!r} is stored in chunks or was never written: no single byte is its middle"
                raise ArgumentError(message, argument="variable", hints=["pass file= and byte= instead"])
            return path, dataset.offset + dataset.n_bytes // 2
    with TensorBundle(FileRef(path=_prefix(folder), role="prefix")) as bundle:
        _require_known(variable, bundle.variables)
        entry = bundle.variables[variable]
        return Path(bundle.shard_path(entry.shard)), entry.offset + entry.n_bytes // 2


def _shifted(values: NDArray[Any]) -> NDArray[Any]:
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
