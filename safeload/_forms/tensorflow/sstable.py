"""Read the sorted string table of an index file: blocks of key-value pairs, each with a CRC.

Source:
    tensorflow/core/lib/io/{format,block,table}.cc, TensorFlow 2.15 and 2.21: what `Table::Open` and its iterators accept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._bytes.crc import crc32c

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = bytes.fromhex("57fb808b247547db")
N_FOOTER_BYTES = 48
N_TRAILER_BYTES = 5
MAX_TABLE_BYTES = 32 << 20
SNAPPY = 1
_MASK_DELTA = 0xA282EAD8
_U32 = 0xFFFFFFFF
_ESCAPED = {0x00: b"\x00\xff", 0xFF: b"\xff\x00"}


class TableError(Exception):
    """The table is damaged.

    Attributes:
        offset: The byte offset at which the damage was detected.
    """

    def __init__(self, message: str, offset: int) -> None:
        """Store the offset."""
        super().__init__(message)
        self.offset = offset


class CompressedTableError(TableError):
    """A block is compressed with Snappy; only TensorFlow 1.1, which is older than BERT, wrote such index files."""


class TableTooLargeError(TableError):
    """The table unpacks to more than `MAX_TABLE_BYTES`, which is possible because keys share prefixes."""


def unmask(masked: int) -> int:
    """Return the CRC32C for its masked form, which is stored because a CRC of CRCs is weak."""
    rotated = (masked - _MASK_DELTA) & _U32
    return ((rotated >> 17) | (rotated << 15)) & _U32


def mask(crc: int) -> int:
    """Return the masked form of a CRC32C."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & _U32


def varint(data: bytes | memoryview, at: int, *, max_bytes: int = 10) -> tuple[int, int]:
    """Return the variable-length integer at `at` and its end.

    Raises:
        ValueError: It runs past the end or is longer than `max_bytes`.
    """
    if at < len(data) and data[at] < 0x80:  # noqa: PLR2004  (the continuation bit; most have one byte)
        return data[at], at + 1
    value = 0
    for position in range(at, min(at + max_bytes, len(data))):
        byte = data[position]
        value |= (byte & 0x7F) << 7 * (position - at)
        if byte < 0x80:  # noqa: PLR2004
            return value, position + 1
    message = "a variable-length integer does not end"
    raise ValueError(message)


def read_table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of the table in order.

    Args:
        data: The whole file.

    Raises:
        TableError: The footer, a block's position, CRC or compression, or an entry is damaged, or keys are not ascending.
        CompressedTableError: A block is compressed.
        TableTooLargeError: It unpacks to more than `MAX_TABLE_BYTES`.
    """
    budget = _Budget()
    start, size = _index_handle(data)
    end, previous = 0, None
    for _, handle in _entries(_block(data, start, size), start, budget):
        offset, size, _ = _handle(handle, start)
        if offset < end:
            message = "a block begins before the end of the one that precedes it"
            raise TableError(message, offset)
        end = offset + size + N_TRAILER_BYTES
        for key, value in _entries(_block(data, offset, size), offset, budget):
            if previous is not None and key <= previous:
                message = "the keys do not ascend"
                raise TableError(message, offset)
            previous = key
            yield key, value


class _Budget:
    """The rest of `MAX_TABLE_BYTES` that may still be unpacked."""

    def __init__(self) -> None:
        self.n_bytes = MAX_TABLE_BYTES

    def take(self, n_bytes: int, place: int) -> None:
        self.n_bytes -= n_bytes
        if self.n_bytes < 0:
            message = f"it unpacks to more than {MAX_TABLE_BYTES:,} bytes"
            raise TableTooLargeError(message, place)


def _index_handle(data: bytes) -> tuple[int, int]:
    start = len(data) - N_FOOTER_BYTES
    if start < 0:
        message = f"{len(data)} bytes are too few for an index file, whose footer alone has {N_FOOTER_BYTES}"
        raise TableError(message, 0)
    if data[-8:] != MAGIC:
        message = "it does not end like an index file: it is truncated, or another kind of file"
        raise TableError(message, len(data) - 8)
    footer = data[start:-8]
    _, _, end = _handle(footer, start)
    offset, size, _ = _handle(footer[end:], start)
    return offset, size


def _handle(data: bytes, place: int) -> tuple[int, int, int]:
    try:
        offset, at = varint(data, 0)
        size, at = varint(data, at)
    except ValueError as exc:
        message = "the offset or size of a block cannot be read"
        raise TableError(message, place) from exc
    return offset, size, at


def _block(data: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end + N_TRAILER_BYTES > len(data) - N_FOOTER_BYTES:
        message = f"a block of {size} bytes runs past the end of the file"
        raise TableError(message, offset)
    stored = int.from_bytes(data[end + 1 : end + N_TRAILER_BYTES], "little")
    if unmask(stored) != crc32c(memoryview(data)[offset : end + 1]):
        message = f"the checksum of a block of {size} bytes does not match"
        raise TableError(message, offset)
    if data[end] == 0:
        return data[offset:end]
    if data[end] == SNAPPY:
        message = "a block is compressed with Snappy, as TensorFlow 1.1 wrote index files"
        raise CompressedTableError(message, end)
    message = f"a block has the unknown compression {data[end]}"
    raise TableError(message, end)


def _entries(block: bytes, place: int, budget: _Budget) -> Iterator[tuple[bytes, bytes]]:
    budget.take(len(block), place)
    n_restarts = int.from_bytes(block[-4:], "little")
    limit = len(block) - 4 * (n_restarts + 1)
    if limit < 0:
        message = "a block is too short for its restart points"
        raise TableError(message, place)
    at, key = 0, b""
    while at < limit:
        try:
            n_shared, at = varint(block, at, max_bytes=5)
            n_own, at = varint(block, at, max_bytes=5)
            n_value, at = varint(block, at, max_bytes=5)
        except ValueError as exc:
            message = "the lengths of an entry cannot be read"
            raise TableError(message, place) from exc
        if n_shared > len(key) or at + n_own + n_value > limit:
            message = "an entry is longer than its block"
            raise TableError(message, place)
        budget.take(n_shared + n_own, place)
        key = key[:n_shared] + block[at : at + n_own]
        at += n_own + n_value
        yield key, block[at - n_value : at]


def part_key(name: bytes, extents: tuple[tuple[int, int], ...]) -> bytes:
    """Return the key of a part of a partitioned variable, in TensorFlow's order-preserving encoding.

    Args:
        name: The variable's key.
        extents: (first index, length) in each dimension; length -1 is "all".
    """
    escaped = b"".join(_ESCAPED.get(byte, bytes([byte])) for byte in name)
    numbers = b"".join(_ordered(start) + _ordered(length) for start, length in extents)
    return b"\x00" + escaped + b"\x00\x01" + _ordered_unsigned(len(extents)) + numbers


def _ordered_unsigned(value: int) -> bytes:
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


def _ordered(value: int) -> bytes:
    """Encode a signed number; the count of leading bits equal to the inverted sign is the size in bytes."""
    magnitude = ~value if value < 0 else value
    size = magnitude.bit_length() // 7 + 1
    header = ((1 << size) - 1) << 7 * size
    return ((value & ((1 << 8 * size) - 1)) ^ header).to_bytes(size, "big")
