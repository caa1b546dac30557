"""The values of an HDF5 file's float32 datasets: read once, each tested for NaN and infinity.

HDF5 keeps no checksum of its values, so nothing else can be told from the bytes alone.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

import numpy as np

from safeload._formats.blocks import count_non_finite, in_threads, read_exactly, shares
from safeload.errors import CorruptFileError, counted, first_few
from safeload.report import two_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from safeload._formats.hdf5 import Dataset, Hdf5File

    Array = NDArray[np.float32]

N_BLOCK_VALUES = 1 << 19
N_THREADS = 2


class _Damaged(Exception):  # noqa: N818  (never leaves this module)
    """A dataset's values are not what they should be."""


def check_values(file: Hdf5File, names: Iterable[str]) -> None:
    """Read the datasets once, in two threads, and keep nothing.

    Raises:
        CorruptFileError: A dataset was never written, holds NaN or infinity, or the file ends early.
    """

    def check(share: list[Dataset]) -> dict[str, str]:
        scratch = np.empty(N_BLOCK_VALUES, np.float32)
        return _faults(share, lambda dataset: _check(file, dataset, scratch))

    _for_each_share(file, names, check)


def read_values(file: Hdf5File, names: Iterable[str]) -> dict[str, Array]:
    """Return name -> values of the datasets, checked in the memory in which they are returned.

    Raises:
        CorruptFileError: As `check_values`.
    """
    values: dict[str, Array] = {}

    def keep(dataset: Dataset) -> None:
        values[dataset.spec.name] = _read(file, dataset)

    _for_each_share(file, names, lambda share: _faults(share, keep))
    return values


def _for_each_share(file: Hdf5File, names: Iterable[str], use: Callable[[list[Dataset]], dict[str, str]]) -> None:
    datasets = [file.datasets[name] for name in names]
    split = shares(datasets, lambda dataset: dataset.n_bytes, N_THREADS)
    found = {name: text for faults in in_threads(use, split) for name, text in faults.items()}
    faults = [(dataset, found[dataset.spec.name]) for dataset in datasets if dataset.spec.name in found]
    if faults:
        raise _error(file, faults, len(datasets))


def _faults(share: list[Dataset], use: Callable[[Dataset], object]) -> dict[str, str]:
    faults = {dataset.spec.name: f"UNWRITTEN: {dataset.lacks}" for dataset in share if dataset.lacks}
    with np.errstate(all="ignore"):
        for dataset in share:
            try:
                if not dataset.lacks:
                    use(dataset)
            except _Damaged as exc:  # noqa: PERF203  (every dataset's fault is wanted)
                faults[dataset.spec.name] = str(exc)
    return faults


def _error(file: Hdf5File, faults: list[tuple[Dataset, str]], n_checked: int) -> CorruptFileError:
    are = "is" if len(faults) == 1 else "are"
    message = f"{len(faults)} of {counted(n_checked, 'dataset')} {are} damaged in the weight file"
    rows = []
    for dataset, text in faults:
        kind, _, rest = text.partition(": ")
        place = f"from byte {dataset.offset:,}: " if dataset.offset is not None else ""
        rows.append(two_lines(kind, dataset.spec.name, place + rest))
    hints = []
    if any(dataset.lacks for dataset, _ in faults):
        hints.append("the program that wrote the file ended early; save the weights again")
    if any(text.startswith("NOT FINITE") for _, text in faults):
        hints.append("training diverged before the weights were saved, or bytes were damaged; take another copy")
    return file.corrupt(
        message,
        hints,
        variables=[dataset.spec.name for dataset, _ in faults],
        offset=faults[0][0].offset,
        details=first_few(rows, "error.variables"),
    )


def _check(file: Hdf5File, dataset: Dataset, scratch: Array) -> None:
    if dataset.offset is None:
        _read(file, dataset)
    else:
        _read_block_by_block(file, dataset, dataset.offset, lambda start, size: scratch[:size])  # noqa: ARG005


def _read(file: Hdf5File, dataset: Dataset) -> Array:
    values = _room(dataset)
    if dataset.offset is None:
        file.read_gathered(dataset.spec.name, values)
        _require_finite(count_non_finite(values), values.size)
    else:
        flat = values.reshape(-1)
        _read_block_by_block(file, dataset, dataset.offset, lambda start, size: flat[start : start + size])
    return values


def _read_block_by_block(file: Hdf5File, dataset: Dataset, offset: int, room: Callable[[int, int], Array]) -> None:
    """Read into what `room` returns for the number of the first value and the count of each block."""
    n_values = dataset.n_bytes // 4
    starts = range(0, n_values, N_BLOCK_VALUES)
    n_bad = sum(_fill(file, offset + 4 * at, room(at, min(N_BLOCK_VALUES, n_values - at))) for at in starts)
    _require_finite(n_bad, n_values)


def _room(dataset: Dataset) -> Array:
    """Return memory for a dataset, in pages of the usual size.

    NumPy asks for huge pages, which the system may have to gather first: 374 MB read into them, in two threads, took
    0.05 s to 0.30 s in fresh processes, into these 0.13 s to 0.15 s.
    """
    if not dataset.n_bytes:
        return np.empty(dataset.spec.shape, np.float32)
    return np.frombuffer(mmap.mmap(-1, dataset.n_bytes), np.float32).reshape(dataset.spec.shape)


def _fill(file: Hdf5File, offset: int, block: Array) -> int:
    """Read into `block`, and count what is not finite while the processor's cache still holds it."""
    try:
        n_read = read_exactly(file.fileno(), block, offset)
    except OSError as exc:
        message = f"UNREADABLE: the system reports: {exc.strerror}"
        raise _Damaged(message) from exc
    if n_read < block.nbytes:
        message = f"TRUNCATED: the file ended at byte {offset + n_read} while it was being read"
        raise _Damaged(message)
    return count_non_finite(block)


def _require_finite(n_bad: int, n_values: int) -> None:
    if n_bad:
        message = f"NOT FINITE: {n_bad:,} of {n_values:,} values are NaN or infinite"
        raise _Damaged(message)
