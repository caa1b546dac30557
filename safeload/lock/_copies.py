"""Open a model's locked files as private copies.

Each locked file is copied into memory while it is hashed, and only the copy is read, so that replacing or writing to the
file between check and load has no effect.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from io import FileIO
from typing import TYPE_CHECKING, Any

from safeload._bytes import system
from safeload._bytes.absent import MAX_NAMES_PRINTED
from safeload._bytes.files import DISK, OpenFile, Source
from safeload._bytes.kinds import sniff
from safeload._bytes.paths import resolve_path
from safeload._text.words import first_few, some_of, two_lines
from safeload.errors import LockError
from safeload.lock import LOCK_NAME, Lock, LockedFile, hash_of, read_lock, write_again

if TYPE_CHECKING:
    from safeload.report import FileRead

UNLOCKED: Any = object()
"""Passed as `lock_file`, ignores an existing lock. Only for the command that writes locks."""


class LockedSource(Source):
    """The verified copies of a model's locked files."""

    def __init__(self, lock: Lock) -> None:
        """Copy and hash every file of the lock.

        Raises:
            LockError: Files are missing or have another size or SHA-256; names all of them.
        """
        self.lock = lock
        self._copies: dict[tuple[str, str], tuple[LockedFile, FileIO]] = {}
        rows = {}
        with ExitStack() as opened:
            for file in lock.files:
                path = lock.path_of(file.name)
                copy = opened.enter_context(system.private_file(file.name))
                self._copies[_key(path)] = (file, copy)
                if difference := _difference(path, file, copy):
                    rows[file.name] = difference
            if rows:
                raise _lock_error(lock, rows)
            self._opened = opened.pop_all()

    def open(self, path: str) -> OpenFile:
        """Open the copy of a locked file.

        Raises:
            LockError: The file is not in the lock.
        """
        _, copy = self._copy_of(path)
        return OpenFile(FileIO(os.dup(copy.fileno()), "rb"), path, is_private=True)

    def file_read(self, role: str, path: str) -> FileRead:
        """Return the report entry for a locked file, with its SHA-256."""
        file, _ = self._copy_of(path)
        return replace(super().file_read(role, path), n_bytes=file.n_bytes, sha256=file.sha256)

    def close(self) -> None:
        """Release the copies."""
        self._opened.close()

    def _copy_of(self, path: str) -> tuple[LockedFile, FileIO]:
        found = self._copies.get(_key(path))
        if found is None:
            message = "a file that belongs to this model is not in its lock file"
            names = ", ".join(file.name for file in self.lock.files[:MAX_NAMES_PRINTED])
            hints = [
                f"if the file belongs there, {write_again(self.lock.path)}",
                "if not, load the files that are locked",
            ]
            context = [("lock", self.lock.path), ("locked", names)]
            raise LockError(
                message, files=[os.path.basename(path)], resolved=path, label="file", context=context, hints=hints
            )
        return found


def _key(path: str) -> tuple[str, str]:
    """Return the folder's real path and the file's name; symbolic links to the file itself are not followed."""
    folder, name = os.path.split(path)
    return os.path.realpath(folder), name


def _difference(path: str, file: LockedFile, copy: FileIO) -> tuple[str, str] | None:
    """Fill the copy, and return the kind of difference from the lock and a description; None if there is none."""
    if not os.path.isfile(path):
        return "NOT A FILE" if os.path.lexists(path) else "MISSING", f"in {os.path.dirname(path)}"
    changed = _change(path, file, copy)
    return ("CHANGED", changed) if changed else None


def _change(path: str, file: LockedFile, copy: FileIO) -> str:
    try:
        with DISK.open(path) as original:
            if original.n_bytes != file.n_bytes:
                kind = sniff(path)
                looks = f"; it is now: {kind.name}" if kind and kind.hint else ""
                return f"locked with {file.n_bytes:,} bytes, found {original.n_bytes:,}{looks}"
            sha256, n_bytes = hash_of(original, copy)
    except OSError as exc:
        return f"the system cannot read it: {exc.strerror}"
    if (sha256, n_bytes) != (file.sha256, file.n_bytes):
        return f"locked with SHA-256 {file.sha256[:16]}..., found {sha256[:16]}..."
    return ""


def _lock_error(lock: Lock, rows: dict[str, tuple[str, str]]) -> LockError:
    message = f"{some_of(len(rows), len(lock.files), 'locked file')} different from the lock"
    details = [two_lines(kind, name, what) for name, (kind, what) in rows.items()]
    hints = ["restore the model from where it was locked", f"if the change is intended, {write_again(lock.path)}"]
    return LockError(
        message,
        files=list(rows),
        resolved=lock.path,
        label="lock",
        details=first_few(details, "error.files"),
        hints=hints,
    )


def find_lock(lock_file: object, *, folder: str, base_dir: object) -> str | None:
    """Return the path of the lock file that applies, or None.

    Args:
        lock_file: The caller's argument: a lock file or its folder; None for the one in `folder`, if present.
        folder: The config's folder.
        base_dir: The base of a relative `lock_file`.

    Raises:
        InvalidPathError: `lock_file` is not a path.
    """
    if lock_file is UNLOCKED:
        return None
    if lock_file is None:
        path = os.path.join(folder, LOCK_NAME)
        return path if os.path.lexists(path) else None
    path = resolve_path(lock_file, argument="lock_file", base_dir=base_dir)
    return os.path.join(path, LOCK_NAME) if os.path.isdir(path) else path


def open_locked(path: str, *, given: object, model: str) -> LockedSource:
    """Copy and verify the files of a lock.

    Raises:
        LockError: A file does not match the lock, or the lock file is malformed or of another model.
        MissingFileError, WrongFileKindError, UnsafeFileError, UnreadableFileError: As `read_lock`.
    """
    lock = read_lock(path, given=given)
    if lock.model != model:
        message = f"the lock is for {lock.model}, but this model is {model}"
        raise LockError(message, resolved=path, given=given, label="lock", hints=["pass the lock of this model"])
    return LockedSource(lock)
