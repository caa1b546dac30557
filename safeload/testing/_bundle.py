"""Write V2 checkpoints without TensorFlow, byte for byte as its SaveV2 and MergeV2Checkpoints do.

Source:
    tensorflow/core/util/tensor_bundle/tensor_bundle.cc, BundleWriter and MergeBundles; tensorflow/core/lib/io/
    table_builder.cc and block_builder.cc; TensorFlow 2.15 and 2.21.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import crc32c
import numpy as np

from safeload._arguments import as_python, bad_argument, is_int
from safeload._boundary import typed_errors
from safeload._bytes.paths import resolve_path
from safeload._bytes.writing import new_files
from safeload._forms.tensorflow.index_file import DTYPE_NUMBERS, STRING
from safeload._forms.tensorflow.sstable import MAGIC, N_FOOTER_BYTES, mask
from safeload._text.words import reason_of
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from safeload._bytes.paths import StrPath

N_BLOCK_BYTES = 256 << 10
RESTART_EVERY = 16
PRODUCER = 1
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
    entries = {b"": _header(shards)}
    for number, names in enumerate(_split(list(arrays), shards)):
        at = 0
        with Path(f"{prefix}.data-{number:05d}-of-{shards:05d}").open("wb") as file:
            for name in names:
                data, crc = _payload(arrays[name])
                file.write(data)
                entries[name.encode()] = _entry(arrays[name], number, at, len(data), crc)
                at += len(data)
    Path(f"{prefix}.index").write_bytes(_table(entries))


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


def _payload(values: NDArray[Any]) -> tuple[bytes, int]:
    """Return the bytes of a tensor and their CRC32C, which covers the lengths of strings as fixed32."""
    if values.dtype != object:
        data = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
        return data, crc32c.crc32c(data)
    strings = [bytes(value) for value in values.reshape(-1)]
    lengths = b"".join(varint(len(value)) for value in strings)
    crc = crc32c.crc32c(b"".join(len(value).to_bytes(4, "little") for value in strings))
    stored = mask(crc).to_bytes(4, "little")
    text = b"".join(strings)
    return lengths + stored + text, crc32c.crc32c(stored + text, crc)


def _header(shards: int) -> bytes:
    return b"\x08" + varint(shards) + b"\x1a" + sized(b"\x08" + varint(PRODUCER))


def _entry(values: NDArray[Any], shard: int, offset: int, n_bytes: int, crc: int) -> bytes:
    name = STRING if values.dtype == object else values.dtype.name
    sizes = b"".join(b"\x12" + sized(b"\x08" + varint(size) if size else b"") for size in values.shape)
    fields = [(1, DTYPE_NUMBERS[name]), (3, shard), (4, offset), (5, n_bytes)]
    dtype, *places = [bytes([number << 3]) + varint(value) if value else b"" for number, value in fields]
    return dtype + b"\x12" + sized(sizes) + b"".join(places) + b"\x35" + mask(crc).to_bytes(4, "little")


def _table(entries: Mapping[bytes, bytes]) -> bytes:
    """Return a sorted string table."""
    data = bytearray()
    index: list[tuple[bytes, bytes]] = []
    block: list[tuple[bytes, bytes]] = []
    size = 0
    rows = sorted(entries.items())
    for at, (key, value) in enumerate(rows):
        block.append((key, value))
        size += _n_bytes_of_entry(block)
        is_last = at + 1 == len(rows)
        if is_last or size + _n_bytes_of_restarts(block) >= N_BLOCK_BYTES:
            handle = _append_block(data, block)
            index.append((_successor(key) if is_last else _separator(key, rows[at + 1][0]), handle))
            block, size = [], 0
    meta = _append_block(data, [])
    footer = meta + _append_block(data, index, restart_every=1)
    return bytes(data) + footer.ljust(N_FOOTER_BYTES - len(MAGIC), b"\0") + MAGIC


def _append_block(data: bytearray, rows: Sequence[tuple[bytes, bytes]], restart_every: int = RESTART_EVERY) -> bytes:
    """Append a block with its trailer, and return its handle: offset and size."""
    block, restarts, previous = bytearray(), [0], b""
    for number, (key, value) in enumerate(rows):
        n_shared = 0
        if number % restart_every:
            n_shared = _n_shared(previous, key)
        elif number:
            restarts.append(len(block))
        block += varint(n_shared) + varint(len(key) - n_shared) + varint(len(value)) + key[n_shared:] + value
        previous = key
    block += b"".join(at.to_bytes(4, "little") for at in (*restarts, len(restarts)))
    handle = varint(len(data)) + varint(len(block))
    block += b"\0"  # not compressed
    data += block + mask(crc32c.crc32c(bytes(block))).to_bytes(4, "little")
    return handle


def _n_bytes_of_entry(block: list[tuple[bytes, bytes]]) -> int:
    """Return the size of the block's last entry."""
    key, value = block[-1]
    n_shared = _n_shared(block[-2][0], key) if (len(block) - 1) % RESTART_EVERY else 0
    n_own = len(key) - n_shared
    return sum(len(varint(size)) for size in (n_shared, n_own, len(value))) + n_own + len(value)


def _n_bytes_of_restarts(block: list[tuple[bytes, bytes]]) -> int:
    return 4 * (-(-len(block) // RESTART_EVERY) + 1)


def _n_shared(a: bytes, b: bytes) -> int:
    pairs = zip(a, b, strict=False)
    return next((at for at, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))


def _separator(key: bytes, following: bytes) -> bytes:
    """Return a short key from `key` up to, not including, `following`."""
    at = _n_shared(key, following)
    if at < min(len(key), len(following)) and key[at] < 0xFF and key[at] + 1 < following[at]:  # noqa: PLR2004  (a byte)
        return key[:at] + bytes([key[at] + 1])
    return key


def _successor(key: bytes) -> bytes:
    """Return a short key that is `key` or after it."""
    at = next((at for at, byte in enumerate(key) if byte != 0xFF), None)  # noqa: PLR2004  (a byte)
    return key if at is None else key[:at] + bytes([key[at] + 1])


def varint(value: int) -> bytes:
    """Encode an unsigned number as protocol buffers do."""
    out = bytearray()
    while value >= 0x80:  # noqa: PLR2004  (the bit that says "more follows")
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def sized(message: bytes) -> bytes:
    """Return a message with its size before it."""
    return varint(len(message)) + message
