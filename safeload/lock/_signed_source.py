"""Find a model's files where a signature applies, by their names as they were signed."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, TypeVar

from safeload._bytes.addresses import is_address, joined
from safeload._bytes.files import DISK, Source
from safeload._bytes.names import is_of_the_system
from safeload.errors import SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from safeload._bytes.open_file import Access, OpenFile
    from safeload._forms.weight_file import WeightPlace
    from safeload.lock import Lock
    from safeload.lock._signed import Signed
    from safeload.report import FileRead

Found = TypeVar("Found")


class SignedSource(Source):
    """The disk, or a store, as it was when the model was signed: a signed file that is missing is there until it is opened.

    Whoever takes a file away thereby changes no choice between files, nor does who adds one: see `chosen`.

    Attributes:
        locks: The locks that apply.
        signed: The signature; None if there is none.
        base: What opens the files.
    """

    locks: tuple[Lock, ...] = ()
    signed: Signed | None = None
    base: Source = DISK
    _hidden: set[str] | None = None

    def chosen(self, choose: Callable[[], Found], paths_of: Callable[[Found], Sequence[str]]) -> Found:
        """Choose files, and require that the signed files alone lead to the same choice.

        Args:
            choose: Finds the files by this source.
            paths_of: Returns the paths that were found, and what else tells choices apart.

        Raises:
            LockError: Files that the signature does not cover were chosen, or change the choice.
            SafeLoadError: As `choose`.
        """
        found = choose()
        if self.signed is None:
            return found
        hidden: set[str] = set()
        self._hidden = hidden
        try:
            alone = list(paths_of(choose()))
        except SafeLoadError:
            alone = []
        finally:
            self._hidden = None
        paths = paths_of(found)
        if alone != list(paths):
            chosen = [path for path in paths if self.base.is_there(path) and not self.signed.covers(path)]
            what = "a file that belongs to this model is" if chosen else "files that change which ones are loaded are"
            raise self.signed.not_covered(chosen[:1] or sorted(hidden), f"{what} not covered by its signature")
        return found

    def _is_signed(self, path: str) -> bool:
        if self.signed is None:
            return False
        found = self.signed.covers(path)
        if self._hidden is not None and not found and self.base.is_there(path) and not self.signed.names_in(path):
            self._hidden.add(path)
        return found

    def _learn_of_proofs(self) -> None:
        """Open the locks and the signature too that are at addresses."""
        for path in (*(lock.path for lock in self.locks), *([self.signed.by.path] if self.signed else [])):
            if is_address(path):
                self.learn(path, None)

    def learn(self, address: str, given: object) -> None:
        """Open addresses too, from now on."""
        from safeload._bytes.remote.source import reaching  # noqa: PLC0415  (few models are remote)

        self.base = reaching(self.base, address, given)

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

    def files_of_proof(self) -> list[FileRead]:
        """Return the report entries for the locks and the signature that apply.

        Raises:
            OSError: They are not there any more.
        """
        found = [self.base.file_read("lock", lock.path) for lock in self.locks]
        if self.signed is not None and self.signed.by.path:
            found.append(self.base.file_read("signature", self.signed.by.path))
        return found

    def is_dir(self, path: str) -> bool:
        """Return whether a folder is at the path, or was."""
        was_there = self.signed is not None and bool(self.signed.names_in(path))
        return was_there or (self._hidden is None and self.base.is_dir(path))

    def is_file(self, path: str) -> bool:
        """Return whether a regular file is at the path, or was."""
        return self._is_signed(path) or (self._hidden is None and self.base.is_file(path))

    def exists(self, path: str) -> bool:
        """Return whether anything is at the path, or was."""
        return self.is_dir(path) or self._is_signed(path) or (self._hidden is None and self.base.exists(path))

    def is_there(self, path: str) -> bool:
        """Return whether anything is at the path, or was."""
        return self.exists(path) or (self._hidden is None and self.base.is_there(path))

    def mode(self, path: str) -> int:
        """Return the mode of what is at the path, or was.

        Raises:
            OSError: As `Source.mode`.
        """
        if self._hidden is not None and not self.exists(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        try:
            return self.base.mode(path)
        except FileNotFoundError:
            if self._is_signed(path):
                return stat.S_IFREG
            raise

    def may_read(self, path: str) -> bool:
        """Return whether this process may read the file, or it is missing."""
        return self.base.may_read(path) or (self._is_signed(path) and not self.base.exists(path))

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
        if self._hidden is not None:
            self._hidden |= {joined(path, name) for name in found if name not in signed and not is_of_the_system(name)}
            return sorted(signed)
        return [*found, *sorted(signed - {*found})]


def view_of(signed: Signed | None) -> Source:
    """Return what finds files before any is hashed: of a signed model, by its signature too."""
    if signed is None:
        return DISK
    view = SignedSource()
    view.signed = signed
    return view


def paths_of_weights(place: WeightPlace) -> list[str]:
    """Return what tells one place of weights from another, for `SignedSource.chosen`."""
    return [place.ref.path, place.form, place.state_file or ""]
