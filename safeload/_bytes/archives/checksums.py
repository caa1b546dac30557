"""Compute the CRC-32 of a file from those of its parts, which may be read in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._bytes.zlib import crc32, crc32_combine

if TYPE_CHECKING:
    from collections.abc import Callable

N_BLOCK_BYTES = 1 << 20


class PartsCrc:
    """The CRC-32s of the parts of a file that were read."""

    def __init__(self) -> None:
        """Start without parts."""
        self._parts: dict[int, tuple[int, int]] = {}
        self.is_contradictory = False

    def add(self, offset: int, block: memoryview) -> None:
        """Add a part; one that was read before must have the same bytes."""
        part = len(block), crc32(block)
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
        for start, n_part, of_part in [*self._apart(), (n_bytes, 0, 0)]:
            while at < start:
                gap = scratch[: min(len(scratch), start - at)]
                n_gap = read_into(gap, at)
                if not n_gap:
                    return crc
                crc, at = crc32_combine(crc, crc32(gap[:n_gap]), n_gap), at + n_gap
            crc, at = crc32_combine(crc, of_part, n_part), at + n_part
        return crc

    def _apart(self) -> list[tuple[int, int, int]]:
        """Return (offset, size, CRC-32) of parts that do not overlap.

        Of two that do, the larger one: what is read of the places before a tensor often reaches into it.
        """
        apart: list[tuple[int, int, int]] = []
        for start, (n_part, of_part) in sorted(self._parts.items()):
            while apart and sum(apart[-1][:2]) > start and apart[-1][1] < n_part:
                apart.pop()
            if not apart or sum(apart[-1][:2]) <= start:
                apart.append((start, n_part, of_part))
        return apart
