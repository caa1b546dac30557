"""Read an object at any offset, with requests for what comes next on their way."""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from safeload._bytes.open_file import OpenFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from safeload._bytes.open_file import Access
    from safeload._bytes.remote.store import Found, Store

N_UNIT_BYTES = 1 << 20
"""What is asked for where nothing says that more is wanted."""

N_MOST_UNITS = 16
"""How many units one request asks for, of an object that is read in order."""

N_GROWTH = 4
"""How many times more units than the last one the next request asks for."""

N_KEPT_UNITS = 96
"""How many units are in memory, for as many threads as read one object."""

N_REQUESTS = 8
"""How many requests for one object are under way."""


LISTENERS: list[Callable[[int], None]] = []
"""What is told of each number of bytes that came, in any thread."""


class _Fetch(NamedTuple):
    """A request for some units; `future` gives their bytes."""

    start: int
    n_units: int
    future: Future[bytearray]


class RemoteFile(OpenFile):
    """An open object; its bytes are those of the object that was looked at, or an error."""

    def __init__(self, store: Store, real: str, path: str, found: Found) -> None:
        """Refer to an object, of which nothing is read yet."""
        self.path, self.n_bytes, self.failure = path, found.n_bytes, None
        self._store, self._real, self._found = store, real, found
        self._lock = threading.Lock()
        self._of_unit: dict[int, _Fetch] = {}
        self._used: OrderedDict[int, _Fetch] = OrderedDict()
        self._pool: ThreadPoolExecutor | None = None

    def read_into(self, block: memoryview, offset: int) -> int:
        """Fill the block as `OpenFile` does, to the end of the object.

        Raises:
            OSError: As `Store.read`.
        """
        block = block[: max(0, self.n_bytes - offset)]
        n_read = 0
        try:
            while n_read < len(block):
                part = self._part(offset + n_read)
                n_taken = min(len(part), len(block) - n_read)
                block[n_read : n_read + n_taken] = part[:n_taken]
                n_read += n_taken
        except OSError as exc:
            self.failure = exc
            raise
        return n_read

    def _part(self, offset: int) -> memoryview:
        """Return the bytes from an offset, as many as are in memory when they have come."""
        if offset < len(self._found.start):
            return memoryview(self._found.start)[offset:]
        fetch = self._fetch_of(offset // N_UNIT_BYTES)
        return memoryview(fetch.future.result())[offset - fetch.start * N_UNIT_BYTES :]

    def _fetch_of(self, unit: int) -> _Fetch:
        with self._lock:
            fetch = self._of_unit.get(unit)
            if fetch is None:
                before = self._of_unit.get(unit - 1)
                fetch = self._ask(unit, self._grown(before) if before else 1)
            self._used.move_to_end(fetch.start)
            after = fetch.start + fetch.n_units
            if fetch.n_units > 1 and after not in self._of_unit and after * N_UNIT_BYTES < self.n_bytes:
                self._ask(after, self._grown(fetch))
                self._used.move_to_end(fetch.start)
            self._drop_unused()
            return fetch

    @staticmethod
    def _grown(before: _Fetch) -> int:
        return min(N_MOST_UNITS, N_GROWTH * before.n_units)

    def _ask(self, start: int, n_units: int) -> _Fetch:
        """Ask for units, up to those that are asked for already."""
        end = next((unit for unit in range(start, start + n_units) if unit in self._of_unit), start + n_units)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(N_REQUESTS)
        fetch = _Fetch(start, end - start, self._pool.submit(self._read_units, start, end - start))
        self._used[start] = fetch
        self._of_unit |= dict.fromkeys(range(start, end), fetch)
        return fetch

    def _read_units(self, start: int, n_units: int) -> bytearray:
        offset = start * N_UNIT_BYTES
        data = bytearray(min(n_units * N_UNIT_BYTES, self.n_bytes - offset))
        self._store.read(self._real, memoryview(data), offset, self._found)
        for listener in (*LISTENERS,):
            listener(len(data))
        return data

    def _drop_unused(self) -> None:
        n_kept = sum(fetch.n_units for fetch in self._used.values())
        for fetch in list(self._used.values())[:-2]:
            if n_kept <= N_KEPT_UNITS:
                return
            if fetch.future.done():
                del self._used[fetch.start]
                for unit in range(fetch.start, fetch.start + fetch.n_units):
                    del self._of_unit[unit]
                n_kept -= fetch.n_units

    @property
    def access(self) -> Access:
        """How it is read fastest: in threads each of which reads a part in order."""
        return "in order"

    @property
    def identity(self) -> tuple[int, int, int, int]:
        """What identifies the object and its contents."""
        pin = self._found.pin.encode()
        return zlib.crc32(self._real.encode()), zlib.crc32(pin), self.n_bytes, len(pin)

    def is_written_to(self) -> bool:
        """Return whether what was read is of more than one object."""
        return not self._store.is_same(self._real, self._found)

    def is_replaced(self) -> bool:
        """Return whether what was read is of more than one object."""
        return self.is_written_to()

    def close(self) -> None:
        """Forget what was read, and the requests that no one waits for."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
            self._of_unit.clear()
            self._used.clear()
