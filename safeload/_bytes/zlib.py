"""The package zlib-ng, which is several times as fast, or Python's own zlib where no wheel of it is installed.

Source:
    zlib.h and crc32.c, crc32_combine, zlib 1.3.
"""

from __future__ import annotations

from typing import Any

_POLYNOMIAL = 0xEDB88320
_ONE, _OF_A_BYTE = 1 << 31, 1 << 23
"""1 and x to the power of 8, whose lowest coefficient is the highest bit."""


def _times(one: int, other: int) -> int:
    """Return the product of two polynomials, modulo that of CRC-32."""
    product = 0
    for bit in range(31, -1, -1):
        product ^= other if one >> bit & 1 else 0
        other = other >> 1 ^ (_POLYNOMIAL if other & 1 else 0)
    return product


def own_crc32_combine(first: int, second: int, n_second: int) -> int:
    """Return the CRC-32 of data from those of its first part and of its second, of `n_second` bytes."""
    shifted, power = _ONE, _OF_A_BYTE
    while n_second:
        shifted = _times(power, shifted) if n_second & 1 else shifted
        power = _times(power, power)
        n_second >>= 1
    return _times(shifted, first) ^ second


zlib: Any  # zlib-ng's types lack copies and the error
try:
    from zlib_ng import zlib_ng as zlib
    from zlib_ng.zlib_ng import crc32, crc32_combine
except ImportError:
    import zlib
    from zlib import crc32

    crc32_combine = own_crc32_combine

__all__ = ["crc32", "crc32_combine", "zlib"]
