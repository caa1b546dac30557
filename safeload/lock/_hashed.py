"""Prove whole files while they are read: by locks, by a signature, and by the names of blobs in a Hugging Face cache.

Unlike `LockedSource`, this never copies a file: one of any size is read in blocks, or kept in the memory that its tensors use.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from safeload._bytes.absent import failed
from safeload._bytes.files import DISK, FileRef, real_path
from safeload._bytes.hashing import hashed
from safeload._bytes.hub import digest_of_blob
from safeload._bytes.kinds import sniff
from safeload._bytes.names import key_of
from safeload._forms.element_types import N_ITEM_BYTES
from safeload._text.words import counted, some_of, two_lines
from safeload.errors import CorruptFileError
from safeload.lock._differences import absence, lock_error, not_locked, rehashed, resized
from safeload.lock._signed import resigned
from safeload.lock._signed_source import SignedSource
from safeload.report import FileRead

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from safeload._bytes.files import Source
    from safeload._bytes.hashing import Hashed
    from safeload._bytes.open_file import OpenFile
    from safeload.lock import Lock, LockedFile
    from safeload.lock._signed import Signed

MAX_THREADS = 4
SHA256 = "sha256"
_ZIP, _N_LENGTH_BYTES = b"PK\3\4", 8


class _Listed(NamedTuple):
    """A file in a lock."""

    lock: Lock
    file: LockedFile


class HashedSource(SignedSource):
    """The disk, or a store; each file that a lock, a signature or the name of a blob proves is hashed when it is opened, or before.

    Attributes:
        locks: The locks that apply. With one, files that are in none are not opened.
        blobs: Path -> algorithm and digest, of the files that the names of blobs have proven.
    """

    def __init__(
        self, locks: Sequence[Lock], *, is_kept: bool, signed: Signed | None = None, base: Source = DISK
    ) -> None:
        """Hash every file of the locks but archives, of which there may be others beside the one that is read.

        Args:
            locks: The locks that apply.
            is_kept: Whether to keep files in memory whose tensors can be used there.
            signed: The signature. With one, files that it does not cover are not opened.
            base: What opens the files.

        Raises:
            LockError: Files are missing or have another size or SHA-256; names all of them.
            UnreadableFileError, FileSystemError: The system cannot read a file.
        """
        self.locks, self.signed, self.base = tuple(locks), signed, base
        self._learn_of_proofs()
        self.blobs: dict[str, tuple[str, str]] = {}
        self._is_kept = is_kept
        self._listed = {
            key_of(lock.path_of(file.name)): _Listed(lock, file) for lock in self.locks for file in lock.files
        }
        self._hashed: dict[tuple[str, ...], Hashed] = {}
        try:
            for lock in self.locks:
                self._prove_locked(lock, [file for file in lock.files if file.role != "archive"])
        except BaseException:
            self.close()
            raise

    def open(self, path: str) -> OpenFile:
        """Open a file.

        Raises:
            LockError: There are locks, and the file is in none, or is an archive that differs from its own; or the signature does not
                cover it, or it differs from what was signed.
            CorruptFileError: The bytes are not those that the name of the blob says.
            OSError: As `Source.open`.
        """
        self.expect([path])
        found = self._hashed.get(self._key(path))
        return found.file if found else self.base.open(path)

    def expect(self, paths: Sequence[str]) -> None:
        """Hash the files at once, in threads.

        Raises:
            LockError, CorruptFileError: As `open`.
            UnreadableFileError, FileSystemError: The system cannot read a file.
        """
        if self.signed is not None:
            for path in paths:
                self.signed.digest_of(path)  # which raises for a file that it does not cover
        new = [path for path in paths if self._key(path) not in self._hashed]
        listed = [self._listed.get(key_of(path)) for path in new]
        if self.locks and None in listed:
            raise not_locked(new[listed.index(None)], self.locks)
        for lock in self.locks:
            self._prove_locked(lock, [each.file for each in listed if each and each.lock is lock])
        left = [path for path in new if self._key(path) not in self._hashed]
        lost = {path: row for path in left if self.signed is not None and (row := self._lost(path, self.signed))}
        here = [path for path in left if path not in lost and (self.signed is not None or digest_of_blob(path))]
        self._prove_signed(dict(zip(here, self._hash(here), strict=True)), lost)

    def proof_of_blobs(self) -> str:
        """Return what the names of blobs prove of the files that were opened; "" if nothing."""
        return (
            f"the digests that are the names of {counted(len(self.blobs), 'blob')} in a Hugging Face cache"
            if self.blobs
            else ""
        )

    def holds(self, path: str) -> bool:
        """Return whether the file is in a lock, or without a lock, covered by the signature."""
        return key_of(path) in self._listed or (not self.locks and self._is_signed(path))

    def file_read(self, role: str, path: str) -> FileRead:
        """Return the report entry for a file, with the SHA-256 of a file that was proven by one."""
        found = self._hashed.get(self._key(path))
        if found is None:
            return self.base.file_read(role, path)
        real = real_path(path) if real_path(path) != path else None
        sha256 = found.digests.get(SHA256)
        return FileRead(role=role, path=path, n_bytes=found.file.n_bytes, real_path=real, sha256=sha256)

    def _key(self, path: str) -> tuple[str, ...]:
        """Return the key of a file; links can lead to it by several signed names, each of which is compared."""
        return (*key_of(path), self.signed.name_of(path) if self.signed is not None else "")

    def close(self) -> None:
        """Close the files; what their tensors use stays in memory."""
        for each in self._hashed.values():
            each.end()

    def _prove_locked(self, lock: Lock, files: Iterable[LockedFile]) -> None:
        rows, there = {}, {}
        for file in files:
            path = lock.path_of(file.name)
            ref = FileRef(path=path, role=file.role, source=self.base)
            if lost := absence(ref) or _resized(ref, file):
                rows[file.name] = lost
            else:
                there[path] = file
        found = dict(zip(there, self._hash(there, SHA256), strict=True))
        for path, file in there.items():
            if found[path].digests[SHA256] != file.sha256:
                rows[file.name] = ("CHANGED", rehashed(file, found[path].digests[SHA256]))
        if rows:
            raise lock_error(lock, rows)
        self._prove_signed(found, {})

    def _lost(self, path: str, signed: Signed) -> tuple[str, str] | None:
        """Return why a signed file need not be hashed: it is missing, or has another size."""
        wanted = signed.digest_of(path)
        if lost := absence(FileRef(path=path, role="signed", source=self.base)):
            return lost
        n_bytes = self.base.file_read("signed", path).n_bytes
        return None if wanted.n_bytes in (None, n_bytes) else resigned(wanted, "", n_bytes)

    def _prove_signed(self, found: dict[str, Hashed], lost: dict[str, tuple[str, str]]) -> None:
        """Compare digests with the signature, and then with the names of blobs.

        Raises:
            LockError: Files are missing, or differ from what was signed; names all files.
            CorruptFileError: As `_prove_blobs`.
        """
        if self.signed is not None:
            rows = {self.signed.name_of(path): row for path, row in lost.items()}
            for path, each in found.items():
                wanted = self.signed.files.get(self.signed.name_of(path))
                if wanted and (row := resigned(wanted, each.digests[wanted.algorithm], each.file.n_bytes)):
                    rows[self.signed.name_of(path)] = row
            if rows:
                raise self.signed.differences(rows)
        self._prove_blobs(found)

    def _prove_blobs(self, found: dict[str, Hashed]) -> None:
        """Compare digests with the names of blobs.

        Raises:
            CorruptFileError: They differ; names all files.
        """
        wanted = {path: blob for path in found if (blob := digest_of_blob(path))}
        wrong = {path: blob for path, blob in wanted.items() if found[path].digests[blob[0]] != blob[1]}
        if wrong:
            raise _damaged_blobs(wrong, found, len(wanted))
        self.blobs |= wanted

    def _hash(self, paths: Iterable[str], *algorithms: str) -> list[Hashed]:
        """Hash files in threads, with the algorithms of the signature and of their blobs too."""
        listed = list(paths)
        if not listed:
            return []
        with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1, len(listed))) as pool:
            return list(pool.map(partial(self._hash_one, algorithms=algorithms), listed))

    def _hash_one(self, path: str, algorithms: tuple[str, ...]) -> Hashed:
        ref, blob = FileRef(path=path, role="weight", source=self.base), digest_of_blob(path)
        signed = self.signed.files.get(self.signed.name_of(path)) if self.signed is not None else None
        wanted = {*algorithms, *([blob[0]] if blob else []), *([signed.algorithm] if signed else [])}
        try:
            kept = self._is_kept and _is_aligned(ref)
            found = hashed(self.base.open(path), wanted, is_kept=kept, is_read_once=kept and _shares_no_bytes(ref))
        except OSError as exc:
            raise failed(ref, exc) from exc
        self._hashed[self._key(path)] = found
        return found


def _shares_no_bytes(ref: FileRef) -> bool:
    """Return whether the form of a file lets no two tensors have the same bytes."""
    kind = sniff(ref)
    return kind is not None and kind.form == "safetensors"


def _is_aligned(ref: FileRef) -> bool:
    """Return whether tensors can use the bytes of a file in the memory in which they are, as in most safetensors and PyTorch files.

    Raises:
        OSError: The system cannot read.
    """
    kind = sniff(ref)
    if kind is None or kind.form not in ("safetensors", "torch"):
        return False
    with ref.source.open(ref.path) as file:
        start = file.read(_N_LENGTH_BYTES)
    return start.startswith(_ZIP) if kind.form == "torch" else int.from_bytes(start, "little") % N_ITEM_BYTES == 0


def _resized(ref: FileRef, file: LockedFile) -> tuple[str, str] | None:
    n_bytes = ref.source.file_read(ref.role, ref.path).n_bytes
    return None if n_bytes == file.n_bytes else ("CHANGED", resized(ref, file, n_bytes))


def _damaged_blobs(wrong: dict[str, tuple[str, str]], found: dict[str, Hashed], n_compared: int) -> CorruptFileError:
    message = f"{some_of(len(wrong), n_compared, 'blob')} damaged in the Hugging Face cache: the digest is not the blob's name"
    rows = [
        two_lines(
            "CHANGED",
            os.path.basename(path),
            f"named {digest[:16]}..., found {algorithm} {_start(found[path], algorithm)}",
        )
        for path, (algorithm, digest) in wrong.items()
    ]
    first = next(iter(wrong))
    hints = ["remove the blob, and download the file again"]
    return CorruptFileError(
        message, resolved=first, label="file", context=[("blob", os.path.realpath(first))], details=rows, hints=hints
    )


def _start(found: Hashed, algorithm: str) -> str:
    return f"{found.digests[algorithm][:16]}..."
