"""Read the objects of any store that fsspec knows."""

from __future__ import annotations

import errno
import functools
import importlib
from typing import TYPE_CHECKING, Any

from safeload._bytes.open_file import RemoteError, ReplacedError
from safeload._bytes.remote.attempts import PassingError, attempted
from safeload._bytes.remote.store import N_START_BYTES, Found, Store
from safeload._text.addresses import without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_SECONDS = 60.0
"""How long a store may take to answer, besides the time for its bytes. A package that cannot be interrupted has limits of its own."""

SLOWEST = 100_000
"""Bytes of an answer for which a store has one second more."""

_PINS = ("ETag", "etag", "e_tag", "generation", "VersionId", "version_id", "md5Hash", "content_md5", "md5", "checksum")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")
_OVERLOADED = (408, 429, 500, 502, 503, 504)


class ObjectStore(Store):
    """A file system of fsspec, which has its credentials from where its protocol's package looks for them."""

    def __init__(self, fs: Any) -> None:  # noqa: ANN401  (fsspec has no types)
        """Use an fsspec file system."""
        self._fs = fs

    def look(self, address: str) -> Found:
        """Return what is at an address.

        Raises:
            OSError: As `Store.look`.
        """
        info = self._info(address)
        if info["type"] == "directory":
            return Found(is_dir=True)
        n_bytes, pin = int(info["size"] or 0), _pin_of(info)
        found = Found(is_dir=False, n_bytes=n_bytes, pin=pin)
        start = bytearray(min(n_bytes, N_START_BYTES))
        self.read(address, memoryview(start), 0, found)
        return found._replace(start=bytes(start))

    def entries_in(self, address: str) -> dict[str, bool]:
        """Return name -> whether it is a folder, of what is in a folder; what is below is not asked for.

        Raises:
            OSError: As `Store.look`.
        """
        path = self._path(address)
        listed = self._call("ls", path, detail=True)
        found = {each["name"].rstrip("/"): each["type"] == "directory" for each in listed}
        return {name: is_dir for each, is_dir in found.items() if (name := each.rpartition("/")[2]) and each != path}

    def read(self, address: str, block: memoryview, offset: int, found: Found) -> None:  # noqa: ARG002  (see `is_same`)
        """Fill the block with the bytes from an offset of the object.

        Raises:
            ReplacedError: The object has fewer bytes now.
            OSError: As `Store.look`.
        """
        if not len(block):
            return
        path = self._path(address)
        data = self._call("cat_file", path, n_bytes=len(block), start=offset, end=offset + len(block))
        if len(data) != len(block):
            raise ReplacedError
        block[:] = data

    def is_same(self, address: str, found: Found) -> bool:
        """Return whether the object has the same size, and the same ETag, generation, version or time, as when it was found."""
        info = self._info(address)
        return (int(info["size"] or 0), _pin_of(info)) == (found.n_bytes, found.pin)

    def _info(self, address: str) -> Mapping[str, Any]:
        self._fs.invalidate_cache()
        path = self._path(address)
        found: Mapping[str, Any] = self._call("info", path)
        return found

    def _path(self, address: str) -> str:
        path: str = self._fs._strip_protocol(address)  # noqa: SLF001  (fsspec's own way from an address to a path)
        return path

    def _call(self, name: str, path: str, *, n_bytes: int = 0, **options: object) -> Any:  # noqa: ANN401  (fsspec has no types)
        call = getattr(self._fs, name)
        if self._fs.async_impl:
            sync = importlib.import_module("fsspec.asyn").sync  # which such a file system has imported
            seconds = ANSWER_SECONDS + n_bytes / SLOWEST
            call = functools.partial(sync, self._fs.loop, getattr(self._fs, f"_{name}"), timeout=seconds)

        def once() -> Any:  # noqa: ANN401  (fsspec has no types)
            try:
                return call(path, **options)
            except (FileNotFoundError, NotADirectoryError):
                raise FileNotFoundError(errno.ENOENT, "no such object") from None
            except Exception as exc:  # noqa: BLE001  (each protocol's package has its own)
                raise typed(exc) from None

        return attempted(once)


def _pin_of(info: Mapping[str, Any]) -> str:
    """Return what says best whether an object is the same: its digests and versions, or else its times."""
    for keys in (_PINS, _TIMES):
        if found := [f"{key}={info[key]}" for key in keys if info.get(key)]:
            return " ".join(found)
    return ""


def typed(exc: Exception) -> OSError:
    """Return what a package's exception says, without the address, which may have secrets in it."""
    name, text = type(exc).__name__, without_secrets(str(exc)).partition("\n")[0]
    what = f"{name}: {text}" if text else name
    status = getattr(exc, "status", None) or getattr(exc, "code", None)
    if isinstance(exc, PermissionError) or status in (401, 403) or "Credential" in name:
        return PermissionError(errno.EACCES, what)
    if isinstance(exc, TimeoutError) or "Timeout" in name:  # asyncio's is another class before Python 3.11
        return PassingError(errno.ETIMEDOUT, what)
    if status in _OVERLOADED or isinstance(exc, ConnectionError) or "Connect" in name:
        return PassingError(errno.ECONNABORTED, what)
    return RemoteError(getattr(exc, "errno", None) or errno.EIO, what)
