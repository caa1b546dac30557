"""Compare a model's files with the digests that a signature has of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from safeload._bytes.absent import names_text
from safeload._bytes.addresses import is_address, joined
from safeload._bytes.archives.locating import archive_at, lock_folder
from safeload._bytes.files import real_path
from safeload._bytes.names import as_spelled, as_stored, composed, is_of_the_system
from safeload._text.words import some_of, two_lines
from safeload.errors import LockError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from safeload._bytes.files import FileRef, Source
    from safeload.report import Signature

MAX_LINKS = 40
"""How many links on the way to a file are followed, as Linux does."""

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
        root: The real path of the folder from which the names start, or of the file; "" until it is found.
        spelled: The same folder as the caller's path leads to it.
    """

    by: Signature
    files: Mapping[str, Digest]
    root: str = ""
    spelled: str = ""

    def rooted(self, ref: FileRef) -> Signed:
        """Return the signature with its root, for the file or folder that the caller passed.

        The root is the outermost folder above the model's from which a name of the signature leads into the model's folder, or
        else that folder. The path as it was passed goes first, and a link is followed only where none is found before it: a
        folder that was exchanged for a link to another one keeps its name.
        """
        if set(self.files) == {ITSELF}:
            path = archive_at(ref.path, ref.source) or ref.path
            return self._replace(root=_real(path), spelled=path)
        folder = lock_folder(ref.path, ref.source)
        above = next((found for spelled in _spellings(folder) if (found := self._above(spelled))), folder)
        return _as_stored(self._replace(root=real_path(above), spelled=above), ref.source)

    def _above(self, folder: str) -> str:
        """Return the outermost folder above one from which a name leads into it; "" if there is none."""
        found, above = "", folder
        while (parent := os.path.dirname(above)) != above and is_address(parent) == is_address(folder):
            above = parent
            inner = os.path.relpath(folder, above).replace(os.sep, "/") + "/"
            if any(composed(name).startswith(composed(inner)) for name in self.files):
                found = above
        return found

    def name_of(self, path: str) -> str:
        """Return how the signature names a path, whose last part is not followed if it is a link; "" for one outside the root."""
        folder, name = os.path.split(as_stored(path))
        inner = self._name(folder)
        if inner == ITSELF:
            return name
        return f"{inner}/{name}" if inner else ITSELF if _real(path) == self.root else ""

    def _name(self, folder: str) -> str:
        for spelled in _spellings(folder):
            for root in (self.spelled, self.root):
                if spelled == root:
                    return ITSELF
                below = root.rstrip(os.sep) + os.sep
                if spelled.startswith(below):
                    return spelled[len(below) :].replace(os.sep, "/")
        return ""

    def covers(self, path: str) -> bool:
        """Return whether the signature covers the file at a path, there or not."""
        return self.name_of(path) in self.files

    def names_in(self, path: str) -> set[str]:
        """Return the names of what the signature covers directly in a folder."""
        folder = self._name(path)
        inner = "" if folder == ITSELF else f"{folder}/"
        names = (
            {name[len(inner) :].partition("/")[0] for name in self.files if name.startswith(inner)} if folder else set()
        )
        return names - {ITSELF}

    def notes(self, source: Source) -> list[str]:
        """Return the note on signed files that are not there, none of which the load would read."""
        needed = [name for name in self.files if name != ITSELF and not is_of_the_system(os.path.basename(name))]
        lost = [name for name in needed if not source.is_there(joined(self.root, name))]
        if not lost:
            return []
        return [
            f"{some_of(len(lost), len(self.files), 'signed file')} not there, and not needed: {names_text(sorted(lost))}"
        ]

    def digest_of(self, path: str) -> Digest:
        """Return what the signature says of a file.

        Raises:
            LockError: It does not cover the file.
        """
        found = self.files.get(self.name_of(path))
        if found is None:
            raise self.not_covered([path], "a file that belongs to this model is not covered by its signature")
        return found

    def not_covered(self, paths: Sequence[str], message: str) -> LockError:
        """Return the error for files that are not signed and are read, or decide what is."""
        context = [*self._facts(), ("folder", self.root), ("covered", names_text(sorted(self.files)))]
        hints = [
            "if the file belongs there, ask whoever signed the model for a signature that covers it",
            "if not, remove it, or pass the files that are signed",
        ]
        files = [os.path.basename(path) for path in paths]
        return LockError(message, files=files, resolved=paths[0], label="file", context=context, hints=hints)

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


def _as_stored(signed: Signed, source: Source) -> Signed:
    """Return a signature with its names spelled as the folders have them; as it is, where two of them would be one."""
    files = {}
    for name, digest in signed.files.items():
        path = as_spelled(joined(signed.root, name), source, label="signed")
        files[name if name.isascii() else os.path.relpath(path, signed.root).replace(os.sep, "/")] = digest
    return signed._replace(files=files) if len(files) == len(signed.files) else signed


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


def _spellings(path: str) -> Iterator[str]:
    """Yield a path, then what it is once its first link is followed, then once the next one is, up to the real path."""
    for _ in range(1 if is_address(path) else MAX_LINKS):
        yield path
        parts = path.split(os.sep)
        link = next((at for end in range(2, len(parts) + 1) if os.path.islink(at := os.sep.join(parts[:end]))), None)
        if link is None:
            return
        try:
            target = os.readlink(link)
        except OSError:  # no link any more
            return
        path = os.path.normpath(os.path.join(os.path.dirname(link), target, path[len(link) + 1 :]))
