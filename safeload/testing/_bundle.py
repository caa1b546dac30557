"""Write V2 checkpoints of any tensors, in any number of shards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._arguments import as_python, bad_argument, is_int
from safeload._boundary import typed_errors
from safeload._bytes.paths import resolve_path
from safeload._bytes.writing import new_files
from safeload._forms.tensorflow.index_file import DTYPE_NUMBERS, STRING
from safeload._forms.tensorflow.writing import write_shards
from safeload._text.words import reason_of
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from safeload._bytes.paths import StrPath

MAX_SHARDS = 99_999


@typed_errors
def write_checkpoint(prefix: StrPath, tensors: Mapping[str, NDArray[Any]], *, shards: int = 1) -> None:
    """Write a V2 checkpoint: `PREFIX.index` and `PREFIX.data-00000-of-NNNNN`.

    Args:
        prefix: The checkpoint prefix, in an existing folder.
        tensors: Name -> values. Arrays of numbers or bools, or object arrays of bytes, which become string tensors.
        shards: Number of data shards, filled in the order of `tensors`.

    Raises:
        InvalidPathError: `prefix` is invalid.
        ArgumentError: `shards` is not an integer from 1 to 99,999, a name is not text, or a checkpoint cannot store the
            values of a tensor.
        MissingFileError: The folder does not exist.
        UnreadableFileError: This process may not write there.
        FileSystemError: The system cannot write.

    Source:
        tensorflow/core/kernels/save_restore_v2_ops.cc, SaveV2 and MergeV2Checkpoints, TensorFlow 2.15 and 2.21.
    """
    path = Path(resolve_path(prefix, argument="prefix"))
    arrays, count = _arrays(tensors), valid_shards(shards)
    with new_files(path.parent) as new:
        write_bundle(new / path.name, arrays, count)


def write_bundle(prefix: Path, arrays: Mapping[str, NDArray[Any]], shards: int) -> None:
    """Write a checkpoint as `write_checkpoint` does, with valid arguments.

    Raises:
        OSError: The system cannot write.
    """
    write_shards(prefix, [[(name, arrays[name]) for name in names] for names in _split(list(arrays), shards)])


def valid_shards(shards: object) -> int:
    """Return a number of shards that fits the five digits in a shard's name.

    Raises:
        ArgumentError: `shards` is another value.
    """
    count = as_python(shards)
    if not is_int(count) or not 1 <= count <= MAX_SHARDS:
        raise bad_argument("shards", shards, f"an integer from 1 to {MAX_SHARDS:,}", ["one is what TensorFlow writes"])
    return count


def valid_name(name: object, argument: str) -> str:
    """Return the name of a variable.

    Raises:
        ArgumentError: It is not text, is empty, or UTF-8 cannot encode it.
    """
    text = as_python(name)
    if not isinstance(text, str) or not text or not is_utf8(text):
        raise bad_argument(argument, name, "a name: text in UTF-8, and not empty", ["such as 'bert/pooler/dense/bias'"])
    return text


def is_utf8(text: str) -> bool:
    """Return whether UTF-8 can encode a text, which may have half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _arrays(tensors: object) -> dict[str, NDArray[Any]]:
    """Return tensors as arrays that a checkpoint can store."""
    if not isinstance(tensors, Mapping):
        raise bad_argument("tensors", tensors, "a dict of arrays", ["its keys are the names of the variables"])
    arrays = {}
    for key, given in tensors.items():
        name = valid_name(key, "tensors")
        try:
            values = np.asarray(given)
        except (ValueError, TypeError) as exc:
            message = f"tensors[{name!r}] is no array: {reason_of(exc)}"
            raise ArgumentError(message, argument="tensors", hints=["pass a NumPy array"]) from exc
        dtype = STRING if values.dtype == object else values.dtype.name
        if dtype not in DTYPE_NUMBERS:
            message = f"tensors[{name!r}] cannot be stored: no checkpoint has the type {dtype}"
            raise ArgumentError(message, argument="tensors", hints=["cast it, such as to float32"])
        if dtype == STRING and not all(isinstance(value, bytes) for value in values.flat):
            message = f"tensors[{name!r}] cannot be stored: an array of objects must hold bytes alone"
            raise ArgumentError(
                message, argument="tensors", hints=["encode text, and cast numbers, such as to float32"]
            )
        arrays[name] = values
    return arrays


def _split(names: list[str], shards: int) -> list[list[str]]:
    size = -(-len(names) // shards)
    return [names[at * size : (at + 1) * size] for at in range(shards)]
