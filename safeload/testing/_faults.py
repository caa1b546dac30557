"""Break the files of a model, as real set-ups do.

Each function changes files in place, in a folder from `write_bert_checkpoint`, from `write_elmo` where the fault applies, or
with a copy of another model under the same file names. It raises ArgumentError or MissingFileError if it cannot.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._arguments import as_python, as_python_tree, bad_argument, is_int, listed
from safeload._boundary import typed_errors
from safeload._bytes import absent
from safeload._bytes.files import FileRef
from safeload._bytes.writing import new_files
from safeload._json import read_json_object
from safeload._text.words import reason_of
from safeload.errors import ArgumentError, VocabularyError
from safeload.testing._bert import VOCAB_NAME
from safeload.testing._bundle import is_utf8, write_bundle
from safeload.testing._editing import (
    config_ref,
    edit_tensors,
    edited_hdf5,
    file_of,
    file_ref,
    has_hdf5,
    place_of,
    position,
    prefix_of,
    require_free,
    require_known,
    sizes_of,
    tensors_of,
)
from safeload.testing._elmo_forms import OPTIONS_NAME, WEIGHTS_NAME
from safeload.testing._writing import remove, write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from safeload._bytes.paths import StrPath

LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"
HTML_PAGE = "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Not Found</body></html>\n"
_OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"


@typed_errors
def truncate(folder: StrPath, file: str | None = None, *, keep: int | None = None) -> None:
    """Truncate a file, as a full disk or an interrupted download does.

    Args:
        folder: The model's folder.
        file: The file's name. Defaults to the weights: the first data shard, or the HDF5 file.
        keep: Number of bytes to keep. Defaults to half.
    """
    path = file_of(folder, file)
    data = path.read_bytes()
    if not data:
        message = f"{path.name} is empty already"
        raise ArgumentError(message, argument="file", hints=["pass a file that has bytes"])
    write_file(path, data[: len(data) // 2 if keep is None else position("keep", keep, len(data))])


@typed_errors
def flip_bit(folder: StrPath, variable: str | None = None, *, file: str | None = None, byte: int | None = None) -> None:
    """Flip the lowest bit of one byte.

    Args:
        folder: The model's folder.
        variable: A variable or dataset; the middle byte of its values is changed.
        file: The file's name, if no variable is passed. Defaults to the weights.
        byte: Position of the byte in the file, from 0. Defaults to the middle.
    """
    if variable is not None:
        path, byte = place_of(folder, variable)
    else:
        path = file_of(folder, file)
    data = bytearray(path.read_bytes())
    if not data:
        message = f"{path.name} is empty: it has no bit to flip"
        raise ArgumentError(message, argument="file", hints=["pass a file that has bytes"])
    data[len(data) // 2 if byte is None else position("byte", byte, len(data))] ^= 1
    write_file(path, data)


@typed_errors
def drop_variable(folder: StrPath, name: str) -> None:
    """Remove a variable or dataset from the weights."""
    edit_tensors(folder, lambda tensors: tensors.pop(require_known(name, tensors)))


@typed_errors
def rename_variable(folder: StrPath, name: str, new: str) -> None:
    """Rename a variable or dataset; no other one may have the new name."""
    is_hdf5 = has_hdf5(folder)

    def rename(tensors: dict[str, NDArray[Any]]) -> None:
        old = require_known(name, tensors)
        tensors[require_free(new, old, tensors, is_hdf5=is_hdf5)] = tensors.pop(old)

    edit_tensors(folder, rename)


@typed_errors
def reshape_variable(folder: StrPath, name: str, shape: Sequence[int]) -> None:
    """Change the shape of a variable or dataset; its values are repeated or truncated to fit."""
    sizes = sizes_of(shape)

    def reshape(tensors: dict[str, NDArray[Any]]) -> None:
        known = require_known(name, tensors)
        try:
            tensors[known] = np.resize(tensors[known], sizes)
        except ValueError as exc:
            message = f"shape cannot be {sizes}: {reason_of(exc)}"
            raise ArgumentError(message, argument="shape", hints=["pass fewer or smaller sizes"]) from exc

    edit_tensors(folder, reshape)


@typed_errors
def poison(folder: StrPath, name: str | None = None, value: float = float("nan")) -> None:
    """Set the first value of a variable or dataset, by default the first float32 one, to NaN or another value."""
    number = as_python(value)
    if not isinstance(number, float) and not is_int(number):
        raise bad_argument("value", value, "a number", ["NaN is float('nan')"])

    def spoil(tensors: dict[str, NDArray[Any]]) -> None:
        fitting = (key for key, each in tensors.items() if each.dtype == np.float32 and each.size)
        chosen = next(fitting, None) if name is None else require_known(name, tensors)
        if chosen is None or not tensors[chosen].size or tensors[chosen].dtype.kind in "OSU":
            what = "the weights have no float32 tensor with a value" if chosen is None else f"{chosen!r} has no number"
            raise ArgumentError(what, argument="name", hints=["pass the name of a tensor of numbers"])
        values = np.array(tensors[chosen], order="C")
        try:
            values.reshape(-1)[0] = number
        except (ValueError, OverflowError) as exc:
            raise bad_argument("value", value, f"a number that {values.dtype} can hold", ["pass another"]) from exc
        tensors[chosen] = values

    edit_tensors(folder, spoil)


@typed_errors
def swap_index(folder: StrPath) -> None:
    """Replace the index file with that of another training run, with the same names and shapes."""
    prefix = Path(prefix_of(folder))
    tensors, shards = tensors_of(str(prefix))
    with new_files(prefix.parent) as new:
        write_bundle(new / prefix.name, {name: _shifted(values) for name, values in tensors.items()}, shards)
        for shard in new.glob("*.data-*"):
            shard.unlink()


@typed_errors
def remove_shard(folder: StrPath, number: int = 0) -> None:
    """Remove a data shard; a checkpoint with a single shard is split into two first."""
    prefix, shard = Path(prefix_of(folder)), as_python(number)
    if not is_int(shard) or shard < 0:
        raise bad_argument("number", number, "an integer from 0", ["the first shard is 0"])
    tensors, shards = tensors_of(str(prefix))
    after = max(shards, 2)
    lost = f"{prefix}.data-{shard:05d}-of-{after:05d}"
    if shard >= after:
        raise absent.missing(FileRef(path=lost, role="shard", given=folder))
    if shards == 1:
        with new_files(prefix.parent) as new:
            write_bundle(new / prefix.name, tensors, after)
        remove(Path(f"{prefix}.data-00000-of-00001"))
    remove(Path(lost))


@typed_errors
def remove_file(folder: StrPath, file: str | None = None) -> None:
    """Remove a file, by default the weights."""
    remove(file_of(folder, file))


@typed_errors
def as_lfs_pointer(folder: StrPath, file: str | None = None) -> None:
    """Replace a file, by default the weights, with a Git LFS pointer, as a clone without Git LFS does."""
    path = file_of(folder, file)
    write_file(path, LFS_POINTER.format(_OID, path.stat().st_size).encode("ascii"))


@typed_errors
def as_html_page(folder: StrPath, file: str | None = None) -> None:
    """Replace a file, by default the weights, with the HTML page of a 404 error."""
    write_file(file_of(folder, file), HTML_PAGE.encode("ascii"))


@typed_errors
def edit_config(folder: StrPath, **changes: object) -> None:
    """Change keys of a BERT's config or an ELMo's options; None removes a key, a dict is merged into a nested object."""
    ref = config_ref(folder)
    merged = _merged(read_json_object(ref), as_python_tree(changes))
    try:
        text = json.dumps(merged, indent=2)
    except (TypeError, ValueError) as exc:
        message = f"the changes cannot be written as JSON: {reason_of(exc)}"
        raise ArgumentError(message, argument="changes", hints=["pass numbers, text, bools, lists and dicts"]) from exc
    write_file(Path(ref.path), text.encode())


@typed_errors
def edit_vocabulary(folder: StrPath, change: Callable[[list[str]], Sequence[str]]) -> None:
    """Change the lines of the vocabulary, passed without line ends: `lambda lines: [*lines, "new"]`."""
    ref = file_ref(folder, VOCAB_NAME)
    path = Path(ref.path)
    try:
        lines = path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as exc:
        message = f"the vocabulary is not UTF-8 text: byte {exc.object[exc.start]:#04x} at offset {exc.start}"
        raise VocabularyError(message, **ref.facts, hints=["write the model again"]) from exc
    after = listed(change(lines)) if callable(change) else None
    if after is None or not all(isinstance(line, str) and is_utf8(line) for line in after):
        hints = ["such as: lambda lines: [*lines, 'new']"]
        raise bad_argument("change", change, "a function that returns the new lines, as text in UTF-8", hints)
    write_file(path, ("\n".join(map(str, after)) + "\n").encode())


@typed_errors
def exchange_files(folder: StrPath, first: str = OPTIONS_NAME, second: str = WEIGHTS_NAME) -> None:
    """Swap the contents of two files, by default an ELMo's options and weights."""
    a, b = file_of(folder, first), file_of(folder, second)
    content, other = a.read_bytes(), b.read_bytes()
    if a.parent != b.parent:
        write_file(a, other)
        write_file(b, content)
        return
    with new_files(a.parent) as new:
        (new / a.name).write_bytes(other)
        (new / b.name).write_bytes(content)


@typed_errors
def leave_unwritten(folder: StrPath, name: str) -> None:
    """Recreate an ELMo's dataset without writing its values, as a program that is interrupted does."""
    with edited_hdf5(folder) as (file, names):
        known = require_known(name, names)
        shape = file[known].shape
        del file[known]
        file.create_dataset(known, shape, "f4")


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
