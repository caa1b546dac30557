"""A model's locked files, opened as private copies: what is read is what was hashed.

Each locked file is copied once into memory of its own, hashed on the way, and everything is read from that copy: a file
that is replaced or written to between the check and the load changes nothing.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from io import FileIO
from typing import TYPE_CHECKING, Any

from safeload import _files
from safeload._paths import resolve_path
from safeload.errors import LockError, counted, first_few
from safeload.lock import LOCK_NAME, Lock, LockedFile, hash_of, read_lock, write_again
from safeload.report import two_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from safeload.report import Clock, FileRead

UNLOCKED: Any = object()
"""As `lock_file`: read from the disk although there is a lock. For the command that writes locks, and no other."""


class LockedSource(_files.Source):
    """The verified copies of a model's locked files."""

    is_private = True

    def __init__(self, lock: Lock) -> None:
        """Copy and hash every file of the lock.

        Raises:
            LockError: A file is missing, or of another size or SHA-256; all of them are named.
        """
        self.lock = lock
        self._copies: dict[tuple[str, str], tuple[LockedFile, FileIO]] = {}
        self._opened = ExitStack()
        rows = {}
        with ExitStack() as opened:
            for file in lock.files:
                path = lock.path_of(file.name)
                copy = opened.enter_context(_memory(file.name))
                self._copies[_key(path)] = (file, copy)
                rows[file.name] = _difference(path, file, copy)
            if any(rows.values()):
                raise _differing(lock, {name: text for name, text in rows.items() if text})
            self._opened = opened.pop_all()

    def open(self, path: str) -> FileIO:
        """Open the copy of a locked file.

        Raises:
            LockError: The lock does not name the file.
        """
        _, copy = self._copy_of(path)
        opened = FileIO(os.dup(copy.fileno()), "rb")
        opened.seek(0)
        return opened

    def file_read(self, role: str, path: str) -> FileRead:
        """Return the report's row for a locked file, with its SHA-256."""
        file, _ = self._copy_of(path)
        return replace(super().file_read(role, path), n_bytes=file.n_bytes, sha256=file.sha256)

    def close(self) -> None:
        """Let the copies go."""
        self._opened.close()

    def _copy_of(self, path: str) -> tuple[LockedFile, FileIO]:
        found = self._copies.get(_key(path))
        if found is None:
            message = "a file that belongs to this model is not in its lock file"
            names = ", ".join(file.name for file in self.lock.files[: _files.MAX_NAMES_PRINTED])
            hints = [
                f"if the file is meant to be there, {write_again(self.lock.path)}",
                "if not, load the files that are locked",
            ]
            context = [("lock", self.lock.path), ("locked", names)]
            raise LockError(
                message, files=[os.path.basename(path)], resolved=path, label="file", context=context, hints=hints
            )
        return found


def _key(path: str) -> tuple[str, str]:
    """Tell files apart by the folder's real path and their own name: a symbolic link to a file is the file's name."""
    folder, name = os.path.split(path)
    return os.path.realpath(folder), name


def _difference(path: str, file: LockedFile, copy: FileIO) -> str:
    """Fill the copy and return how it differs from what was locked; "" for not at all."""
    if not os.path.isfile(path):
        return "NO FILE" if os.path.lexists(path) else "MISSING"
    try:
        with _files.DISK.open(path) as original:
            n_bytes = os.fstat(original.fileno()).st_size
            if n_bytes != file.n_bytes:
                kind = _files.sniff(path)
                looks = f"; it is now: {kind.name}" if kind and kind.hint else ""
                return f"locked with {file.n_bytes:,} bytes, found {n_bytes:,}{looks}"
            sha256, n_bytes = hash_of(original, copy)
    except OSError as exc:
        return f"the system cannot read it: {exc.strerror}"
    if (sha256, n_bytes) != (file.sha256, file.n_bytes):
        return f"locked with SHA-256 {file.sha256[:16]}..., found {sha256[:16]}..."
    return ""


def _memory(name: str) -> FileIO:
    """Return an empty file that no path leads to."""
    if hasattr(os, "memfd_create"):
        return FileIO(os.memfd_create(os.path.basename(name)[:80]), "r+b")
    import tempfile  # noqa: PLC0415  (slow to import, and needed where there is no memfd)

    return tempfile.TemporaryFile(buffering=0)


def _differing(lock: Lock, rows: dict[str, str]) -> LockError:
    are = "is" if len(rows) == 1 else "are"
    message = f"{len(rows)} of {counted(len(lock.files), 'locked file')} {are} not what was locked"
    details = [
        two_lines(difference, name, f"in {os.path.dirname(lock.path)}")
        if difference.isupper()
        else two_lines("CHANGED", name, difference)
        for name, difference in rows.items()
    ]
    hints = ["take the model from where it was locked", f"if the change is meant, {write_again(lock.path)}"]
    return LockError(
        message,
        files=list(rows),
        resolved=lock.path,
        label="lock",
        details=first_few(details, "error.files"),
        hints=hints,
    )


@contextmanager
def opened_source(
    lock_file: object, *, folder: str, base_dir: object, model: str, clock: Clock
) -> Iterator[_files.Source]:
    """Yield where a model's files are opened: verified copies where there is a lock, otherwise the disk.

    Args:
        lock_file: What the caller passed: a lock file or its folder; None for the one in `folder`, if it is there.
        folder: The config's folder.
        base_dir: Where a relative `lock_file` starts.
        model: "BERT" or "ELMo".
        clock: Where the time that a lock takes is kept.

    Raises:
        LockError: A file differs from what was locked, or the lock file cannot be used or is of another model.
        InvalidPathError, MissingFileError, WrongFileKindError, UnsafeFileError, UnreadableFileError: As `read_lock`.
    """
    path = os.path.join(folder, LOCK_NAME)
    if lock_file is UNLOCKED:
        yield _files.DISK
        return
    if lock_file is not None:
        path = resolve_path(lock_file, argument="lock_file", base_dir=base_dir)
        path = os.path.join(path, LOCK_NAME) if os.path.isdir(path) else path
    elif not os.path.lexists(path):
        yield _files.DISK
        return
    with clock.step("lock"):
        source = _verified(path, lock_file, model)
    try:
        yield source
    finally:
        source.close()


def _verified(path: str, given: object, model: str) -> LockedSource:
    lock = read_lock(path, given=given)
    if lock.model != model:
        message = f"the lock is of {lock.model}, and this model is {model}"
        raise LockError(message, resolved=path, given=given, label="lock", hints=["pass the lock of this model"])
    return LockedSource(lock)


def lock_rows(source: _files.Source) -> Iterable[FileRead]:
    """Return the report's row for the lock file, if there is one."""
    return [_files.DISK.file_read("lock", source.lock.path)] if isinstance(source, LockedSource) else []
