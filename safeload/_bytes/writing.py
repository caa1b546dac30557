"""Write files atomically."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from safeload._bytes import system
from safeload._bytes.absent import failed
from safeload._bytes.files import FileRef
from safeload.errors import SafeLoadError, UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO


class NewFile:
    """A file under a random name in the folder of the one that it will replace.

    Attributes:
        path: Its path.
    """

    def __init__(self, target: str) -> None:
        """Create the file, which only this user may read or write.

        Raises:
            OSError: The system cannot create it.
        """
        self.path = os.path.join(os.path.dirname(target), f".safeload-{secrets.token_hex(8)}.part")
        self._target = target
        self._file: FileIO = system.create_file(self.path)

    def write(self, data: bytes) -> None:
        """Append the data.

        Raises:
            OSError: The system cannot write it, or the disk is full.
        """
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]

    def replace(self) -> None:
        """Take the place, and the permissions, of the file that it replaces; a link there is replaced itself.

        Raises:
            OSError: The system cannot.
        """
        os.fsync(self._file.fileno())
        self._file.close()
        os.chmod(self.path, self._mode())
        os.replace(self.path, self._target)

    def close(self) -> None:
        """Close the file, and remove it unless it has replaced its target."""
        self._file.close()
        with suppress(OSError):
            os.unlink(self.path)

    def _mode(self) -> int:
        with suppress(OSError):
            old = os.lstat(self._target)
            if stat.S_ISREG(old.st_mode):
                return stat.S_IMODE(old.st_mode) & 0o777
        umask = os.umask(0o077)
        os.umask(umask)
        return 0o666 & ~umask


def _is_special(path: str) -> bool:
    if os.path.dirname(path) == os.path.dirname(os.devnull):
        return True  # such as /dev/stdout, a link to whatever file the output goes to
    with suppress(OSError):
        mode = os.stat(path).st_mode
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    return False


@contextmanager
def atomic_write(path: str, *, role: str) -> Iterator[NewFile]:
    """Yield a new file that replaces the one at `path` on success; a failure leaves that one as it is.

    Raises:
        MissingFileError: The folder does not exist.
        WrongFileKindError: There is a folder at the path.
        UnreadableFileError: This process may not write there.
        UnsafeFileError: A FIFO, socket or device is there, or a link to one.
        FileSystemError: The system cannot write: the disk is full, ...
    """
    target = os.path.abspath(path)
    ref = FileRef(path=target, role=role, given=path)
    if _is_special(target):
        message = f"the {role} path is not a regular file; FIFOs, sockets and devices are never replaced"
        raise UnsafeFileError(message, **ref.facts, hints=["give the path of a new file"])
    try:
        new = NewFile(target)
    except OSError as exc:
        raise failed(ref, exc, "write") from exc
    try:
        yield new
        new.replace()
    except SafeLoadError:
        raise
    except OSError as exc:
        raise failed(ref, exc, "write") from exc
    finally:
        new.close()
