"""Read at any offset of deflated data.

What is read for the first time is inflated in order, and its checksum computed. On the way the state of zlib is kept every few
megabytes, so that what is read again is inflated from there. Where that would be most of the file, the data is kept.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._bytes.archives.kept import MAX_KEPT_BYTES, Kept
from safeload._bytes.open_file import DamagedDataError
from safeload._bytes.zlib import zlib

if TYPE_CHECKING:
    from safeload._bytes.open_file import OpenFile

N_BETWEEN_STATES = 4 << 20
"""The inflated bytes between two states of zlib, each of which takes about 40 kB."""

N_IDLE = 8
"""The number of positions that are kept to read on from."""

N_INPUT_BYTES = 1 << 18
N_OUTPUT_BYTES = 1 << 20
RAW, GZIP = -15, 31
_GZIP_MAGIC = b"\x1f\x8b"


class Stored(NamedTuple):
    """Where deflated data is in a file: its offset and size, and `RAW` or `GZIP`."""

    start: int
    n_bytes: int
    wbits: int


class Position:
    """A position in deflated data, from which it can be inflated on.

    Attributes:
        n_in: The bytes that were read.
        n_out: The bytes that they were inflated to.
    """

    def __init__(self, stored: Stored, inflater: Any = None, n_in: int = 0, n_out: int = 0) -> None:  # noqa: ANN401
        """Begin at the start, or where another one is, whose state of zlib is a copy."""
        self.n_in, self.n_out = n_in, n_out
        self._stored = stored
        self._zlib = inflater or zlib.decompressobj(stored.wbits)
        self._has_next = False

    @property
    def is_at_end(self) -> bool:
        """Whether the data has ended."""
        return bool(self._zlib.eof) and not self._has_next

    @property
    def can_be_copied(self) -> bool:
        """Whether zlib can copy its state, which it cannot where data has ended."""
        return not self._zlib.eof

    def copy(self) -> Position:
        """Return a second position at the same place."""
        return Position(self._stored, self._zlib.copy(), self.n_in, self.n_out)

    def inflate(self, file: OpenFile, n_bytes: int) -> bytes:
        """Return the next bytes, at most `n_bytes`; none only at the end.

        Raises:
            DamagedDataError: The data ends early, or is not deflated.
            OSError: The system cannot read.
        """
        start, n_stored, wbits = self._stored
        while not self.is_at_end:
            if self._has_next:
                self._zlib, self._has_next = zlib.decompressobj(wbits), False
            data = file.read(min(N_INPUT_BYTES, n_stored - self.n_in), start + self.n_in)
            try:
                found: bytes = self._zlib.decompress(data, n_bytes)
            except zlib.error as exc:
                raise DamagedDataError(f"the compressed data is damaged: {exc}") from exc
            is_over = self._zlib.eof
            self.n_in += len(data) - len(self._zlib.unused_data if is_over else self._zlib.unconsumed_tail)
            self.n_out += len(found)
            if is_over and wbits == GZIP:
                self._has_next = file.read(2, start + self.n_in) == _GZIP_MAGIC
            if found:
                return found
            if not data and not is_over:
                raise DamagedDataError("the compressed data ends early")
        return b""


class Inflated:
    """Deflated data in a file.

    Attributes:
        is_complete: Whether all of it was inflated, and is what it must be.
    """

    def __init__(self, stored: Stored, *, n_bytes: int | None = None, crc: int | None = None) -> None:
        """Begin at the start; `n_bytes` and `crc` are what it must have, or None for gzip, where zlib checks them."""
        self._stored = stored
        self._crc, self._wanted_crc = 0, crc
        self._wanted = n_bytes
        self.is_complete = False
        self._first = Position(stored)
        self._states = [self._first.copy()]
        self._idle: list[Position] = []
        self._kept: Kept | None = None
        self._lock = threading.Lock()

    @property
    def n_bytes(self) -> int:
        """The size that it must have, or what was inflated so far."""
        return self._first.n_out if self._wanted is None else self._wanted

    def read_into(self, file: OpenFile, block: memoryview, offset: int) -> int:
        """Fill the block from an offset, and return the number of bytes.

        Raises:
            DamagedDataError, OSError: As `Position.inflate`; or it has another size or CRC-32 than it must have.
        """
        n_again = 0
        with self._lock:
            n_again = min(len(block), max(0, self._first.n_out - offset))
            n_new = 0
            if n_again < len(block) and not self.is_complete:
                self._skip(file, offset)
                n_new = self._fill_new(file, block[n_again:], offset + n_again)
        if n_again:
            self._fill_again(file, block[:n_again], offset)
        return n_again + n_new

    def advance(self, file: OpenFile, offset: int | None = None) -> None:
        """Inflate up to an offset, or to the end, what was not inflated yet.

        Raises:
            DamagedDataError, OSError: As `read_into`.
        """
        with self._lock:
            self._skip(file, offset)

    def keep(self) -> None:
        """Keep what is inflated from now on, if its size is known and not too large."""
        with self._lock:
            if self._kept is None and self._wanted is not None and self._wanted <= MAX_KEPT_BYTES:
                self._kept = Kept(self._first.n_out)

    def forget(self, offset: int, n_bytes: int) -> None:
        """Give back the memory of what was kept of these bytes; they can still be read."""
        if self._kept is not None:
            self._kept.forget(offset, n_bytes)

    def _skip(self, file: OpenFile, offset: int | None) -> None:
        while not self.is_complete and (offset is None or self._first.n_out < offset):
            self._next(file, N_OUTPUT_BYTES if offset is None else min(N_OUTPUT_BYTES, offset - self._first.n_out))

    def _fill_new(self, file: OpenFile, block: memoryview, offset: int) -> int:
        n_read = 0
        while n_read < len(block) and not self.is_complete and self._first.n_out == offset + n_read:
            found = self._next(file, len(block) - n_read)
            block[n_read : n_read + len(found)] = found
            n_read += len(found)
        return n_read

    def _next(self, file: OpenFile, n_bytes: int) -> bytes:
        first, wanted = self._first, self._wanted
        found = first.inflate(file, n_bytes)
        if self._wanted_crc is not None:
            self._crc = zlib.crc32(found, self._crc)
        if self._kept is not None:
            self._kept.add(found)
        is_longer = wanted is not None and (
            first.n_out > wanted or (first.n_out == wanted and not first.is_at_end and bool(first.inflate(file, 1)))
        )
        if is_longer:
            raise DamagedDataError(f"it unpacks to more than the {wanted:,} bytes that it should have")
        if first.is_at_end:
            self._require_whole()
        elif first.n_out - self._states[-1].n_out >= N_BETWEEN_STATES and first.can_be_copied:
            self._states.append(first.copy())
        return found

    def _require_whole(self) -> None:
        if self._wanted is not None and self._first.n_out != self._wanted:
            raise DamagedDataError(f"it unpacks to {self._first.n_out:,} bytes, not {self._wanted:,}")
        if self._wanted_crc not in (None, self._crc):
            raise DamagedDataError(f"its CRC-32 is {self._crc:08x}, not {self._wanted_crc:08x}")
        if self._wanted is not None and self._first.n_in != self._stored.n_bytes:
            raise DamagedDataError("the compressed data ends before it should")
        self.is_complete = True

    def _fill_again(self, file: OpenFile, block: memoryview, offset: int) -> None:
        n_read = self._kept.copy_into(block, offset) if self._kept is not None else 0
        if n_read == len(block):
            return
        position = self._nearest(offset + n_read)
        while position.n_out < offset + n_read:
            position.inflate(file, min(N_OUTPUT_BYTES, offset + n_read - position.n_out))
        while n_read < len(block):
            found = position.inflate(file, len(block) - n_read)
            if not found:
                raise DamagedDataError("the compressed data changed while it was being read")
            block[n_read : n_read + len(found)] = found
            n_read += len(found)
        with self._lock:
            self._idle = [*self._idle, position][-N_IDLE:]

    def _nearest(self, offset: int) -> Position:
        """Take an idle position, or copy a kept state: whichever is the last one before the offset."""
        with self._lock:
            state = max((each for each in self._states if each.n_out <= offset), key=lambda each: each.n_out)
            idle = max(
                (each for each in self._idle if state.n_out <= each.n_out <= offset),
                key=lambda each: each.n_out,
                default=None,
            )
            if idle is None:
                return state.copy()
            self._idle.remove(idle)
            return idle
