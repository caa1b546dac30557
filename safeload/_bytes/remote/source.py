"""Use addresses as paths: find what is there, and open it."""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from safeload._bytes.addresses import Address, is_address, scheme_of
from safeload._bytes.files import DISK, Source
from safeload._bytes.hub import FILE_NAME
from safeload._bytes.remote.reading import RemoteFile
from safeload._bytes.remote.store import Found
from safeload._bytes.remote.stores import store_for
from safeload._bytes.usual_names import TRIED
from safeload.report import FileRead

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._bytes.open_file import Access, OpenFile
    from safeload._bytes.remote.store import Store


def reaching(base: Source, address: str, given: object, cache_dir: str | None = None) -> Source:
    """Return what opens an address too: the same, unless it is the disk."""
    found = RemoteSource(cache_dir) if base is DISK else base
    found.learn(address, given)
    return found


class RemoteSource(Source):
    """Addresses, and the disk; what is at an address is looked at once, and only that is read."""

    def __init__(self, cache_dir: str | None = None) -> None:
        """Begin with nothing that is known; objects are kept in a folder only where one is passed."""
        self._cache_dir = cache_dir
        self._known: list[Address] = []
        self._given: object = None
        self._stores: dict[tuple[str, str], Store] = {}
        self._found: dict[str, Found | OSError] = {}
        self._entries: dict[str, Mapping[str, bool]] = {}

    def emptied(self) -> RemoteSource:
        """Return one that knows the same hosts, and nothing of what is there."""
        found = RemoteSource(self._cache_dir)
        found._known, found._given, found._stores = self._known, self._given, self._stores
        return found

    def learn(self, address: str, given: object) -> None:
        """Ask for what is on the same host as it is asked for at this address, which a caller passed."""
        self._given = given
        if isinstance(address, Address):
            self._known.append(address)

    def is_dir(self, path: str) -> bool:
        """Return whether a folder is at the path."""
        if not is_address(path):
            return super().is_dir(path)
        found = self._glance(path)
        return found is not None and found.is_dir

    def is_file(self, path: str) -> bool:
        """Return whether an object is at the path."""
        if not is_address(path):
            return super().is_file(path)
        found = self._glance(path)
        return found is not None and not found.is_dir

    def exists(self, path: str) -> bool:
        """Return whether anything is at the path."""
        return self._glance(path) is not None if is_address(path) else super().exists(path)

    def is_there(self, path: str) -> bool:
        """Return whether anything is at the path."""
        return self._glance(path) is not None if is_address(path) else super().is_there(path)

    def is_link(self, path: str) -> bool:
        """Return whether a symbolic link of the disk is at the path."""
        return not is_address(path) and super().is_link(path)

    def mode(self, path: str) -> int:
        """Return the mode of what is at the path.

        Raises:
            OSError: Nothing is there, or the server or the network failed.
        """
        if not is_address(path):
            return super().mode(path)
        return stat.S_IFDIR if self._look(path).is_dir else stat.S_IFREG

    def may_read(self, path: str) -> bool:
        """Return whether this process may read what is at the path; of an object that it could look at, True."""
        return is_address(path) or super().may_read(path)

    def names_in(self, path: str) -> list[str]:
        """Return the names in a folder.

        Raises:
            OSError: There is none, or it cannot be listed.
        """
        if not is_address(path):
            return super().names_in(path)
        self._look(path)
        return [*self.entries_in(path)]

    def entries_in(self, path: str) -> Mapping[str, bool]:
        """Return name -> whether it is known to be a folder, of what is in a folder at an address.

        Raises:
            OSError: It cannot be listed.
        """
        if path not in self._entries:
            found = self._found.get(path)
            entries = found.entries if isinstance(found, Found) else None
            self._entries[path] = self._store(path).entries_in(self._real(path)) if entries is None else entries
            inner = [f"{path}/{name}" for name, is_dir in self._entries[path].items() if is_dir]
            self._found.setdefault(path, Found(is_dir=True))
            self._found |= {each: self._found.get(each, Found(is_dir=True)) for each in inner}
        return self._entries[path]

    def open(self, path: str) -> OpenFile:
        """Open an object, or a file.

        Raises:
            OSError: As `Source.open`, or the server or the network failed.
        """
        if not is_address(path):
            return super().open(path)
        found = self._look(path)
        if found.is_dir:
            raise IsADirectoryError(errno.EISDIR, "a folder", path)
        return RemoteFile(self._store(path), self._real(path), path, found)

    def look_at(self, path: str) -> OpenFile:
        """Open an object, or a file.

        Raises:
            OSError: As `open`.
        """
        return self.open(path)

    def access(self, path: str) -> Access:
        """Return how an open file is read fastest."""
        return "in order" if is_address(path) else super().access(path)

    def file_read(self, role: str, path: str) -> FileRead:
        """Return the report entry for an object, or a file.

        Raises:
            OSError: It is not there.
        """
        if not is_address(path):
            return super().file_read(role, path)
        return FileRead(role=role, path=str(path), n_bytes=self._look(path).n_bytes)

    def _glance(self, path: str) -> Found | None:
        """Return what is at an address; None if nothing is, or it cannot be looked at, which opening it will say."""
        try:
            return self._look(path)
        except OSError:
            return None

    def _look(self, path: str) -> Found:
        found = self._found.get(path)
        if found is None:
            try:
                self._require_listed(path)
                found = self._store(path).look(self._real(path))
            except (FileNotFoundError, PermissionError) as exc:
                found = self._tried_in(path) or exc
            except OSError as exc:
                found = exc
            self._found[path] = found
        if isinstance(found, OSError):
            raise found
        return found

    def _tried_in(self, path: str) -> Found | None:
        """Return a folder that was passed and that its server does not list, with what of the usual names is in it."""
        if path not in self._known or FILE_NAME.search(path):
            return None
        found = self._store(path).among(self._real(path), TRIED)
        return Found(is_dir=True, entries=dict.fromkeys(found, False), is_whole=False) if found else None

    def _require_listed(self, path: str) -> None:
        """Require that a folder that was found has a name, before it is asked for alone.

        Raises:
            FileNotFoundError: It has not.
        """
        folder, _, name = path.rpartition("/")
        above = self._found.get(folder)
        if isinstance(above, Found) and above.is_dir and above.is_whole and name not in self.names_in(folder):
            raise FileNotFoundError(errno.ENOENT, "no such name in the folder", path)

    def _store(self, path: str) -> Store:
        real = self._real(path)
        key = scheme_of(path), urlsplit(real).netloc
        if key not in self._stores:
            self._stores[key] = self._keeping(store_for(real, self._given))
        return self._stores[key]

    def _keeping(self, store: Store) -> Store:
        if self._cache_dir is None:
            return store
        from safeload._bytes.remote.kept import KeptStore  # noqa: PLC0415  (few keep what they read)

        return KeptStore(store, self._cache_dir)

    def _real(self, path: str) -> str:
        """Return an address as it is asked for."""
        for known in self._known:
            if (real := known.like(path)) != path:
                return real
        return path
