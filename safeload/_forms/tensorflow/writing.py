"""Write V2 checkpoints without TensorFlow, byte for byte as its SaveV2 and MergeV2Checkpoints do.

Source:
    tensorflow/core/util/tensor_bundle/tensor_bundle.cc, BundleWriter and MergeBundles; tensorflow/core/lib/io/
    table_builder.cc and block_builder.cc; TensorFlow 2.15 and 2.21.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from safeload._bytes import system
from safeload._bytes.crc import crc32c
from safeload._forms.raw import bytes_of, write_all
from safeload._forms.tensorflow.index_file import DTYPE_NUMBERS, STRING
from safeload._forms.tensorflow.sstable import MAGIC, N_FOOTER_BYTES, mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

N_BLOCK_BYTES = 256 << 10
RESTART_EVERY = 16
PRODUCER = 1


def write_shards(prefix: Path, shards: Sequence[Iterable[tuple[str, NDArray[Any]]]], sizes: Sequence[int] = ()) -> None:
    """Write the data shards of a checkpoint, each from its tensors one after the other, and then the index file.

    `sizes` are the numbers of their bytes, where they are known.

    Raises:
        OSError: The system cannot write.
    """
    entries = {b"": _header(len(shards))}
    for number, tensors in enumerate(shards):
        at = 0
        with Path(f"{prefix}.data-{number:05d}-of-{len(shards):05d}").open("wb", buffering=0) as file:
            system.reserve(file, sum(sizes[number : number + 1]))
            for name, values in tensors:
                data, crc = _payload(values)
                write_all(file, data)
                entries[name.encode()] = _entry(values, number, at, len(data), crc)
                at += len(data)
    Path(f"{prefix}.index").write_bytes(table_of(entries))


def _payload(values: NDArray[Any]) -> tuple[memoryview, int]:
    """Return the bytes of a tensor and their CRC32C, which covers the lengths of strings as fixed32."""
    if values.dtype != object:
        data = bytes_of(values)
        return data, crc32c(data)
    strings = [bytes(value) for value in values.reshape(-1)]
    lengths = b"".join(varint(len(value)) for value in strings)
    crc = crc32c(b"".join(len(value).to_bytes(4, "little") for value in strings))
    stored = mask(crc).to_bytes(4, "little")
    text = b"".join(strings)
    return memoryview(lengths + stored + text), crc32c(stored + text, crc)


def _header(shards: int) -> bytes:
    return b"\x08" + varint(shards) + b"\x1a" + sized(b"\x08" + varint(PRODUCER))


def _entry(values: NDArray[Any], shard: int, offset: int, n_bytes: int, crc: int) -> bytes:
    name = STRING if values.dtype == object else values.dtype.name
    sizes = b"".join(b"\x12" + sized(b"\x08" + varint(size) if size else b"") for size in values.shape)
    fields = [(1, DTYPE_NUMBERS[name]), (3, shard), (4, offset), (5, n_bytes)]
    dtype, *places = [bytes([number << 3]) + varint(value) if value else b"" for number, value in fields]
    return dtype + b"\x12" + sized(sizes) + b"".join(places) + b"\x35" + mask(crc).to_bytes(4, "little")


def table_of(entries: Mapping[bytes, bytes]) -> bytes:
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
    data += block + mask(crc32c(bytes(block))).to_bytes(4, "little")
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
