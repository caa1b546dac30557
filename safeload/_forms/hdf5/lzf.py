"""Decompress LZF, a filter of h5py, without overruns.

Source:
    LibLZF 3.6, lzf_d.c, as bundled with h5py.
"""

from __future__ import annotations

from safeload._forms.intact import require_intact

_FIRST_COPY = 32
_LONG_COPY = 7


def decompress(data: bytes, *, n_bytes: int) -> bytes:
    """Decompress to exactly `n_bytes`.

    Raises:
        ValueError: The data is damaged or has another size.
    """
    out = bytearray()
    at = 0
    try:
        while at < len(data) and len(out) <= n_bytes:
            control = data[at]
            at += 1
            if control < _FIRST_COPY:
                out += data[at : at + control + 1]
                at += control + 1
                continue
            length = control >> 5
            if length == _LONG_COPY:
                length += data[at]
                at += 1
            start = len(out) - ((control & 0x1F) << 8) - data[at] - 1
            at += 1
            require_intact(start >= 0)
            chunk = out[start : start + length + 2]
            out += (chunk * (length // len(chunk) + 2))[: length + 2]
    except IndexError:
        require_intact(holds=False)
    require_intact(at == len(data) and len(out) == n_bytes)
    return bytes(out)
