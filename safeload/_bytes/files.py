"""Refer to files, open them, and read at an offset."""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from safeload._bytes import system
from safeload.report import FileRead

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

    def prove(self) -> None:
        """Compare what was read, and the rest, with the checksum of the whole file; a file on disk has none.

        Raises:
            DamagedDataError: They differ.
            OSError: The system cannot read.
        """

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


class Source:
    """The place of a model's files: the disk; there are subclasses for archives, and for verified copies.

    Attributes:
        proof: What its own checksums prove of the files that are read; "" if it has none.
    """

    proof = ""

    def is_dir(self, path: str) -> bool:
        """Return whether a folder is at the path."""
        return os.path.isdir(path)

    def is_file(self, path: str) -> bool:
        """Return whether a regular file is at the path."""
        return os.path.isfile(path)

    def exists(self, path: str) -> bool:
        """Return whether anything is at the path, or at the end of its symbolic links."""
        return os.path.exists(path)

    def is_there(self, path: str) -> bool:
        """Return whether anything is at the path, even a broken symbolic link."""
        return os.path.lexists(path)

    def is_link(self, path: str) -> bool:
        """Return whether a symbolic link is at the path."""
        return os.path.islink(path)

    def mode(self, path: str) -> int:
        """Return the mode of what is at the path, as `os.stat` gives it.

        Raises:
            OSError: Nothing is there, or the system cannot look at it.
        """
        return os.stat(path).st_mode

    def may_read(self, path: str) -> bool:
        """Return whether this process may read the file."""
        return os.access(path, os.R_OK)

    def names_in(self, path: str) -> list[str]:
        """Return the names in a folder, in no order.

        Raises:
            OSError: The system cannot list the folder.
        """
        return os.listdir(path)

    def open(self, path: str) -> OpenFile:
        """Open a regular file for reading.

        Raises:
            NotRegularError: The path is now a FIFO or device.
            OSError: The system cannot open it.
        """
        return _open_regular(path)

    def look_at(self, path: str) -> OpenFile:
        """Open a regular file as it is now, even if a verified copy of it is read.

        Raises:
            OSError: As `open`.
        """
        return _open_regular(path)

    def prove(self, path: str) -> None:
        """Compare what was read of an open file with the checksum of the whole file, where the source has one.

        Raises:
            DamagedDataError: They differ.
            OSError: The system cannot read.
        """

    def access(self, path: str) -> Access:  # noqa: ARG002  (an archive looks)
        """Return how an open file is read fastest."""
        return "random"

    def below(self) -> Source:
        """Return what opens the files that the source itself is made of: itself, but for an archive's."""
        return self

    def on_disk(self, path: str) -> str:
        """Return the path of the file on disk that has the contents of a file."""
        return path

    def containers(self) -> list[FileRead]:
        """Return the report entries for the files that hold the others: none on disk.

        Raises:
            OSError: They are not there any more.
        """
        return []

    def holds(self, path: str) -> bool:  # noqa: ARG002  (a source of copies looks)
        """Return whether a verified copy of the file is read, whatever is at the path now."""
        return False

    def file_read(self, role: str, path: str) -> FileRead:
        """Return the report entry for a file.

        Raises:
            OSError: The file is not there any more.
        """
        real = os.path.realpath(path)
        n_bytes = os.stat(path).st_size
        return FileRead(role=role, path=path, n_bytes=n_bytes, real_path=real if real != path else None)


def _open_regular(path: str) -> OpenFile:
    file = open(path, "rb", buffering=0, opener=system.open_without_waiting)  # noqa: SIM115  (OpenFile closes it)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotRegularError(errno.EINVAL, "no longer a regular file", path)
    return OpenFile(file, path)


DISK = Source()


class FileRef(NamedTuple):
    """A reference to a file, before it is opened.

    Attributes:
        path: The resolved path.
        role: The file's role in the model: "config", "vocab", "index", "shard", "weight", ...
        given: The argument as the caller passed it.
        source: What opens the file.
    """

    path: str
    role: str
    given: object = None
    source: Source = DISK

    @property
    def facts(self) -> dict[str, Any]:
        """Arguments for an error about this file."""
        return {"resolved": self.path, "given": self.given, "label": self.role}

    def at(self, path: str, role: str | None = None) -> FileRef:
        """Return a reference to another file that belongs to the same argument."""
        return self._replace(path=path, role=role or self.role)

    def inside(self, name: str, role: str | None = None) -> FileRef:
        """Return a reference to a file in this folder."""
        return self.at(os.path.join(self.path, name), role)

    def folder(self) -> FileRef:
        """Return a reference to the folder of this file."""
        return self.at(os.path.dirname(self.path))

    def is_dir(self) -> bool:
        """Return whether it is a folder."""
        return self.source.is_dir(self.path)

    def is_file(self) -> bool:
        """Return whether it is a regular file."""
        return self.source.is_file(self.path)
