"""Read the chunks of an HDF5 dataset without h5py; no chunk is unpacked beyond its declared size.

libhdf5 does not check the length that its filters return: it copies a whole chunk from a buffer that may be shorter, and
accepts any length. A file of a few kB can crash the process or exhaust its memory.

Source:
    HDF5 File Format Specification 3.0, sections III.A.1 (B-trees), IV.A.2.l (filters); H5Zfletcher32.c, H5Zshuffle.c.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from safeload._forms.byte_order import stored_as
from safeload._forms.hdf5 import lzf
from safeload._forms.intact import require_intact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from safeload._bytes.open_file import OpenFile

GZIP, SHUFFLE, FLETCHER32, LZF = 1, 2, 3, 32000
FILTERS = (GZIP, SHUFFLE, FLETCHER32, LZF)
BUILT_IN = range(1, 7)
"""The filters of HDF5 itself, of which szip, nbit and scaleoffset are not read; others are in plugins."""

MIN_CHUNK_BYTES = 64 << 20
"""The size that every chunk may have; a larger dataset may have chunks of up to its own size."""

MAX_CHUNKS = 1 << 20
"""Chunks of a dataset; h5py makes chunks of 8 kB or more unless it is told otherwise."""

MAX_RATIO = 1_100
"""The largest ratio of an unpacked chunk to a stored one; deflate reaches 1,032."""

_N_CHECKSUM_BYTES = 4
_MODULUS = 0xFFFF


class Chunk(NamedTuple):
    """The position of one chunk.

    Attributes:
        origin: The first index in each dimension.
        mask: A bit for each filter that was skipped.
        offset: The offset in the file.
        n_bytes: Size in the file, in bytes.
    """

    origin: tuple[int, ...]
    mask: int
    offset: int
    n_bytes: int


class Chunks(NamedTuple):
    """The chunks of a dataset.

    Attributes:
        shape: The shape of the dataset.
        step: The shape of a chunk; the last ones may extend beyond the dataset.
        n_value_bytes: Size of one value in bytes.
        filters: The filter codes, in the order of writing.
        rows: Every chunk that was written.
    """

    shape: tuple[int, ...]
    step: tuple[int, ...]
    n_value_bytes: int
    filters: tuple[int, ...]
    rows: tuple[Chunk, ...]

    @property
    def n_bytes(self) -> int:
        """The size of an unpacked chunk in bytes."""
        return math.prod(self.step) * self.n_value_bytes

    def lacks(self) -> str:
        """Describe missing chunks; "" if all are present."""
        n_chunks = count_chunks(self.shape, self.step)
        n_written = len({row.origin for row in self.rows if self._is_place(row.origin)})
        if n_written < len(self.rows):
            return "its chunk index is inconsistent"
        if n_written == n_chunks:
            return ""
        if not n_written:
            return "created but never written: it would read as zeros"
        return f"{n_written:,} of {n_chunks:,} chunks were written: the others would read as zeros"

    def _is_place(self, origin: tuple[int, ...]) -> bool:
        each = zip(origin, self.step, self.shape, strict=True)
        return all(at % step == 0 and at < size for at, step, size in each)


def count_chunks(shape: tuple[int, ...], step: tuple[int, ...]) -> int:
    """Return how many chunks of the shape `step` make up a dataset."""
    return math.prod(-(-size // each) for size, each in zip(shape, step, strict=True))


def list_chunks(dataset: Any) -> Chunks:  # noqa: ANN401  (h5py's low-level ids)
    """List the chunks of a dataset, at most one more than its shape has places for.

    Raises:
        ValueError: The shuffle filter is for values of another size, or the dataset has more than `MAX_CHUNKS`.
        OSError, RuntimeError: As h5py, for a damaged file.
    """
    plan = dataset.get_create_plist()
    n_value_bytes = dataset.get_type().get_size()
    filters = []
    for number in range(plan.get_nfilters()):
        code, _, options, _ = plan.get_filter(number)
        if code == SHUFFLE and tuple(options) != (n_value_bytes,):
            message = f"it shuffles values of {options} bytes that have {n_value_bytes}"
            raise ValueError(message)
        filters.append(code)
    n_chunks = count_chunks(dataset.shape, plan.get_chunk())
    if n_chunks > MAX_CHUNKS:
        message = f"it has {n_chunks:,} chunks; no weight file needs more than {MAX_CHUNKS:,}"
        raise ValueError(message)
    rows: list[Chunk] = []

    def add(info: Any) -> bool | None:  # noqa: ANN401  (h5py's StoreInfo)
        rows.append(Chunk(info.chunk_offset, *info[1:]))
        return True if len(rows) > n_chunks else None  # ends the iteration

    dataset.chunk_iter(add)
    return Chunks(dataset.shape, plan.get_chunk(), n_value_bytes, tuple(filters), tuple(rows))


def read_chunks(file: OpenFile, chunks: Chunks, values: NDArray[Any], *, is_big: bool) -> None:
    """Read all chunks into `values`; `is_big` tells the byte order in the file.

    Raises:
        ValueError: A chunk is cut off, does not unpack to its size, or its checksum does not match.
        OSError: The system cannot read.
    """
    for row in chunks.rows:
        raw = file.read(row.n_bytes, row.offset)
        if len(raw) < row.n_bytes:
            message = f"the chunk at {row.origin} is cut off"
            raise ValueError(message)
        try:
            data = _unpacked(raw, chunks, row.mask)
        except (ValueError, zlib.error) as exc:
            message = f"the chunk at {row.origin}, byte {row.offset:,}: {exc}"
            raise ValueError(message) from exc
        block = np.frombuffer(data, stored_as(values.dtype, is_big=is_big)).reshape(chunks.step)
        place = tuple(slice(at, at + step) for at, step in zip(row.origin, chunks.step, strict=True))
        inside = tuple(slice(size - at) for at, size in zip(row.origin, chunks.shape, strict=True))
        values[place] = block[inside]


def read_bands(file: OpenFile, chunks: Chunks, dtype: np.dtype[Any], *, is_big: bool) -> Iterator[NDArray[Any]]:
    """Yield the values in order: the rows of a chunk together with those beside it.

    Raises:
        ValueError, OSError: As `read_chunks`.
    """
    bands: dict[int, list[Chunk]] = {}
    for row in chunks.rows:
        bands.setdefault(row.origin[0], []).append(row._replace(origin=(0, *row.origin[1:])))
    for start, rows in sorted(bands.items()):
        shape = (min(chunks.step[0], chunks.shape[0] - start), *chunks.shape[1:])
        values = np.empty(shape, dtype)
        read_chunks(file, chunks._replace(shape=shape, rows=tuple(rows)), values, is_big=is_big)
        yield values


def _unpacked(data: bytes, chunks: Chunks, mask: int) -> bytes:
    """Undo the filters in reverse order."""
    applied = [code for number, code in enumerate(chunks.filters) if not mask >> number & 1]
    for at, code in reversed(list(enumerate(applied))):
        n_bytes = chunks.n_bytes + _N_CHECKSUM_BYTES * applied[:at].count(FLETCHER32)
        if code == FLETCHER32:
            data = _checked(data)
        elif code == SHUFFLE:
            data = _unshuffled(data, chunks.n_value_bytes)
        elif code == LZF:
            data = lzf.decompress(data, n_bytes=n_bytes)
        else:
            stream = zlib.decompressobj()
            data = stream.decompress(data, n_bytes + 1)
            require_intact(stream.eof or len(data) > n_bytes)
    if len(data) != chunks.n_bytes:
        message = f"it does not decompress to {chunks.n_bytes:,} bytes"
        raise ValueError(message)
    return data


def _unshuffled(data: bytes, n_value_bytes: int) -> bytes:
    """Undo the shuffle filter; bytes after the last whole value are not shuffled."""
    n_values = len(data) // n_value_bytes
    planes = np.frombuffer(data, np.uint8, n_values * n_value_bytes).reshape(n_value_bytes, n_values)
    values: bytes = planes.T.tobytes()
    return values + data[n_values * n_value_bytes :]


def _checked(data: bytes) -> bytes:
    """Verify the Fletcher-32 checksum at the end of the data and remove it."""
    content, stored = data[:-_N_CHECKSUM_BYTES], data[-_N_CHECKSUM_BYTES:]
    words = np.frombuffer(content + bytes(len(content) % 2), ">u2").astype(np.uint64)
    weights = np.arange(len(words), 0, -1, dtype=np.uint64) % _MODULUS
    sums = [int(words.sum()), int((words * weights).sum())]
    low, high = ((total - 1) % _MODULUS + 1 if total else 0 for total in sums)
    if high << 16 | low != int.from_bytes(stored, "little"):
        message = "its checksum does not match"
        raise ValueError(message)
    return content
