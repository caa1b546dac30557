"""Open a model's locked files as private copies.

Each locked file is copied into memory while it is hashed, and only the copy is read, so that replacing or writing to the
file between check and load has no effect.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from safeload._bytes import system
from safeload._bytes.absent import MAX_NAMES_PRINTED, failed
from safeload._bytes.archives.locating import archive_at
from safeload._bytes.files import DISK, FileRef, Source
from safeload._bytes.kinds import sniff
from safeload._bytes.open_file import OpenFile
from safeload._bytes.paths import resolve_path
from safeload._text.words import some_of, two_lines
from safeload.errors import LockError
from safeload.lock import LOCK_NAME, Lock, LockedFile, hash_of, read_lock, write_again
from safeload.report import FileRead

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import FileIO

UNLOCKED: Any = object()
"""Passed as `lock_file`, ignores an existing lock. Only for the command that writes locks."""


class CopiedFile(OpenFile):
    """A copy of a file, in a part of an open file that no other process can change."""

    def __init__(self, file: FileIO, path: str, start: int, n_bytes: int) -> None:
        """Use a part of an open file, which stays open."""
        super().__init__(file, path)
        self._start = start
        self.n_bytes = n_bytes

    def read_into(self, block: memoryview, offset: int) -> int:
        """Fill the block as `OpenFile` does, to the end of the copy."""
        return super().read_into(block[: max(0, self.n_bytes - offset)], self._start + offset)

    def is_written_to(self) -> bool:
        """Return False."""
        return False

    def is_replaced(self) -> bool:
        """Return False."""
        return False

    def close(self) -> None:
        """Leave the file open: it has other copies."""


class LockedSource(Source):
    """The verified copies of a model's locked files, in one private file.

    An archive is copied when it is opened: beside it may be those of other models.
    """

    def __init__(self, locks: Sequence[Lock], only: str | None = None) -> None:
        """Copy and hash every file of the locks but archives, or only the file at a path.

        Raises:
            LockError: Files are missing or have another size or SHA-256; names all of them.
            UnreadableFileError, FileSystemError: The system cannot read a file.
        """
        self.locks = tuple(locks)
        self._copies: dict[tuple[str, str], tuple[LockedFile, int]] = {}
        self._archives = {
            key_of(lock.path_of(file.name)): (lock, file)
            for lock in self.locks
            for file in lock.files
            if file.role == "archive"
        }
        with ExitStack() as opened:
            self._file = opened.enter_context(system.private_file())
            for lock in self.locks:
                self._copy_all(lock, only)
            self._opened = opened.pop_all()

    def _copy_all(self, lock: Lock, only: str | None) -> None:
        files = [file for file in lock.files if file.role != "archive"]
        if only is not None:
            files = [file for file in lock.files if key_of(lock.path_of(file.name)) == key_of(only)]
        self._copy(lock, files)

    def _copy(self, lock: Lock, files: Sequence[LockedFile]) -> None:
        rows = {}
        for file in files:
            path = lock.path_of(file.name)
            start = self._file.seek(0, os.SEEK_END)
            if difference := _difference(path, file, self._file):
                rows[file.name] = difference
            else:
                self._copies[key_of(path)] = (file, start)
        if rows:
            raise lock_error(lock, rows)

    def open(self, path: str) -> OpenFile:
        """Open the copy of a locked file.

        Raises:
            LockError: The file is not in a lock, or is an archive that differs from it.
        """
        file, start = self._copy_of(path)
        return CopiedFile(self._file, path, start, file.n_bytes)

    def holds(self, path: str) -> bool:
        """Return whether the file is in a lock."""
        return key_of(path) in self._copies or key_of(path) in self._archives

    def file_read(self, role: str, path: str) -> FileRead:
        """Return the report entry for a locked file, with its SHA-256."""
        file, _ = self._copy_of(path)
        real = os.path.realpath(path)
        real_path = real if real != path else None
        return FileRead(role=role, path=path, n_bytes=file.n_bytes, real_path=real_path, sha256=file.sha256)

    def close(self) -> None:
        """Release the copies."""
        self._opened.close()

    def _copy_of(self, path: str) -> tuple[LockedFile, int]:
        key = key_of(path)
        if key in self._archives and key not in self._copies:
            lock, file = self._archives[key]
            self._copy(lock, [file])
        found = self._copies.get(key)
        if found is None:
            raise not_locked(path, self.locks)
        return found


def not_locked(path: str, locks: Sequence[Lock]) -> LockError:
    """Return the error for a file that no lock lists."""
    message = "a file that belongs to this model is not in its lock file"
    hints = [
        f"if the file belongs there, {write_again(archive_at(path) or os.path.dirname(locks[0].path), locks[0].model)}",
        "if not, load the files that are locked",
    ]
    context = []
    for lock in locks:
        names = ", ".join(file.name for file in lock.files[:MAX_NAMES_PRINTED])
        context += [("lock", lock.path), ("locked", names)]
    return LockError(message, files=[os.path.basename(path)], resolved=path, label="file", context=context, hints=hints)


def key_of(path: str) -> tuple[str, str]:
    """Return the folder's real path and the file's name; symbolic links to the file itself are not followed."""
    folder, name = os.path.split(path)
    return os.path.realpath(folder), name


def _difference(path: str, file: LockedFile, copy: FileIO) -> tuple[str, str] | None:
    """Append the file to the copies, and return how it differs from the lock: a kind and a description."""
    lost = absence(path, file)
    if lost:
        return lost
    changed = _change(path, file, copy)
    return ("CHANGED", changed) if changed else None


def absence(path: str, file: LockedFile) -> tuple[str, str] | None:
    """Return why a locked file cannot be opened: a kind and a description; None if it is there.

    Raises:
        UnreadableFileError, FileSystemError: The system cannot look at it.
    """
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return "MISSING", f"in {os.path.dirname(path)}"
    except OSError as exc:
        raise failed(FileRef(path=path, role=file.role), exc) from exc
    return None if is_file else ("NOT A FILE", f"in {os.path.dirname(path)}")


def _change(path: str, file: LockedFile, copy: FileIO) -> str:
    try:
        with DISK.open(path) as original:
            if original.n_bytes != file.n_bytes:
                return resized(path, file, original.n_bytes)
            sha256, n_bytes = hash_of(original, copy)
    except OSError as exc:
        raise failed(FileRef(path=path, role=file.role), exc) from exc
    return "" if (sha256, n_bytes) == (file.sha256, file.n_bytes) else rehashed(file, sha256)


def resized(path: str, file: LockedFile, n_bytes: int) -> str:
    """Describe a file that has another size than the lock says."""
    kind = sniff(FileRef(path=path, role=file.role))
    looks = f"; it is now: {kind.name}" if kind and kind.hint else ""
    return f"locked with {file.n_bytes:,} bytes, found {n_bytes:,}{looks}"


def rehashed(file: LockedFile, sha256: str) -> str:
    """Describe a file that has another SHA-256 than the lock says."""
    return f"locked with SHA-256 {file.sha256[:16]}..., found {sha256[:16]}..."


def lock_error(lock: Lock, rows: dict[str, tuple[str, str]]) -> LockError:
    """Return the error for files that differ from the lock: name -> a kind and a description."""
    message = f"{some_of(len(rows), len(lock.files), 'locked file')} different from the lock"
    details = [two_lines(kind, name, what) for name, (kind, what) in rows.items()]
    hints = [
        "restore the model from where it was locked",
        f"if the change is intended, {write_again(_model_of(lock, list(rows)), lock.model)}",
    ]
    return LockError(
        message,
        files=list(rows),
        resolved=lock.path,
        label="lock",
        details=details,
        hints=hints,
    )


def _model_of(lock: Lock, names: Sequence[str]) -> str:
    """Return the path of the model with these locked files: an archive, or the lock's folder."""
    archives = [file.name for file in lock.files if file.role == "archive" and file.name in names]
    return lock.path_of(archives[0]) if archives else os.path.dirname(lock.path)


def find_locks(lock_file: object, *, folders: Sequence[str], base_dir: object) -> list[str]:
    """Return the paths of the lock files that apply.

    Args:
        lock_file: The caller's argument: a lock file or its folder; None for those in `folders`, if present.
        folders: The folders of the config and of the weights.
        base_dir: The base of a relative `lock_file`.

    Raises:
        InvalidPathError: `lock_file` is not a path.
        UnreadableFileError, FileSystemError: The system cannot tell whether a folder has a lock.
    """
    if lock_file is UNLOCKED:
        return []
    if lock_file is None:
        found = {os.path.realpath(folder): os.path.join(folder, LOCK_NAME) for folder in reversed(folders)}
        return [path for path in reversed(found.values()) if _is_there(path)]
    path = resolve_path(lock_file, argument="lock_file", base_dir=base_dir)
    return [os.path.join(path, LOCK_NAME) if os.path.isdir(path) else path]


def _is_there(path: str) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as exc:
        raise failed(FileRef(path=path, role="lock"), exc) from exc
    return True


def read_locks(paths: Sequence[str], *, given: object, model: str | None = None) -> list[Lock]:
    """Read the locks, and with `model`, require that they are of such a model.

    Raises:
        LockError: A lock file is malformed, or of another model.
        MissingFileError, WrongFileKindError, UnsafeFileError, UnreadableFileError: As `read_lock`.
    """
    locks = [read_lock(path, given=given) for path in paths]
    for lock in locks:
        if model not in (None, lock.model):
            message = f"the lock is for {lock.model}, but this model is {model}"
            hints = ["pass the lock of this model"]
            raise LockError(message, resolved=lock.path, given=given, label="lock", hints=hints)
    return locks


def open_locked(paths: Sequence[str], *, given: object, model: str, only: str | None = None) -> LockedSource:
    """Copy and verify the files of the locks, or only the one at the path `only`.

    Raises:
        LockError: A file does not match its lock, or a lock file is malformed or of another model.
        MissingFileError, WrongFileKindError, UnsafeFileError, UnreadableFileError: As `read_lock`.
    """
    return LockedSource(read_locks(paths, given=given, model=model), only)
