"""The values of an HDF5 file's float32 datasets: read once, each tested for NaN and infinity.

HDF5 keeps no checksum of its values, so nothing else can be told from the bytes alone.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._formats.floats import count_non_finite
from safeload.errors import CorruptFileError, counted, first_few
from safeload.report import two_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from safeload._formats.hdf5 import Dataset, Hdf5File

N_BLOCK_VALUES = 1 << 18
N_THREADS = 2


class _Damaged(Exception):  # noqa: N818  (never leaves this module)
    """A dataset's values are not what they should be."""


def check_values(file: Hdf5File, names: Iterable[str]) -> None:
    """Read the datasets once, in two threads, and keep nothing.

    Raises:
        CorruptFileError: A dataset was never written, holds NaN or infinity, or the file ends early.
    """
    _for_each(file, names, lambda dataset: _check(file, dataset))


def read_values(file: Hdf5File, names: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """Return name -> values of the datasets, checked in the memory in which they are returned.

    Raises:
        CorruptFileError: As `check_values`.
    """
    values: dict[str, NDArray[np.float32]] = {}

    def keep(dataset: Dataset) -> None:
        values[dataset.spec.name] = _read(file, dataset)

    _for_each(file, names, keep)
    return values


def _for_each(file: Hdf5File, names: Iterable[str], use: Callable[[Dataset], object]) -> None:
    datasets = [file.datasets[name] for name in names]

    def fault_of(dataset: Dataset) -> str:
        if dataset.lacks:
            return f"UNWRITTEN: {dataset.lacks}"
        try:
            with np.errstate(all="ignore"):
                use(dataset)
        except _Damaged as exc:
            return str(exc)
        return ""

    with ThreadPoolExecutor(N_THREADS) as pool:
        largest_first = sorted(datasets, key=lambda dataset: -dataset.n_bytes)
        texts = dict(
            zip([dataset.spec.name for dataset in largest_first], pool.map(fault_of, largest_first), strict=True)
        )
    faults = [(dataset, texts[dataset.spec.name]) for dataset in datasets if texts[dataset.spec.name]]
    if faults:
        raise _error(file, faults, len(datasets))


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
        hints.append(
            "the weights were saved after training diverged, or bytes were damaged; take another copy of the file"
        )
    return file.corrupt(
        message,
        hints,
        variables=[dataset.spec.name for dataset, _ in faults],
        offset=faults[0][0].offset,
        details=first_few(rows, "error.variables"),
    )


def _check(file: Hdf5File, dataset: Dataset) -> None:
    n_values = dataset.n_bytes // 4
    if dataset.offset is None:
        _require_finite(count_non_finite(_gathered(file, dataset)), n_values)
        return
    scratch = np.empty(min(N_BLOCK_VALUES, n_values), np.float32)
    n_bad = 0
    for start in range(0, n_values, N_BLOCK_VALUES):
        n_bad += _fill(file, dataset.offset + 4 * start, scratch[: n_values - start])
    _require_finite(n_bad, n_values)


def _read(file: Hdf5File, dataset: Dataset) -> NDArray[np.float32]:
    n_values = dataset.n_bytes // 4
    if dataset.offset is None:
        values = _gathered(file, dataset)
        _require_finite(count_non_finite(values), n_values)
        return values
    values = np.empty(n_values, np.float32)
    n_bad = 0
    for start in range(0, n_values, N_BLOCK_VALUES):
        n_bad += _fill(file, dataset.offset + 4 * start, values[start : start + N_BLOCK_VALUES])
    _require_finite(n_bad, n_values)
    return values.reshape(dataset.spec.shape)


def _gathered(file: Hdf5File, dataset: Dataset) -> NDArray[np.float32]:
    values = np.empty(dataset.spec.shape, "<f4")
    file.read_gathered(dataset.spec.name, values)
    return values


def _fill(file: Hdf5File, offset: int, block: NDArray[np.float32]) -> int:
    """Read into `block`, and count what is not finite while the processor's cache still holds it."""
    view: Any = block.view(np.uint8).data
    n_read = 0
    while n_read < len(view):
        try:
            got = os.preadv(file.fileno(), [view[n_read:]], offset + n_read)
        except OSError as exc:
            message = f"UNREADABLE: the system reports: {exc.strerror}"
            raise _Damaged(message) from exc
        if not got:
            message = f"TRUNCATED: the file ended at byte {offset + n_read} while it was being read"
            raise _Damaged(message)
        n_read += got
    return count_non_finite(block)


def _require_finite(n_bad: int, n_values: int) -> None:
    if n_bad:
        message = f"NOT FINITE: {n_bad:,} of {n_values:,} values are NaN or infinite"
        raise _Damaged(message)
