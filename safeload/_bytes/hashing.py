"""Hash whole files while they are read, and read later only what was hashed.

A file is either kept in memory, or, whatever its size, read again in blocks of which each is compared with its own digest.
"""

from __future__ import annotations

import importlib
import re
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple, Protocol

from safeload._bytes import system
from safeload._bytes.open_file import ChangedDataError, OpenFile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from concurrent.futures import Future

N_BLOCK_BYTES = 1 << 20
N_PROVEN_BYTES = 1 << 16
"""The size of the blocks that have digests of their own."""

N_DIGEST_BYTES = 16
"""How much of each is kept: 25 MB for 100 GB."""

_SHARDED = re.compile(r"(sha256|blake2b)-sharded-([1-9][0-9]{0,17})")


class RunningDigest(Protocol):
    """A digest of the bytes so far."""

    def update(self, data: memoryview, /) -> None:
        """Add bytes."""

    def hexdigest(self) -> str:
        """Return the digest in hexadecimal digits."""


class Hashed(NamedTuple):
    """An open file that was hashed.

    Attributes:
        file: The file as it was hashed; what is read of it is what was hashed, or an error.
        digests: Algorithm -> digest of the whole file, in hexadecimal digits.
    """

    file: HashedFile
    digests: dict[str, str]

    def end(self) -> None:
        """Close the file."""
        self.file.end()


def hashed(file: OpenFile, algorithms: Collection[str], *, is_kept: bool, is_read_once: bool = False) -> Hashed:
    """Hash a whole file, and take ownership of it.

    Args:
        file: An open file on a disk.
        algorithms: As `new_digest` takes them.
        is_kept: Whether to keep the file in memory.
        is_read_once: Whether no two tensors share bytes.

    Raises:
        OSError: The system cannot read.
        MemoryError: The system has not that much memory.
    """
    try:
        totals = {algorithm: new_digest(algorithm, file.n_bytes) for algorithm in algorithms}
        updates: list[Callable[[memoryview], object]] = [total.update for total in totals.values()]
        if is_kept:
            memory = memoryview(system.anonymous_memory(max(1, file.n_bytes)))[: file.n_bytes]
            proven: HashedFile = KeptFile(file, memory[: _pass(file, updates, memory)], is_read_once=is_read_once)
        else:
            blocks = _BlockDigests()
            n_bytes = _pass(file, [*updates, blocks.update], None)
            proven = ProvenFile(file, n_bytes, blocks.digests)
    except BaseException:
        file.close()
        raise
    return Hashed(proven, {algorithm: total.hexdigest() for algorithm, total in totals.items()})


def _pass(file: OpenFile, updates: list[Callable[[memoryview], object]], memory: memoryview | None) -> int:
    """Read a file once, in order, and return its size; each of the updates has a thread, and a block at a time."""
    at = 0
    scratch = [memoryview(bytearray(N_BLOCK_BYTES)) for _ in range(2 if memory is None else 0)]
    pools = [ThreadPoolExecutor(1) for _ in updates]
    pending: list[Future[object]] = []
    try:
        while True:
            block = scratch[0] if memory is None else memory[at : at + N_BLOCK_BYTES]
            n_read = file.read_into(block, at)
            wait(pending)
            if not n_read:
                break
            pending = [pool.submit(update, block[:n_read]) for pool, update in zip(pools, updates, strict=True)]
            at += n_read
            scratch.reverse()
    finally:
        for pool in pools:
            pool.shutdown()
    for done in pending:
        done.result()
    return at


class _BlockDigests:
    """The digests of the blocks of a file that is given in order; all calls but the last give whole blocks."""

    def __init__(self) -> None:
        self.digests = bytearray()

    def update(self, data: memoryview) -> None:
        for start in range(0, len(data), N_PROVEN_BYTES):
            self.digests += _digest(data[start : start + N_PROVEN_BYTES])


def _digest(block: memoryview) -> bytes:
    import hashlib  # noqa: PLC0415  (slow to import)

    return hashlib.sha256(block).digest()[:N_DIGEST_BYTES]


def new_digest(algorithm: str, n_bytes: int) -> RunningDigest:
    """Begin a digest of a file of `n_bytes`.

    Args:
        algorithm: "sha256", "blake2b", "blake3", which needs the package; "git-sha1": the SHA-1 of a blob in Git;
            "sha256-sharded-1000": the SHA-256 of each thousand bytes.
        n_bytes: The size of the file.
    """
    import hashlib  # noqa: PLC0415  (slow to import)

    if sharded := _SHARDED.fullmatch(algorithm):
        return _ShardDigests(sharded[1], int(sharded[2]))
    if algorithm == "git-sha1":
        return hashlib.sha1(b"blob %d\0" % n_bytes, usedforsecurity=False)
    if algorithm == "blake3":
        running: RunningDigest = importlib.import_module("blake3").blake3()
        return running
    return hashlib.new(algorithm)


class _ShardDigests:
    """The digests of the shards of a file."""

    def __init__(self, algorithm: str, n_shard_bytes: int) -> None:
        self._algorithm, self._size = algorithm, n_shard_bytes
        self._done: list[str] = []
        self._running: RunningDigest | None = None
        self._n_left = 0

    def update(self, data: memoryview, /) -> None:
        while len(data):
            if self._running is None:
                self._running, self._n_left = new_digest(self._algorithm, self._size), self._size
            part = data[: self._n_left]
            self._running.update(part)
            self._n_left -= len(part)
            data = data[len(part) :]
            if not self._n_left:
                self._done.append(self._running.hexdigest())
                self._running = None

    def hexdigest(self) -> str:
        last = [self._running.hexdigest()] if self._running is not None else []
        return ",".join([*self._done, *last])


class HashedFile(OpenFile):
    """A file of which only what was hashed is read; whatever happens to its path changes nothing."""

    def __init__(self, file: OpenFile, n_bytes: int) -> None:
        self.path, self.n_bytes, self._original = file.path, n_bytes, file

    @property
    def identity(self) -> tuple[int, int, int, int]:
        """What identified the file when it was hashed."""
        return self._original.identity

    def is_written_to(self) -> bool:
        """Return False: other bytes are not read."""
        return False

    def is_replaced(self) -> bool:
        """Return False."""
        return False

    def close(self) -> None:
        """Leave the file open: it is hashed once, and may be opened often."""

    def end(self) -> None:
        """Close the file."""
        self._original.close()


class KeptFile(HashedFile):
    """A file in memory."""

    def __init__(self, file: OpenFile, memory: memoryview, *, is_read_once: bool = False) -> None:
        """Take ownership of the file and of its bytes; `is_read_once` says that no two tensors share bytes."""
        super().__init__(file, len(memory))
        self._memory, self._is_read_once = memory, is_read_once
        self._ends: dict[int, int] = {}
        self._gone = bytearray(-(-len(memory) // system.PAGE_BYTES) if is_read_once else 0)

    def read_into(self, block: memoryview, offset: int) -> int:
        """Fill the block as `OpenFile` does.

        Raises:
            ChangedDataError: The bytes were given back.
        """
        self._require_kept(offset, len(block))
        found = self._memory[offset : offset + len(block)]
        block[: len(found)] = found
        return len(found)

    def held(self, offset: int, n_bytes: int) -> memoryview | None:
        """Return bytes of the file.

        Raises:
            ChangedDataError: They were given back.
        """
        self._require_kept(offset, n_bytes)
        return self._memory[offset : offset + n_bytes] if offset + n_bytes <= self.n_bytes else None

    def forget(self, offset: int, n_bytes: int) -> None:
        """Give back the memory of the whole pages within these bytes, where no other tensor has them.

        Values that are widened thereby take no more memory than they have in the end.
        """
        if self._is_read_once:
            first, last = system.give_back(self._memory, self._ends.get(offset, offset), offset + n_bytes)
            self._ends[offset] = last * system.PAGE_BYTES
            self._gone[first:last] = b"\1" * (last - first)

    def _require_kept(self, offset: int, n_bytes: int) -> None:
        if self._gone.find(1, offset // system.PAGE_BYTES, -(-(offset + n_bytes) // system.PAGE_BYTES)) >= 0:
            self.failure = ChangedDataError()
            raise self.failure


class ProvenFile(HashedFile):
    """A file on a disk; each block that is read is compared with its digest."""

    def __init__(self, file: OpenFile, n_bytes: int, digests: bytes | bytearray) -> None:
        """Take ownership of the file."""
        super().__init__(file, n_bytes)
        self._digests = bytes(digests)
        self._last: tuple[int, bytes | memoryview] = (-1, b"")

    def read_into(self, block: memoryview, offset: int) -> int:
        """Fill the block as `OpenFile` does.

        Raises:
            ChangedDataError: The bytes are not those that were hashed.
            OSError: The system cannot read.
        """
        end = max(offset, min(offset + len(block), self.n_bytes))
        first = offset - offset % N_PROVEN_BYTES if end > offset else end
        for at in range(first, end, N_PROVEN_BYTES):
            after = min(at + N_PROVEN_BYTES, self.n_bytes)
            start, stop = max(at, offset), min(after, end)
            part = block[start - offset : stop - offset]
            if len(part) == after - at:
                self._read_proven(part, at)
            else:
                part[:] = self._around(at, after - at)[start - at : stop - at]
        return end - offset

    def _around(self, at: int, n_bytes: int) -> bytes | memoryview:
        """Return a whole block, of which a part is read; the next part is often of the same."""
        last = self._last
        if last[0] == at:
            return last[1]
        data = memoryview(bytearray(n_bytes))
        self._read_proven(data, at)
        self._last = (at, data)
        return data

    def _read_proven(self, block: memoryview, at: int) -> None:
        n_read = self._original.read_into(block, at)
        first = at // N_PROVEN_BYTES * N_DIGEST_BYTES
        if n_read < len(block) or _digest(block) != self._digests[first : first + N_DIGEST_BYTES]:
            self.failure = ChangedDataError()
            raise self.failure
