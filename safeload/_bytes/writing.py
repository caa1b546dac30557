"""Write files atomically, one or several together."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from safeload._bytes import system
from safeload._bytes.absent import failed
from safeload._bytes.files import FileRef
from safeload.errors import SafeLoadError, UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
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


@contextmanager
def brought_to_disk(folder: Path) -> Iterator[None]:
    """Bring the files of a folder to the disk while the body runs, so that a loss of power leaves them whole.

    Raises:
        OSError: The system cannot write.
    """
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(_sync, folder)
        yield
        done.result()


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+", buffering=0) as file:
                os.fsync(file.fileno())


@contextmanager
def new_files(folder: Path, *, to_disk: bool = False) -> Iterator[Path]:
    """Yield a new folder whose files replace those of the same names in `folder` on success; a failure changes nothing.

    Files may lie in folders there. With `to_disk`, all are brought to the disk before the first is moved.

    Raises:
        MissingFileError: The folder does not exist.
        WrongFileKindError: It is a file, or a folder has the name of a file.
        UnreadableFileError: This process may not write there, or not to a file that would be replaced.
        FileSystemError: The system cannot write: the disk is full, ...
    """
    from tempfile import TemporaryDirectory  # noqa: PLC0415  (slow to import)

    try:
        with TemporaryDirectory(prefix=".safeload-", dir=folder) as name:
            yield Path(name)
            if to_disk:
                _sync(Path(name))
            new = [path.relative_to(name) for path in Path(name).rglob("*") if path.is_file()]
            new.sort(key=lambda path: path.suffix == ".index")  # the index of the others last
            for path in new:
                _require_replaceable(folder / path)
            _move_all(Path(name), new, folder)
    except SafeLoadError:
        raise
    except OSError as exc:
        target = None if exc.filename2 is None else os.fsdecode(exc.filename2)
        place = FileRef(path=target or str(folder), role="folder" if target is None else "model")
        raise failed(place, exc, "write") from exc


def _require_replaceable(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path), None, str(path))
    if path.exists() and not os.access(path, os.W_OK):  # read-only on purpose, as the files of `tiny_bert` are
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path), None, str(path))


def _move_all(source: Path, new: Sequence[Path], folder: Path) -> None:
    """Move the new files of `source` into the folder; if one cannot be moved, those before it are taken back."""
    moved: list[tuple[Path, Path, bool]] = []
    made: list[Path] = []
    try:
        for each in new:
            path, target = source / each, folder / each
            old = path.with_name(f"{path.name}.old")
            for above in reversed([each for each in target.parents if not each.exists()]):
                above.mkdir()
                made.append(above)
            is_there = os.path.lexists(target)
            if is_there:
                with suppress(OSError):  # a file system without hard links
                    system.link(target, old)
            moved.append((target, old, is_there))
            os.replace(path, target)
    except BaseException:
        for target, old, is_there in reversed(moved):
            with suppress(OSError):
                if os.path.lexists(old):
                    os.replace(old, target)
                elif not is_there:
                    os.unlink(target)
        for above in reversed(made):
            with suppress(OSError):
                above.rmdir()
        raise
