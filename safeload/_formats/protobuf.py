"""Protocol buffer messages, field by field: enough for the three messages that an index file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._formats.sstable import varint

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield each field's number with its value: an int for varints and fixed numbers, bytes for the rest.

    Raises:
        ValueError: The message is damaged, or uses the group encoding that proto3 has not.
    """
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
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
        if number == 0 or at + size > len(data):
            message = "a field runs past the end"
            raise ValueError(message)
        chunk = data[at : at + size]
        at += size
        yield number, chunk if wire == _BYTES else int.from_bytes(chunk, "little")


def signed(value: int | bytes) -> int:
    """Return a varint as the int64 that it stands for."""
    if isinstance(value, bytes):
        message = "expected a number"
        raise ValueError(message)  # noqa: TRY004  (a damaged message, not a caller's mistake)
    return value - (1 << 64) if value >> 63 else value


def message_bytes(value: int | bytes) -> bytes:
    """Return a nested message's bytes."""
    if isinstance(value, int):
        message = "expected a message"
        raise ValueError(message)  # noqa: TRY004  (a damaged message, not a caller's mistake)
    return value
