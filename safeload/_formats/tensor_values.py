"""The values of a checkpoint's variables: read once, each checked against its CRC32C and for NaN and infinity.

The bytes are read, not mapped: a file that is cut off by another process while it is read ends in an error here, where
a memory map would end the process, and the time is the same (BERT-Base, 440 MB: 0.055 s read, 0.050 s mapped).

Source:
    tensorflow/core/util/tensor_bundle/tensor_bundle.cc, BundleReader::GetValue. TensorFlow 2.15 and 2.21.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import crc32c
import numpy as np

from safeload._formats.blocks import count_non_finite, in_threads, read_exactly, shares
from safeload._formats.index_file import N_BYTES_OF, STRING, VARIANT, Entry
from safeload._formats.tensor_parts import parts_of
from safeload._formats.tensor_strings import read_strings, read_variants
from safeload._tensors import N_ALIGN_BYTES
from safeload.errors import CorruptFileError, counted, first_few
from safeload.report import two_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from safeload._formats.tensor_bundle import TensorBundle

    Array = NDArray[Any]

MAX_THREADS = 4
N_BLOCK_BYTES = 1 << 20
_FLOATS = ("float16", "float32", "float64")
_BY_NAME = (*_FLOATS, "bool", "complex64", "complex128")


class _Damaged(Exception):  # noqa: N818  (never leaves this module)
    """A variable's bytes are not what they should be.

    Attributes:
        entry: The variable, or the part of it, that has them.
    """

    def __init__(self, entry: Entry, message: str) -> None:
        super().__init__(message)
        self.entry = entry


def check_values(bundle: TensorBundle, names: Iterable[str]) -> None:
    """Read the variables once, in a few threads, and keep nothing.

    Raises:
        CorruptFileError: A checksum does not match, a float16, float32 or float64 is NaN or infinite, or the file ends
            early.
    """

    def check(share: list[Entry]) -> list[_Damaged]:
        scratch = np.empty(N_BLOCK_BYTES, np.uint8)
        return _faults(share, lambda entry: _check(bundle, entry, scratch))

    entries = _entries(bundle, names)
    n_threads = min(MAX_THREADS, os.cpu_count() or 1)
    split = shares(entries, lambda entry: entry.n_bytes, n_threads)
    faults = [fault for found in in_threads(check, split) for fault in found]
    _raise_faults(bundle, faults, len(entries))


def read_values(bundle: TensorBundle, names: Iterable[str]) -> dict[str, Array]:
    """Return name -> values of the variables, checked in the memory in which they are returned.

    Each array starts at a multiple of `N_ALIGN_BYTES`, as TensorFlow asks of memory that it shares. Types that NumPy
    has not are returned as integers of their bits; strings as an object array of bytes.

    Raises:
        CorruptFileError: As `check_values`.
    """
    values: dict[str, Array] = {}

    def keep(entry: Entry) -> None:
        values[entry.name] = _read(bundle, entry)

    entries = _entries(bundle, names)
    _raise_faults(bundle, _faults(entries, keep), len(entries))
    return values


def read_as_it_is(bundle: TensorBundle, name: str) -> tuple[Array | None, str]:
    """Return a variable's values with what is wrong with them, to be looked at and never to be loaded.

    Returns:
        The values, as `read_values` would return them, or None where there is nothing to look at; and the fault, "" for
        none.
    """
    entry = bundle.variables[name]
    try:
        with np.errstate(all="ignore"):
            _require_shape(entry)
            return _read(bundle, entry), ""
    except _Damaged as exc:
        fault = str(exc)
    if entry.slices or not fault.startswith(("CHECKSUM", "NOT FINITE")) or entry.dtype not in N_BYTES_OF:
        return None, fault
    data = _aligned(entry.n_bytes)
    _fill(bundle, entry, 0, data)
    return data.view(_dtype_of(entry)).reshape(entry.shape), fault


def _entries(bundle: TensorBundle, names: Iterable[str]) -> list[Entry]:
    return sorted((bundle.variables[name] for name in names), key=_position)


def _position(entry: Entry) -> tuple[int, int]:
    return entry.shard, entry.offset


def _faults(entries: list[Entry], use: Callable[[Entry], object]) -> list[_Damaged]:
    faults = []
    with np.errstate(all="ignore"):
        for entry in entries:
            try:
                _require_shape(entry)
                use(entry)
            except _Damaged as exc:  # noqa: PERF203  (every variable's fault is wanted)
                faults.append(exc)
    return faults


def _raise_faults(bundle: TensorBundle, faults: list[_Damaged], n_checked: int) -> None:
    if not faults:
        return
    faults = sorted(faults, key=lambda fault: _position(fault.entry))
    first = faults[0].entry
    are = "is" if len(faults) == 1 else "are"
    message = f"{len(faults)} of {counted(n_checked, 'variable')} {are} damaged in the checkpoint"
    raise CorruptFileError(
        message,
        variables=[fault.entry.name for fault in faults],
        offset=first.offset,
        resolved=bundle.shard_path(first.shard),
        given=bundle.given,
        label="shard",
        context=[("index", bundle.index_path)],
        details=first_few([_row(fault.entry, str(fault)) for fault in faults], "error.variables"),
        hints=_hints([str(fault) for fault in faults], n_checked),
    )


def _row(entry: Entry, what: str) -> str:
    kind, _, rest = what.partition(": ")
    if entry.slices:
        return two_lines(kind, entry.name, rest)
    place = f"shard {entry.shard}, bytes {entry.offset} to {entry.offset + entry.n_bytes}"
    return two_lines(kind, entry.name, f"{place}: {rest}")


def _hints(faults: list[str], n_checked: int) -> list[str]:
    hints = []
    wrong = sum(fault.startswith("CHECKSUM") for fault in faults)
    if wrong == n_checked and n_checked > 1:
        hints.append("every checksum is wrong: the shard belongs to another index file; take both from one checkpoint")
    elif wrong:
        hints.append("copy or download the checkpoint again, in binary mode")
    if any(fault.startswith("NOT FINITE") for fault in faults):
        hints.append("the weights were saved after training diverged; take an earlier checkpoint")
    return hints


def _require_shape(entry: Entry) -> None:
    """TensorFlow allows 254 dimensions, NumPy 32 before its version 2.0 and 64 since."""
    try:
        np.broadcast_to(np.complex128(0), entry.shape)  # the widest type
    except ValueError as exc:
        message = f"TYPE: NumPy has no array of {len(entry.shape)} dimensions and this shape"
        raise _Damaged(entry, message) from exc


def _check(bundle: TensorBundle, entry: Entry, scratch: NDArray[np.uint8]) -> None:
    if entry.slices:
        for _, part in _parts(bundle, entry):
            _check(bundle, part, scratch)
    elif entry.dtype in N_BYTES_OF:
        _read_block_by_block(bundle, entry, lambda start, size: scratch[:size])  # noqa: ARG005
    else:
        _read(bundle, entry)


def _read(bundle: TensorBundle, entry: Entry) -> Array:
    if entry.slices:
        return _read_parts(bundle, entry)
    if entry.dtype in N_BYTES_OF:
        data = _aligned(entry.n_bytes)
        _read_block_by_block(bundle, entry, lambda start, size: data[start : start + size])
        return data.view(_dtype_of(entry)).reshape(entry.shape)
    data = np.empty(entry.n_bytes, np.uint8)
    _fill(bundle, entry, 0, data)
    if entry.dtype in (STRING, VARIANT):
        return _strings(data.tobytes(), entry)
    message = f"TYPE: {entry.dtype} cannot be read"
    raise _Damaged(entry, message)


def _dtype_of(entry: Entry) -> np.dtype[Any]:
    if entry.dtype in _BY_NAME:
        return np.dtype(entry.dtype)
    sign = "i" if entry.dtype.startswith(("int", "qint")) else "u"
    return np.dtype(f"{sign}{N_BYTES_OF[entry.dtype]}")


def _aligned(n_bytes: int) -> NDArray[np.uint8]:
    room = np.empty(n_bytes + N_ALIGN_BYTES, np.uint8)
    start = -room.ctypes.data % N_ALIGN_BYTES
    return room[start : start + n_bytes]


def _fill(bundle: TensorBundle, entry: Entry, start: int, block: NDArray[np.uint8]) -> None:
    try:
        n_read = read_exactly(bundle.file_of(entry.shard).fileno(), block, entry.offset + start)
    except OSError as exc:
        message = f"UNREADABLE: the system reports: {exc.strerror}"
        raise _Damaged(entry, message) from exc
    if n_read < block.nbytes:
        message = f"TRUNCATED: the file ended at byte {entry.offset + start + n_read} while it was being read"
        raise _Damaged(entry, message)


def _read_block_by_block(bundle: TensorBundle, entry: Entry, room: Callable[[int, int], NDArray[np.uint8]]) -> None:
    """Read into what `room` returns; checksum and test each block while the processor's cache still holds it."""
    crc = n_bad = 0
    for start in range(0, entry.n_bytes, N_BLOCK_BYTES):
        block = room(start, min(N_BLOCK_BYTES, entry.n_bytes - start))
        _fill(bundle, entry, start, block)
        crc = crc32c.crc32c(block.data, crc)
        if entry.dtype in _FLOATS:
            n_bad += count_non_finite(block.view(entry.dtype))
    if crc != entry.crc:
        message = f"CHECKSUM: stored {entry.crc:08x}, found {crc:08x}"
        raise _Damaged(entry, message)
    if n_bad:
        message = f"NOT FINITE: {n_bad:,} of {math.prod(entry.shape):,} values are NaN or infinite"
        raise _Damaged(entry, message)


def _strings(data: bytes, entry: Entry) -> Array:
    read = read_variants if entry.dtype == VARIANT else read_strings
    try:
        found, crc = read(data, math.prod(entry.shape))
    except ValueError as exc:
        message = "CHECKSUM: the strings' lengths contradict their bytes"
        raise _Damaged(entry, message) from exc
    if crc != entry.crc:
        message = f"CHECKSUM: stored {entry.crc:08x}, found {crc:08x}"
        raise _Damaged(entry, message)
    return found.reshape(entry.shape)


def _read_parts(bundle: TensorBundle, entry: Entry) -> Array:
    parts = _parts(bundle, entry)
    whole = _aligned(math.prod(entry.shape) * N_BYTES_OF[entry.dtype]).view(_dtype_of(entry)).reshape(entry.shape)
    for place, part in parts:
        whole[place] = _read(bundle, part)
    return whole


def _parts(bundle: TensorBundle, entry: Entry) -> list[tuple[tuple[slice, ...], Entry]]:
    try:
        return parts_of(entry, bundle.parts)
    except ValueError as exc:
        raise _Damaged(entry, str(exc)) from exc
