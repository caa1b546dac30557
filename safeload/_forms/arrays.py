"""Read and verify large arrays in threads.

Files are read, not memory-mapped: if another process truncates the file, a read raises an error, but a memory map ends the
process. The time is the same (BERT-Base, 440 MB: 0.055 s read, 0.050 s mapped).
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import numpy as np

from safeload._bytes.crc import crc32c
from safeload._bytes.zlib import crc32
from safeload._forms import byte_order
from safeload._forms.byte_order import to_host
from safeload._forms.element_types import N_ITEM_BYTES, NAN_BITS
from safeload._forms.floats import put
from safeload._forms.look import Look, block_bytes
from safeload._forms.raw import bytes_of
from safeload._forms.reused import memory
from safeload._forms.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from safeload._bytes.open_file import Access, OpenFile

    Bytes = NDArray[np.uint8]

MAX_THREADS = 4
N_ALIGN_BYTES = 64
"""TensorFlow can share memory that is aligned to this; other memory makes it abort the process."""

N_APART = 16
"""Floats between the rows that are transposed: a column of rows of 3,072 floats would be in one set of the cache's lines."""

MIN_MAPPED_BYTES = 1 << 20
N_ALONE_BYTES = 4 << 20
"""Up to this size one thread is faster: starting others takes as long as reading 2 MB."""

FLOATS = ("float16", "float32", "float64", "bfloat16")
CHECKSUM = "crc32"
"""The kind of checksum that is computed where a file stores none; its library is imported faster than that of CRC32C."""
LOOKED_AT = (*FLOATS, *NAN_BITS)
"""The types in which NaN and infinity are looked for."""


ACCESSES: tuple[Access, ...] = ("random", "in order", "once")
"""From the one that needs least to the one that needs most."""

FaultKind = Literal["CHECKSUM", "NOT FINITE", "TRUNCATED", "UNREADABLE", "UNWRITTEN", "PARTITION", "TYPE"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class DamagedError(Exception):
    """The values of a tensor are damaged; internal to `_forms`.

    Attributes:
        kind: The kind of damage.
        text: A description for the message.
        place: The damaged part of a partitioned tensor, or None.
    """

    def __init__(self, kind: FaultKind, text: str, place: object = None) -> None:
        """Store the facts."""
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.place = place

    def __str__(self) -> str:
        """Return kind and description on one line."""
        return f"{self.kind}: {self.text}"


class Run(NamedTuple):
    """Contiguous, unencoded values in a file.

    Attributes:
        file: The open file.
        offset: The offset of the first byte.
        n_bytes: Size in bytes.
        dtype: NumPy's name of the element type if NaN and infinity are to be detected, else "".
        crc: The checksum of the bytes; None if the file has none.
        columns: The length of a row; 1 for a vector.
        checksum: What kind of checksum it is.
        number_bytes: The size of the numbers in it, whose bytes are in little-endian order; 1 for bytes.
    """

    file: OpenFile
    offset: int
    n_bytes: int
    dtype: str = ""
    crc: int | None = None
    columns: int = 1
    checksum: Literal["crc32c", "crc32"] = "crc32c"
    number_bytes: int = 1

    def held(self) -> Bytes | None:
        """Return the bytes, if they are in memory, as this host has them, and so aligned that any library can use them; else None."""
        if not self.n_bytes or self.offset % N_ITEM_BYTES or byte_order.HOST_IS_BIG:
            return None
        found = self.file.held(self.offset, self.n_bytes)
        return None if found is None else np.frombuffer(found, np.uint8)


def read_run(
    run: Run,
    memory: Bytes | None = None,
    look: Look | None = None,
    keep: Callable[[int, NDArray[Any]], None] | None = None,
) -> Seen:
    """Read and verify a run block by block, while each block is in the CPU cache; keep the values if `memory` is given.

    Args:
        run: The values.
        memory: Where to keep them, or None.
        look: The look at the parts before this one, of values in parts.
        keep: Called with each block of whole rows, and the number of values before it.

    Returns:
        What was seen of the values, and of those before.

    Raises:
        DamagedError: The file ends early or cannot be read, the checksum does not match, or a value is not finite.
    """
    if look is None and run.dtype:
        look = Look(run.dtype, run.columns)
    n_block_bytes = look.n_block_bytes if look else block_bytes()
    held = run.held() if memory is None else None
    scratch = np.empty(min(n_block_bytes, run.n_bytes), np.uint8) if memory is None and held is None else None
    kind = run.checksum if run.crc is not None else CHECKSUM
    crc, checksum = 0, _checksum(kind)
    for start in range(0, run.n_bytes, n_block_bytes):
        size = min(n_block_bytes, run.n_bytes - start)
        if held is not None:
            block = held[start : start + size]
        else:
            block = scratch[:size] if scratch is not None else memory[start : start + size]  # type: ignore[index]
            fill(run, start, block)
        crc = checksum(block.data, crc)
        to_host(block, run.number_bytes)
        if look:
            look.add(block.view(look.dtype))
            if keep:
                keep(start // look.dtype.itemsize, block.view(look.dtype))
        if memory is not None or keep:
            run.file.forget(run.offset, start + len(block))
    if run.crc is not None:
        require_crc(run.crc, crc)
    return seen_of(look, run.n_bytes, checksum_text(crc, kind))


def read_floats(run: Run, shape: tuple[int, ...], *, turned: bool) -> tuple[NDArray[np.float32], Seen]:
    """Read a run of floats into float32; with `turned`, a matrix whose transpose is in C order.

    Each block is widened or transposed while it is in the CPU cache. Transposing 326 MB of a BERT-Base takes 0.05 s in
    two threads so, 0.10 s without the gap between the rows, 0.15 s after all is read.

    Raises:
        DamagedError: As `read_run`.
    """
    if turned:
        columns, out = shape[1], float32_for(shape[::-1])
        apart = np.empty((block_bytes() // (2 * columns), columns + N_APART), np.float32)[:, :columns]

        def keep(before: int, block: NDArray[Any]) -> None:
            rows = apart[: block.size // columns]
            put(block.reshape(rows.shape), rows, run.dtype)
            out[:, before // columns : before // columns + len(rows)] = rows.T

        return out.T, read_run(run, keep=keep)
    flat = float32_for(shape).reshape(-1)
    return flat.reshape(shape), read_run(
        run, keep=lambda before, block: put(block, flat[before : before + block.size], run.dtype)
    )


def has_same_bytes(one: Run, other: Run) -> bool:
    """Return whether two runs of one size have the same bytes; False if one cannot be read.

    They are compared block by block. The two copies of BERT-Base's word embeddings in `tf_model.h5` took 190 MB when they were
    read first.
    """
    n_block_bytes = block_bytes()
    blocks = np.empty((2, min(n_block_bytes, one.n_bytes)), np.uint8)
    try:
        for start in range(0, one.n_bytes, n_block_bytes):
            n_bytes = min(n_block_bytes, one.n_bytes - start)
            fill(one, start, blocks[0, :n_bytes])
            fill(other, start, blocks[1, :n_bytes])
            if not np.array_equal(blocks[0, :n_bytes], blocks[1, :n_bytes]):
                return False
    except DamagedError:
        return False
    return True


def _checksum(name: str) -> Callable[[memoryview, int], int]:
    if name == CHECKSUM:
        return crc32
    return crc32c


def look_at(values: NDArray[Any], dtype: str) -> Seen:
    """Look at values that are in memory, block by block; of integers the checksum alone is computed.

    Raises:
        DamagedError: A value is not finite.
    """
    look = look_for(dtype, values.shape)
    crc = add_to(look, values)
    return seen_of(look, values.nbytes, checksum_text(crc))


def look_for(dtype: str, shape: tuple[int, ...]) -> Look | None:
    """Return a look at the values of a tensor; None if its type is not looked at."""
    return Look(dtype, columns_of(shape)) if dtype in LOOKED_AT else None


def add_to(look: Look | None, values: NDArray[Any], crc: int = 0) -> int:
    """Look at the next values, block by block, and return the checksum of their little-endian bytes after `crc`, of those before."""
    flat = values.reshape(-1)
    n_values = (look.n_block_bytes if look else block_bytes()) // flat.itemsize
    for start in range(0, flat.size, n_values):
        block = flat[start : start + n_values]
        crc = crc32(bytes_of(block), crc)
        if look:
            look.add(block)
    return crc


def checksum_text(crc: int, kind: str = CHECKSUM) -> str:
    """Return a checksum with its kind."""
    return f"{kind}:{crc:08x}"


def columns_of(shape: tuple[int, ...]) -> int:
    """Return the length of a tensor's rows; a vector is a column."""
    return shape[-1] if len(shape) > 1 else 1


def seen_of(look: Look | None, n_bytes: int, checksum: str) -> Seen:
    """Return what was seen of `n_bytes` of values with a checksum.

    Raises:
        DamagedError: A value is not finite.
    """
    if look is None:
        return Seen(checksum=checksum)
    require_finite(look.n_bad, n_bytes // look.dtype.itemsize)
    return look.seen()._replace(checksum=checksum)


def fill(run: Run, start: int, block: Bytes) -> None:
    """Fill the block with the run's bytes, beginning at `start`.

    Raises:
        DamagedError: The file ends early, or cannot be read.
    """
    try:
        n_read = run.file.read_into(block.data, run.offset + start)
    except OSError as exc:
        raise DamagedError("UNREADABLE", f"the system reports: {exc.strerror}") from exc
    if n_read < block.nbytes:
        text = f"the file ended at byte {run.offset + start + n_read} while it was being read"
        raise DamagedError("TRUNCATED", text)


def require_crc(stored: int, found: int) -> None:
    """Require that two checksums are equal.

    Raises:
        DamagedError: They differ.
    """
    if found != stored:
        raise DamagedError("CHECKSUM", f"stored {stored:08x}, found {found:08x}")


def require_finite(n_bad: int, n_values: int) -> None:
    """Require that no value is NaN or infinite.

    Raises:
        DamagedError: `n_bad` values are.
    """
    if n_bad:
        raise DamagedError("NOT FINITE", f"{n_bad:,} of {n_values:,} values are NaN or infinite")


def float32_for(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Allocate an aligned array."""
    return memory_for(4 * math.prod(shape)).view(np.float32).reshape(shape)


def memory_for(n_bytes: int) -> Bytes:
    """Allocate memory aligned to `N_ALIGN_BYTES`; large blocks use pages of the default size.

    NumPy requests huge pages, which the system may have to assemble first: reading 374 MB into them, in two threads, took
    0.05 s to 0.30 s in fresh processes; into pages of the default size 0.13 s to 0.15 s.
    """
    if n_bytes >= MIN_MAPPED_BYTES:
        return np.frombuffer(memory(n_bytes), np.uint8, n_bytes)
    padded = np.empty(n_bytes + N_ALIGN_BYTES, np.uint8)
    start = -padded.ctypes.data % N_ALIGN_BYTES
    return padded[start : start + n_bytes]


def in_shares(
    items: Iterable[Item],
    n_bytes: Callable[[Item], int],
    use: Callable[[Item], Result],
    *,
    access: Access = "random",
) -> list[Result]:
    """Return `use(item)` for each item, in order; the items are divided among threads by size, and as they are accessed."""
    listed = list(items)
    n_threads = 1 if access == "once" else min(MAX_THREADS, os.cpu_count() or 1, len(listed))
    sizes = [n_bytes(item) for item in listed]
    if n_threads < 2 or sum(sizes) <= N_ALONE_BYTES:  # noqa: PLR2004  (one thread gains nothing)
        return [use(item) for item in listed]
    shares = _neighbours(sizes, n_threads) if access == "in order" else _balanced(sizes, n_threads)
    with ThreadPoolExecutor(n_threads) as pool:
        done = pool.map(lambda share: [(number, use(listed[number])) for number in sorted(share)], shares)
        results = dict(pair for pairs in done for pair in pairs)
    return [results[number] for number in range(len(listed))]


def _balanced(sizes: Sequence[int], n_shares: int) -> list[list[int]]:
    """Divide numbered items into shares of about the same size."""
    shares: list[list[int]] = [[] for _ in range(n_shares)]
    totals = [0] * n_shares
    for number in sorted(range(len(sizes)), key=lambda number: -sizes[number]):
        least = totals.index(min(totals))
        shares[least].append(number)
        totals[least] += sizes[number]
    return shares


def _neighbours(sizes: Sequence[int], n_shares: int) -> list[list[int]]:
    """Divide numbered items into shares of neighbours, of about the same size."""
    shares: list[list[int]] = [[] for _ in range(n_shares)]
    before, total = 0, max(1, sum(sizes))
    for number, size in enumerate(sizes):
        shares[min(n_shares - 1, before * n_shares // total)].append(number)
        before += size
    return shares
