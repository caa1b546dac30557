"""Read an open file at an offset."""

from __future__ import annotations

import errno
import io
import os
from typing import TYPE_CHECKING, Any, Literal

from safeload._bytes import system

if TYPE_CHECKING:
    from io import FileIO

Access = Literal["random", "in order", "once"]
"""How a file is read fastest: anywhere, in threads each of which reads a part in order, or in one thread in order."""


class NotRegularError(OSError):
    """A path is no longer a regular file; internal to `_bytes`."""


class DamagedDataError(OSError):
    """What is stored at a path is damaged or changed; internal to `_bytes`."""

    def __init__(self, text: str) -> None:
        """Store what is wrong, to follow the name of the file."""
        super().__init__(errno.EBADMSG, text)


class RemoteError(OSError):
    """A server, or the network, failed; internal to `_bytes`."""

    def __init__(self, number: int, text: str, hint: str = "") -> None:
        """Store an error number, what happened, and what to do."""
        super().__init__(number, text)
        self.hint = hint


class ReplacedError(OSError):
    """An object is no longer the one that was looked at; internal to `_bytes`."""

    def __init__(self) -> None:
        """Give it the text that the system has for stale files."""
        super().__init__(errno.ESTALE, "the object was replaced or written to while it was being read")


class ChangedDataError(OSError):
    """The bytes of a file are no longer those that were hashed; internal to `_bytes`."""

    def __init__(self) -> None:
        """Give it the text that the system has for damaged data."""
        super().__init__(errno.EBADMSG, os.strerror(errno.EBADMSG))


class OpenFile:
    """An open file that several threads can read at any offset.

    Attributes:
        path: The path under which it was opened.
        n_bytes: Its size in bytes when it was opened.
        failure: The last error of the system while it was read, which a library that reads it may hide; None if none.
    """

    failure: OSError | None = None

    def __init__(self, file: FileIO, path: str) -> None:
        """Take ownership of an open file."""
        self.path = path
        self._file = file
        self._opened = os.fstat(file.fileno())
        self.n_bytes = self._opened.st_size

    def __enter__(self) -> OpenFile:  # noqa: PYI034  (Self is newer than Python 3.10)
        """Return the file, open."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the file."""
        self.close()

    def read_into(self, block: memoryview, offset: int) -> int:
        """Fill the block from an offset and return the number of bytes read, which is smaller at the end of the file.

        Raises:
            OSError: The system cannot read.
        """
        n_read = 0
        while n_read < len(block):
            try:
                got = system.read_at(self._file, block[n_read:], offset + n_read)
            except OSError as exc:
                self.failure = exc
                raise
            if not got:
                break
            n_read += got
        return n_read

    def read(self, n_bytes: int, offset: int = 0) -> bytes:
        """Return `n_bytes` from an offset, or fewer at the end of the file.

        A file that has more bytes than its reported size, as in `/proc`, yields one byte more than that size.

        Raises:
            OSError: The system cannot read.
        """
        block = bytearray(min(n_bytes, max(0, self.n_bytes - offset) + 1))
        n_read = self.read_into(memoryview(block), offset)
        return bytes(block[:n_read])

    def held(self, offset: int, n_bytes: int) -> memoryview | None:  # noqa: ARG002  (nothing of a disk's is)
        """Return bytes of the file that are in memory for as long as they are used, and may be written to; None if they are not."""
        return None

    def prove(self) -> None:
        """Compare what was read, and the rest, with the checksum of the whole file; a file on disk has none.

        Raises:
            DamagedDataError: They differ.
            OSError: The system cannot read.
        """

    def keep(self) -> None:
        """Expect reads at many places, in any order: what has to be inflated for them is kept in memory. Nothing on a disk is."""

    def forget(self, offset: int, n_bytes: int) -> None:
        """Expect no more reads of these bytes."""

    @property
    def access(self) -> Access:
        """How it is read fastest."""
        return "random"

    @property
    def identity(self) -> tuple[int, int, int, int]:
        """What identifies the file and its contents, as long as nobody sets its time."""
        return _identity(self._opened)

    def cursor(self) -> io.RawIOBase:
        """Return a file object with its own position, for libraries that expect one."""
        return _Cursor(self)

    def is_written_to(self) -> bool:
        """Return whether the file was written to since it was opened."""
        now = os.fstat(self._file.fileno())
        return (now.st_size, now.st_mtime_ns) != (self._opened.st_size, self._opened.st_mtime_ns)

    def is_replaced(self) -> bool:
        """Return whether the path now refers to another file, or the file was written to."""
        try:
            now = os.stat(self.path)
        except OSError:
            return True
        return _identity(now) != _identity(self._opened)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class _Cursor(io.RawIOBase):
    def __init__(self, file: OpenFile) -> None:
        self._open_file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._open_file.n_bytes}[whence]
        self._at = start + offset
        return self._at

    def readinto(self, block: Any) -> int:  # noqa: ANN401  (a buffer; typed in the standard library from 3.12 on)
        n_read = self._open_file.read_into(memoryview(block).cast("B"), self._at)
        self._at += n_read
        return n_read
