"""Keep inflated data in memory until it is not needed any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._bytes import system

if TYPE_CHECKING:
    from mmap import mmap

MAX_KEPT_BYTES = 4 << 30
"""The size of a compressed file that is kept in memory while it is read at many places; a larger one is inflated twice."""

_N_BLOCK_BYTES = 1 << 18


class Kept:
    """Data from an offset on, in blocks each of which the system takes back as soon as it is forgotten."""

    def __init__(self, start: int) -> None:
        """Begin at an offset."""
        self._start = self._end = start
        self._blocks: dict[int, mmap] = {}

    def add(self, data: bytes) -> None:
        """Keep what follows.

        Raises:
            MemoryError: The system has not that much.
        """
        at = 0
        while at < len(data):
            number, inner = divmod(self._end, _N_BLOCK_BYTES)
            if number not in self._blocks:
                self._blocks[number] = system.anonymous_memory(_N_BLOCK_BYTES)
            size = min(len(data) - at, _N_BLOCK_BYTES - inner)
            self._blocks[number][inner : inner + size] = data[at : at + size]
            at += size
            self._end += size

    def copy_into(self, block: memoryview, offset: int) -> int:
        """Fill the block from an offset on as far as the data is kept, and return the number of bytes."""
        n_copied = 0
        while n_copied < len(block) and self._start <= offset + n_copied < self._end:
            number, inner = divmod(offset + n_copied, _N_BLOCK_BYTES)
            kept = self._blocks.get(number)
            if kept is None:
                break
            size = min(len(block) - n_copied, _N_BLOCK_BYTES - inner, self._end - offset - n_copied)
            block[n_copied : n_copied + size] = memoryview(kept)[inner : inner + size]
            n_copied += size
        return n_copied

    def forget(self, offset: int, n_bytes: int) -> None:
        """Give back the blocks that are within these bytes."""
        first, last = -(-offset // _N_BLOCK_BYTES), (offset + n_bytes) // _N_BLOCK_BYTES
        for number in range(first, last):
            self._blocks.pop(number, None)
