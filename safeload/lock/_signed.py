"""Compare a model's files with the digests that a signature has of them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from safeload._bytes.absent import names_text
from safeload._bytes.addresses import is_address
from safeload._bytes.archives.locating import archive_at, lock_folder
from safeload._bytes.files import DISK, Source, real_path
from safeload._text.words import some_of, two_lines
from safeload.errors import LockError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import Access, OpenFile
    from safeload.lock import Lock
    from safeload.report import FileRead, Signature

ITSELF = "."
"""The name of a file that was signed by itself, and not as a part of a folder."""


class Digest(NamedTuple):
    """What a signature says of a file.

    Attributes:
        algorithm: As `new_digest` takes it: "sha256", "blake2b", "blake3", or one of the first two in shards.
        value: Hexadecimal digits; of shards, those of each, joined by commas.
        n_bytes: The size in bytes; None where the signature does not say it.
    """

    algorithm: str
    value: str
    n_bytes: int | None = None


class Signed(NamedTuple):
    """A verified signature, and the files that it covers.

    Attributes:
        by: Who signed, as the report says it.
        files: Name below the root -> digest.
        root: The absolute path from which the names start; "" until it is found.
    """

    by: Signature
    files: Mapping[str, Digest]
    root: str = ""

    def rooted(self, ref: FileRef) -> Signed:
        """Return the signature with its root, for the file or folder that is loaded.

        The root is the outermost folder at or above the model's from which a name of the signature leads into the model's
        folder; no change of the model's files moves it.
        """
        if set(self.files) == {ITSELF}:
            return self._replace(root=_real(archive_at(ref.path, ref.source) or ref.path))
        folder = real_path(lock_folder(ref.path, ref.source))
        root = above = folder
        while (parent := os.path.dirname(above)) != above and is_address(parent) == is_address(folder):
            above = parent
            inner = os.path.relpath(folder, above).replace(os.sep, "/") + "/"
            if any(name.startswith(inner) for name in self.files):
                root = above
        return self._replace(root=root)

    def name_of(self, path: str) -> str:
        """Return how the signature names a path, whose last part is not followed if it is a link; "" for one outside the root."""
        return self._name(_real(path))

    def _name(self, real: str) -> str:
        if real == self.root:
            return ITSELF
        below = self.root.rstrip(os.sep) + os.sep
        return real[len(below) :].replace(os.sep, "/") if real.startswith(below) else ""

    def covers(self, path: str) -> bool:
        """Return whether the signature covers the file at a path, there or not."""
        return self.name_of(path) in self.files

    def names_in(self, path: str) -> set[str]:
        """Return the names of what the signature covers directly in a folder."""
        folder = self._name(real_path(path))
        inner = "" if folder == ITSELF else f"{folder}/"
        names = (
            {name[len(inner) :].partition("/")[0] for name in self.files if name.startswith(inner)} if folder else set()
        )
        return names - {ITSELF}

    def digest_of(self, path: str) -> Digest:
        """Return what the signature says of a file.

        Raises:
            LockError: It does not cover the file.
        """
        found = self.files.get(self.name_of(path))
        if found is None:
            raise self._not_covered(path)
        return found

    def _not_covered(self, path: str) -> LockError:
        message = "a file that belongs to this model is not covered by its signature"
        context = [*self._facts(), ("folder", self.root), ("covered", names_text(sorted(self.files)))]
        hints = [
            "if the file belongs there, ask whoever signed the model for a signature that covers it",
            "if not, remove it, or pass the files that are signed",
        ]
        files = [os.path.basename(path)]
        return LockError(message, files=files, resolved=path, label="file", context=context, hints=hints)

    def differences(self, rows: Mapping[str, tuple[str, str]]) -> LockError:
        """Return the error for files that differ from what was signed: name -> a kind and a description."""
        return LockError(
            f"{some_of(len(rows), len(self.files), 'signed file')} different from what was signed",
            files=list(rows),
            resolved=self.by.path,
            label="signature",
            context=[*self._facts()[1:], ("folder", self.root)],
            details=[two_lines(kind, name, what) for name, (kind, what) in rows.items()],
            hints=["get the files and the signature again from whoever signed them"],
        )

    def _facts(self) -> list[tuple[str, str]]:
        return [("signature", self.by.path), ("signed by", self.by.who())]


def resigned(wanted: Digest, value: str, n_bytes: int) -> tuple[str, str] | None:
    """Return how a file differs from what was signed: a kind and a description; None if it does not."""
    if wanted.n_bytes not in (None, n_bytes):
        return "CHANGED", f"signed with {wanted.n_bytes:,} bytes, found {n_bytes:,}"
    if value == wanted.value:
        return None
    pairs = list(zip(wanted.value.split(","), value.split(","), strict=False))
    at, (signed, found) = next((at, pair) for at, pair in enumerate(pairs) if pair[0] != pair[1])
    algorithm, _, size = wanted.algorithm.partition("-sharded-")
    where = f" from byte {at * int(size):,} on" if size else ""
    name = {"sha256": "SHA-256", "blake2b": "BLAKE2b", "blake3": "BLAKE3"}[algorithm]
    return "CHANGED", f"signed with {name} {signed[:16]}...{where}, found {found[:16]}..."


def _real(path: str) -> str:
    folder, name = os.path.split(path)
    return path if is_address(path) else os.path.normpath(os.path.join(os.path.realpath(folder), name))


class SignedSource(Source):
    """The disk, or a store, as it was when the model was signed: a signed file that is missing is there until it is opened.

    Whoever takes a file away thereby changes no choice between files.

    Attributes:
        locks: The locks that apply.
        signed: The signature; None if there is none.
        base: What opens the files.
    """

    locks: tuple[Lock, ...] = ()
    signed: Signed | None = None
    base: Source = DISK

    def _learn_of_proofs(self) -> None:
        """Open the locks and the signature too that are at addresses."""
        for path in (*(lock.path for lock in self.locks), *([self.signed.by.path] if self.signed else [])):
            if is_address(path):
                self.learn(path, None)

    def learn(self, address: str, given: object) -> None:
        """Open addresses too, from now on."""
        from safeload._bytes.remote.source import reaching  # noqa: PLC0415  (few models are remote)

        self.base = reaching(self.base, address, given)

    def files_of_proof(self) -> list[FileRead]:
        """Return the report entries for the locks and the signature that apply.

        Raises:
            OSError: They are not there any more.
        """
        found = [self.base.file_read("lock", lock.path) for lock in self.locks]
        if self.signed is not None and self.signed.by.path:
            found.append(self.base.file_read("signature", self.signed.by.path))
        return found

    def is_link(self, path: str) -> bool:
        """Return whether a symbolic link is at the path."""
        return self.base.is_link(path)

    def look_at(self, path: str) -> OpenFile:
        """Open a regular file as it is now.

        Raises:
            OSError: As `Source.look_at`.
        """
        return self.base.look_at(path)

    def access(self, path: str) -> Access:
        """Return how an open file is read fastest."""
        return self.base.access(path)

    def is_dir(self, path: str) -> bool:
        """Return whether a folder is at the path, or was."""
        return self.base.is_dir(path) or (self.signed is not None and bool(self.signed.names_in(path)))

    def is_file(self, path: str) -> bool:
        """Return whether a regular file is at the path, or was."""
        return self.base.is_file(path) or self._was_there(path)

    def exists(self, path: str) -> bool:
        """Return whether anything is at the path, or was."""
        return self.base.exists(path) or self._was_there(path)

    def is_there(self, path: str) -> bool:
        """Return whether anything is at the path, or was."""
        return self.base.is_there(path) or self._was_there(path)

    def mode(self, path: str) -> int:
        """Return the mode of what is at the path, or was.

        Raises:
            OSError: As `Source.mode`.
        """
        try:
            return self.base.mode(path)
        except FileNotFoundError:
            if self._was_there(path):
                return stat.S_IFREG
            raise

    def may_read(self, path: str) -> bool:
        """Return whether this process may read the file, or it is missing."""
        return self.base.may_read(path) or (self._was_there(path) and not self.base.exists(path))

    def names_in(self, path: str) -> list[str]:
        """Return the names of what is in a folder, or was.

        Raises:
            OSError: As `Source.names_in`.
        """
        signed = self.signed.names_in(path) if self.signed is not None else set()
        try:
            found = self.base.names_in(path)
        except FileNotFoundError:
            if not signed:
                raise
            found = []
        return [*found, *sorted(signed - {*found})]

    def _was_there(self, path: str) -> bool:
        return self.signed is not None and self.signed.covers(path)
