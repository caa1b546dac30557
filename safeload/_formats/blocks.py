"""Reading many values fast: shares for threads, exact reads, NaN and infinity at the speed of memory."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

Item = TypeVar("Item")
Result = TypeVar("Result")


def shares(items: Iterable[Item], n_bytes: Callable[[Item], int], n_shares: int) -> list[list[Item]]:
    """Split the items into shares of about the same number of bytes, one for each thread."""
    split: list[list[Item]] = [[] for _ in range(n_shares)]
    totals = [0] * n_shares
    for item in sorted(items, key=lambda item: -n_bytes(item)):
        least = totals.index(min(totals))
        split[least].append(item)
        totals[least] += n_bytes(item)
    return split


def in_threads(use: Callable[[list[Item]], Result], split: list[list[Item]]) -> list[Result]:
    """Return `use(share)` of each share: the last in the calling thread, the others each in a thread of its own.

    `concurrent.futures` does the same with one thread more, and costs a fresh process 0.003 s of a check's 0.16 s.
    """
    results: dict[int, Result] = {}
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            results[number] = use(split[number])
        except BaseException as exc:  # noqa: BLE001  (raised again below, in the calling thread)
            failures.append(exc)

    *others, last = range(len(split))
    threads = [threading.Thread(target=work, args=(number,)) for number in others]
    for thread in threads:
        thread.start()
    work(last)
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(split))]


def read_exactly(file: int, block: NDArray[Any], offset: int) -> int:
    """Read from a descriptor into the block; return how many bytes there were, less where the file ended.

    Raises:
        OSError: The system cannot read.
    """
    view = block.view(np.uint8).data
    n_read = 0
    while n_read < len(view):
        got = os.preadv(file, [view[n_read:]], offset + n_read)
        if not got:
            break
        n_read += got
    return n_read


def count_non_finite(values: NDArray[Any]) -> int:
    """Count NaN and infinity in a block of values.

    A finite sum of squares proves that there is none, at a fraction of the cost of asking each. For the types that BLAS
    knows it is its dot product (374 MB of float32, two threads: 0.022 s, a sum 0.030 s).
    """
    flat = values.reshape(-1)
    total = flat.sum(dtype=np.float32) if values.dtype == np.float16 else np.dot(flat, flat)
    if np.isfinite(total):
        return 0
    return int(values.size - np.count_nonzero(np.isfinite(values)))
