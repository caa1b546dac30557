"""Open a model's locked or signed files as private copies.

Each file is copied into memory while it is hashed, and only the copy is read, so that replacing or writing to the file between
check and load has no effect.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from safeload._bytes import system
from safeload._bytes.absent import failed
from safeload._bytes.files import DISK, FileRef, real_path
from safeload._bytes.names import key_of
from safeload._bytes.open_file import OpenFile
from safeload.lock import Lock, LockedFile, hash_of
from safeload.lock._differences import absence, lock_error, not_locked, rehashed, resized
from safeload.lock._finding import read_locks
from safeload.lock._signed import resigned
from safeload.lock._signed_source import SignedSource
from safeload.report import FileRead

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import FileIO

    from safeload._bytes.files import Source
    from safeload._bytes.open_file import Access
    from safeload.lock._signed import Digest, Signed


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


class _Copy(NamedTuple):
    """Where the copy of a file is, and the digests of its bytes by algorithm."""

    start: int
    n_bytes: int
    digests: dict[str, str]


class LockedSource(SignedSource):
    """The verified copies of a model's locked and signed files, in one private file.

    What is only signed is copied when it is opened, and so is an archive: beside it may be those of other models.

    Attributes:
        locks: The locks that apply.
    """

    def __init__(
        self, locks: Sequence[Lock], only: str | None = None, signed: Signed | None = None, base: Source = DISK
    ) -> None:
        """Copy and hash every file of the locks but archives, or only the file at a path, with what opens them.

        Raises:
            LockError: Files are missing or have another size or SHA-256; names all of them.
            UnreadableFileError, FileSystemError: The system cannot read a file.
        """
        self.locks, self.signed, self.base = tuple(locks), signed, base
        self._learn_of_proofs()
        self._copies: dict[tuple[str, str], _Copy] = {}
        self._proven: set[tuple[tuple[str, str], str]] = set()
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
            if difference := self._difference(FileRef(path=path, role=file.role, source=self.base), file):
                rows[file.name] = difference
            else:
                self._copies[key_of(path)] = _Copy(start, file.n_bytes, {"sha256": file.sha256})
        if rows:
            raise lock_error(lock, rows)

    def open(self, path: str) -> OpenFile:
        """Open the copy of a file.

        Raises:
            LockError: The file is in no lock, or not covered by the signature, or differs from what these say.
        """
        copy = self._copy_of(path)
        return CopiedFile(self._file, path, copy.start, copy.n_bytes)

    def expect(self, paths: Sequence[str]) -> None:
        """Compare files with the signature, if there is one.

        Raises:
            LockError: The signature does not cover a file, or files are missing or differ; names all of them.
            UnreadableFileError, FileSystemError: The system cannot read a file.
        """
        if self.signed is None:
            return
        rows = {}
        for path in paths:
            wanted, name = self.signed.digest_of(path), self.signed.name_of(path)
            if (key_of(path), name) not in self._proven and (difference := self._difference_from(wanted, path)):
                rows[name] = difference
            self._proven.add((key_of(path), name))
        if rows:
            self._proven.clear()
            raise self.signed.differences(rows)

    def _difference_from(self, wanted: Digest, path: str) -> tuple[str, str] | None:
        """Return how a file, or its copy if there is one, differs from what was signed."""
        copy = self._copies.get(key_of(path))
        if copy is None:
            ref = FileRef(path=path, role="signed", source=self.base)
            if lost := absence(ref):
                return lost
            try:
                with self.base.open(path) as original:
                    if wanted.n_bytes in (None, original.n_bytes):
                        copy = self._copied(original, wanted.algorithm)
                    else:
                        return resigned(wanted, "", original.n_bytes)
            except OSError as exc:
                raise failed(ref, exc) from exc
            self._copies[key_of(path)] = copy
        elif wanted.algorithm not in copy.digests:
            held = CopiedFile(self._file, path, copy.start, copy.n_bytes)
            copy.digests[wanted.algorithm] = hash_of(held, algorithm=wanted.algorithm)[0]
        return resigned(wanted, copy.digests[wanted.algorithm], copy.n_bytes)

    def _copied(self, original: OpenFile, algorithm: str) -> _Copy:
        start = self._file.seek(0, os.SEEK_END)
        value, n_bytes = hash_of(original, self._file, algorithm=algorithm)
        return _Copy(start, n_bytes, {algorithm: value})

    def _difference(self, ref: FileRef, file: LockedFile) -> tuple[str, str] | None:
        """Append a file to the copies, and return how it differs from the lock: a kind and a description."""
        if lost := absence(ref):
            return lost
        try:
            with self.base.open(ref.path) as original:
                if original.n_bytes != file.n_bytes:
                    return "CHANGED", resized(ref, file, original.n_bytes)
                sha256, n_bytes = hash_of(original, self._file)
        except OSError as exc:
            raise failed(ref, exc) from exc
        is_same = (sha256, n_bytes) == (file.sha256, file.n_bytes)
        return None if is_same else ("CHANGED", rehashed(file, sha256))

    def access(self, path: str) -> Access:  # noqa: ARG002  (each is in memory)
        """Return how an open file is read fastest."""
        return "random"

    def holds(self, path: str) -> bool:
        """Return whether the file is in a lock, or without a lock, covered by the signature."""
        if not self.locks:
            return self._is_signed(path)
        return key_of(path) in self._copies or key_of(path) in self._archives

    def file_read(self, role: str, path: str) -> FileRead:
        """Return the report entry for a file, with its SHA-256 if that was computed."""
        copy = self._copy_of(path)
        real = real_path(path) if real_path(path) != path else None
        sha256 = copy.digests.get("sha256")
        return FileRead(role=role, path=path, n_bytes=copy.n_bytes, real_path=real, sha256=sha256)

    def close(self) -> None:
        """Release the copies."""
        self._opened.close()

    def _copy_of(self, path: str) -> _Copy:
        key = key_of(path)
        if key in self._archives and key not in self._copies:
            lock, file = self._archives[key]
            self._copy(lock, [file])
        if self.locks and key not in self._copies:
            raise not_locked(path, self.locks)
        self.expect([path])
        return self._copies[key]


def open_locked(
    refs: Sequence[FileRef],
    *,
    folder: str,
    model: str,
    base: Source,
    only: str | None = None,
    signed: Signed | None = None,
) -> LockedSource:
    """Copy and verify the files of the locks, or only the one at the path `only`; the others as they are opened.

    Raises:
        LockError: A file does not match its lock, or a lock file is malformed or of another model.
        MissingFileError, WrongFileKindError, UnsafeFileError, UnreadableFileError: As `read_lock`.
    """
    locks = read_locks(refs, folder=folder, model=model)
    return LockedSource(locks, only, signed, base)
