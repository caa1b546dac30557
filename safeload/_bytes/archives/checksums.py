"""Compute the CRC-32 of a file from those of its parts, which may be read in any order."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
"""The polynomial 1: CRC-32 keeps the coefficient of the highest power in the lowest bit."""

N_BLOCK_BYTES = 1 << 20


class PartsCrc:
    """The CRC-32s of the parts of a file that were read."""

    def __init__(self) -> None:
        """Start without parts."""
        self._parts: dict[int, tuple[int, int]] = {}
        self.is_contradictory = False

    def add(self, offset: int, block: memoryview) -> None:
        """Add a part; one that was read before must have the same bytes."""
        part = len(block), zlib.crc32(block)
        known = self._parts.setdefault(offset, part)
        if known[0] == part[0]:
            self.is_contradictory |= known != part
        elif known[0] < part[0]:
            self._parts[offset] = part

    def whole(self, n_bytes: int, read_into: Callable[[memoryview, int], int]) -> int:
        """Return the CRC-32 of the whole file, and read what was not read yet.

        Raises:
            OSError: As `read_into`.
        """
        crc = at = 0
        scratch = memoryview(bytearray(min(n_bytes, N_BLOCK_BYTES)))
        starts = sorted(self._parts, reverse=True)
        while at < n_bytes:
            while starts and starts[-1] < at:
                starts.pop()
            if starts and starts[-1] == at:
                n_part, of_part = self._parts[starts.pop()]
            else:
                gap = scratch[: min(len(scratch), (starts[-1] if starts else n_bytes) - at)]
                n_part = read_into(gap, at)
                of_part = zlib.crc32(gap[:n_part])
            if not n_part:
                break
            crc, at = combined(crc, of_part, n_part), at + n_part
        return crc


def combined(first: int, second: int, n_second: int) -> int:
    """Return the CRC-32 of two parts, the second of which has `n_second` bytes."""
    return _product(_power_of_x(8 * n_second), first) ^ second


@lru_cache(maxsize=256)
def _power_of_x(exponent: int) -> int:
    """Return x to a power, modulo the polynomial."""
    power, square = _ONE, _ONE >> 1
    while exponent:
        if exponent & 1:
            power = _product(power, square)
        square = _product(square, square)
        exponent >>= 1
    return power


def _product(one: int, other: int) -> int:
    """Multiply two polynomials over GF(2), modulo the polynomial of CRC-32."""
    product = 0
    for bit in range(31, -1, -1):
        if one >> bit & 1:
            product ^= other
        other = other >> 1 ^ (_POLYNOMIAL if other & 1 else 0)
    return product
