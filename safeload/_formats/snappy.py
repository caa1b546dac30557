"""Snappy's raw format, which TensorFlow 1.1 used inside index files: a decoder that cannot be made to overrun.

Source:
    google/snappy, format_description.txt.
"""

from __future__ import annotations

from safeload._formats.sound import require_sound
from safeload._formats.sstable import varint

_LONG_LITERAL = 60


def decompress(data: bytes, *, max_bytes: int) -> bytes:
    """Return the decompressed bytes.

    Raises:
        ValueError: The data is damaged, or would need more than `max_bytes`.
    """
    n_bytes, at = varint(data, 0, max_bytes=5)
    if n_bytes > max_bytes:
        message = f"it claims {n_bytes} bytes"
        raise ValueError(message)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            length = tag >> 2
            if length >= _LONG_LITERAL:
                n_more = length - _LONG_LITERAL + 1
                length = _number(data, at, n_more)
                at += n_more
            length += 1
            literal = data[at : at + length]
            require_sound(len(literal) == length)
            out += literal
            at += length
        else:
            n_more = (1, 2, 4)[(tag & 3) - 1]
            distance = _number(data, at, n_more)
            at += n_more
            length = (tag >> 2) + 1
            if tag & 3 == 1:
                distance |= (tag >> 5) << 8
                length = (tag >> 2 & 7) + 4
            require_sound(0 < distance <= len(out))
            start = len(out) - distance
            chunk = out[start : start + length]
            out += (chunk * (length // len(chunk) + 1))[:length]
        require_sound(len(out) <= n_bytes)
    require_sound(len(out) == n_bytes)
    return bytes(out)


def _number(data: bytes, at: int, n_bytes: int) -> int:
    require_sound(at + n_bytes <= len(data))
    return int.from_bytes(data[at : at + n_bytes], "little")
