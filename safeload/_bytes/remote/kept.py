"""Keep objects in a folder of the disk, by their address and version, and read them there."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
import weakref
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from safeload._bytes.files import DISK
from safeload._bytes.hashing import hashed
from safeload._bytes.open_file import RemoteError, ReplacedError
from safeload._bytes.remote.store import N_START_BYTES, Store
from safeload._text.addresses import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from safeload._bytes.hashing import Hashed
    from safeload._bytes.open_file import OpenFile
    from safeload._bytes.remote.store import Found

N_PART_BYTES = 8 << 20
"""How much of an object one request asks for while it is copied to the disk."""

N_PARTS = 8
"""How many of these are under way."""

STALE_SECONDS = 24 * 3600
"""After how long without a write an unfinished copy is one of a process that was killed."""

_UNFINISHED = re.compile(r"\.safeload-\w+\.part")
_SHA256 = "sha256"


class KeptStore(Store):
    """A store whose objects are copied to a folder, and read there from then on.

    The name of a copy has a digest of the address, the version and the size of its object, and the SHA-256 of the bytes. Each copy is
    hashed when it is opened, and written under another name until it is complete. What killed processes left of these is removed a day
    later, by whoever keeps the next object.
    """

    def __init__(self, store: Store, folder: str) -> None:
        """Keep the objects of a store in a folder, which is made if it is missing."""
        self._store, self._folder = store, folder
        self._lock = threading.Lock()
        self._opened: dict[str, Hashed] = {}
        weakref.finalize(self, _end, self._opened)

    def look(self, address: str) -> Found:
        """Return what is at an address now, as the store says.

        Raises:
            OSError: As `Store.look`.
        """
        return self._store.look(address)

    def entries_in(self, address: str) -> dict[str, bool]:
        """Return what is in a folder now, as the store says.

        Raises:
            OSError: As `Store.look`.
        """
        return self._store.entries_in(address)

    def among(self, address: str, names: Sequence[str]) -> list[str]:
        """Return which of the names are in a folder that the store does not list."""
        return self._store.among(address, names)

    def is_same(self, address: str, found: Found) -> bool:
        """Return whether the object is still the one that was found."""
        return self._store.is_same(address, found)

    def read(self, address: str, block: memoryview, offset: int, found: Found) -> None:
        """Fill the block with the bytes from an offset of the object, from its copy; one without a version has none.

        Raises:
            ReplacedError: It is another object now, or its copy was written to.
            OSError: As `Store.look`, or the copy cannot be written.
        """
        if not found.pin or found.n_bytes <= N_START_BYTES:
            self._store.read(address, block, offset, found)
        elif self._copy_of(address, found).read_into(block, offset) < len(block):
            raise ReplacedError

    def _copy_of(self, address: str, found: Found) -> OpenFile:
        key = hashlib.sha256(f"{without_secrets(address)}\0{found.pin}\0{found.n_bytes}".encode()).hexdigest()
        with self._lock:
            if key not in self._opened:
                try:
                    self._opened[key] = self._kept(key) or self._copied(key, address, found)
                except (RemoteError, ReplacedError):
                    raise
                except OSError as exc:
                    raise _failed(exc) from exc
            return self._opened[key].file

    def _kept(self, key: str) -> Hashed | None:
        """Return the copy that is there, open and hashed; one that is damaged is removed."""
        with suppress(FileNotFoundError):
            for name in os.listdir(self._folder):
                if name.startswith(f"{key}-"):
                    path = os.path.join(self._folder, name)
                    copy = hashed(DISK.open(path), [_SHA256], is_kept=False)
                    if copy.digests[_SHA256] == name.removeprefix(f"{key}-"):
                        return copy
                    copy.end()
                    os.remove(path)
        return None

    def _copied(self, key: str, address: str, found: Found) -> Hashed:
        os.makedirs(self._folder, exist_ok=True)
        number, path = tempfile.mkstemp(prefix=".safeload-", suffix=".part", dir=self._folder)
        try:
            self._remove_stale(os.fstat(number).st_mtime)
            digest = hashlib.sha256()
            with open(number, "wb") as file:
                for part in self._parts(address, found):
                    digest.update(part)
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            os.replace(path, os.path.join(self._folder, f"{key}-{digest.hexdigest()}"))
        except BaseException:
            with suppress(OSError):
                os.remove(path)
            raise
        copy = self._kept(key)
        if copy is None:
            raise ReplacedError
        return copy

    def _remove_stale(self, now: float) -> None:
        """Remove copies that nobody completes; `now` is a time of the disk's own clock."""
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if not _UNFINISHED.fullmatch(entry.name) or not entry.is_file(follow_symlinks=False):
                    continue
                with suppress(OSError):  # another process may remove it too
                    if now - entry.stat(follow_symlinks=False).st_mtime > STALE_SECONDS:
                        os.remove(entry.path)

    def _parts(self, address: str, found: Found) -> Iterator[bytearray]:
        """Yield the bytes of an object in order, with requests for the next ones on their way."""

        def part(offset: int) -> bytearray:
            data = bytearray(min(N_PART_BYTES, found.n_bytes - offset))
            self._store.read(address, memoryview(data), offset, found)
            return data

        pending: deque[Future[bytearray]] = deque()
        with ThreadPoolExecutor(N_PARTS) as pool:
            for offset in range(0, found.n_bytes, N_PART_BYTES):
                pending.append(pool.submit(part, offset))
                if len(pending) == N_PARTS:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()


def _end(opened: dict[str, Hashed]) -> None:
    for copy in opened.values():
        copy.end()


def _failed(exc: OSError) -> RemoteError:
    return RemoteError(exc.errno or 0, f"it cannot be kept in cache_dir: {exc.strerror}")
