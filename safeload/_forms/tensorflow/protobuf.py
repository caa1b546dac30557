"""Decode the protocol buffer messages of an index file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._forms.tensorflow.sstable import varint

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_RANK = 254
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value): an int for varints and fixed-width numbers, bytes for the rest.

    Raises:
        ValueError: The message is damaged, or uses the group encoding, which proto3 does not have.
    """
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            message = "a field has the number 0"
            raise ValueError(message)
        if wire == _VARINT:
            value, at = varint(data, at)
            yield number, value & 0xFFFFFFFFFFFFFFFF
            continue
        if wire == _BYTES:
            size, at = varint(data, at)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            message = f"wire type {wire}"
            raise ValueError(message)
        if at + size > len(data):
            message = "a field runs past the end"
            raise ValueError(message)
        chunk = data[at : at + size]
        at += size
        yield number, chunk if wire == _BYTES else int.from_bytes(chunk, "little")


def signed(value: int | bytes) -> int:
    """Return a varint as int64; raises ValueError for bytes."""
    if isinstance(value, bytes):
        message = "expected a number"
        raise ValueError(message)  # noqa: TRY004  (a damaged message, not a caller's mistake)
    return value - (1 << 64) if value >> 63 else value


def message_bytes(value: int | bytes) -> bytes:
    """Return the bytes of a nested message; raises ValueError for a number."""
    if isinstance(value, int):
        message = "expected a message"
        raise ValueError(message)  # noqa: TRY004  (a damaged message, not a caller's mistake)
    return value


def read_shape(data: bytes) -> tuple[int, ...]:
    """Return the dimensions of a TensorShapeProto.

    Raises:
        ValueError: The message is damaged, or the shape is impossible.
    """
    sizes: list[int] = []
    for number, field in read_fields(data):
        if number == 2:  # noqa: PLR2004  (TensorShapeProto.dim)
            dim = dict(read_fields(message_bytes(field)))
            sizes.append(signed(dim.get(1, 0)))
            if len(sizes) > MAX_RANK or sizes[-1] < 0:
                message = "an impossible shape"
                raise ValueError(message)
    return tuple(sizes)


def read_slice(data: bytes) -> tuple[tuple[int, int], ...]:
    """Return (first index, length) in each dimension of a TensorSliceProto; length -1 is "all".

    Raises:
        ValueError: The message is damaged.
    """
    extents: list[tuple[int, int]] = []
    for number, field in read_fields(data):
        if number == 1:
            extent = dict(read_fields(message_bytes(field)))
            extents.append((signed(extent.get(1, 0)), signed(extent[2]) if 2 in extent else -1))  # noqa: PLR2004
            if len(extents) > MAX_RANK:
                message = "an impossible slice"
                raise ValueError(message)
    return tuple(extents)
