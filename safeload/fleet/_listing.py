"""List the folders of a tree, and follow the links in it once."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from safeload._bytes.addresses import Address, is_address
from safeload._bytes.archives.locating import ENDINGS
from safeload._bytes.files import real_path
from safeload._bytes.names import is_shown
from safeload._bytes.remote.source import RemoteSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from safeload._bytes.files import FileRef

MAX_SORTED = 10_000
"""The most folders in one folder that are sorted; more are taken in the order of the file system, so that no list of them is kept."""


class Listing(NamedTuple):
    """What is in a folder.

    Attributes:
        names: The names of its files, sorted.
        folders: The names of its folders, sorted unless there are more than `MAX_SORTED`.
        has_folders: Whether it has any.
        links: Which of the names are those of symbolic links.
        lost: Path -> error, of what could not be looked at.
    """

    names: list[str]
    folders: Iterable[str]
    has_folders: bool
    links: set[str]
    lost: list[tuple[str, OSError]]


def listed(ref: FileRef) -> Listing:
    """List a folder, of the disk or at an address.

    Raises:
        OSError: The folder cannot be read.
    """
    if isinstance(ref.source, RemoteSource):
        entries = {name: is_dir for name, is_dir in ref.source.entries_in(ref.path).items() if is_shown(name)}
        files = sorted(name for name, is_dir in entries.items() if not is_dir)
        return Listing(files, sorted(entries.keys() - {*files}), len(files) < len(entries), set(), [])
    return _listed_on_disk(ref.path)


def inside(folder: str, name: str) -> str:
    """Return the path, or the address, of a name in a folder."""
    return folder.below(name) if isinstance(folder, Address) else os.path.join(folder, name)


def absolute(path: str) -> str:
    """Return the absolute path of a file or folder; an address is one."""
    return path if is_address(path) else os.path.abspath(path)


def _listed_on_disk(folder: str) -> Listing:
    names: list[str] = []
    inner: list[str] = []
    links: set[str] = set()
    lost: list[tuple[str, OSError]] = []
    n_folders = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_shown(entry.name):
                continue
            try:
                is_folder = _is_folder(entry)
            except OSError as exc:
                lost.append((entry.path, exc))
                is_folder = False
            n_folders += is_folder
            if not is_folder:
                names.append(entry.name)
            elif n_folders <= MAX_SORTED:
                inner.append(entry.name)
            if entry.is_symlink() and (not is_folder or n_folders <= MAX_SORTED):
                links.add(entry.name)
    folders: Iterable[str] = sorted(inner) if n_folders <= MAX_SORTED else _in_any_order(folder)
    return Listing(sorted(names), folders, n_folders > 0, links, sorted(lost, key=lambda pair: pair[0]))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return stat.S_ISDIR(entry.stat().st_mode) if entry.is_symlink() else entry.is_dir()


def _in_any_order(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_shown(entry.name) and entry.is_dir():
                yield entry.name


class Entered:
    """Where the walk through a tree began: at its root, and at the targets of links that lead out of it."""

    def __init__(self, root: str, is_excluded: Callable[[str], bool]) -> None:
        """Begin at a root; `is_excluded` tells by a path whether it is left out."""
        self._tops = {real_path(root)}
        self._files: set[str] = set()
        self._is_excluded = is_excluded

    def is_wanted(self, path: str) -> bool:
        """Return whether a path is not left out."""
        return not self._is_excluded(path)

    def is_new(self, real: str, *, is_link: bool) -> bool:
        """Return whether the folder at a real path is entered here, and nowhere else."""
        if not is_link:
            return real not in self._tops
        if self._is_below_top(real):
            return False
        self._tops.add(real)
        return True

    def is_new_file(self, path: str, *, is_link: bool) -> bool:
        """Return whether the archive at a path is found here, and nowhere else."""
        if not is_link:
            return not self._files or real_path(path) not in self._files
        real = os.path.realpath(path)
        name = os.path.basename(real)
        is_found_there = name.lower().endswith(ENDINGS) and is_shown(name)
        if real in self._files or (is_found_there and self._is_below_top(os.path.dirname(real))):
            return False
        self._files.add(real)
        return True

    def _is_below_top(self, real: str) -> bool:
        """Return whether the walk comes to a folder without the link that leads to it."""
        while real not in self._tops:
            parent, name = os.path.split(real)
            if parent == real or not is_shown(name) or self._is_excluded(real):
                return False
            real = parent
        return True
