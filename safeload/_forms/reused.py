"""Reuse the memory of arrays that are gone, while many large ones are read one after the other.

The system fills each new page with zeros: where each tensor asks for new memory, that takes longer than to read them.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safeload._bytes import system

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from mmap import mmap

N_REUSED_BYTES = 32 << 20
"""Larger memory is kept for what is as large; and besides the largest, this is how much is kept that nothing uses."""

_LOCK = threading.Lock()
_USERS: list[object] = []
_KEPT: list[mmap] = []


def _n_references(kept: Sequence[object]) -> list[int]:
    return [sys.getrefcount(each) for each in kept]


_N_OF_FREE = _n_references([object()])[0]
"""What is counted where only the list has it; versions of Python count otherwise."""


@contextmanager
def reused_memory() -> Iterator[None]:
    """Let `memory` reuse what is free, until the body ends."""
    user = object()
    with _LOCK:
        _USERS.append(user)
    try:
        yield
    finally:
        with _LOCK:
            _USERS.remove(user)
            if not _USERS:
                _KEPT.clear()


def memory(n_bytes: int) -> mmap:
    """Return anonymous memory of at least a size; what is in it is anything."""
    if not _USERS:
        return system.anonymous_memory(n_bytes)
    with _LOCK:
        free = [at for at, number in enumerate(_n_references(_KEPT)) if number <= _N_OF_FREE]
        free.sort(key=lambda at: len(_KEPT[at]))
        is_large = n_bytes > N_REUSED_BYTES
        fits = [at for at in free if len(_KEPT[at]) >= n_bytes and (len(_KEPT[at]) > N_REUSED_BYTES) == is_large]
        if not fits:
            _give_back(free, n_bytes)
            fits = [len(_KEPT)]
            _KEPT.append(system.anonymous_memory(n_bytes))
        return _KEPT[fits[0]]


def _give_back(free: list[int], n_bytes: int) -> None:
    """Give back what is free, the largest first, until there is little besides the largest with `n_bytes` more."""
    sizes = [*map(len, _KEPT), n_bytes]
    most, total, gone = max(sizes) + N_REUSED_BYTES, sum(sizes), set[int]()
    for at in reversed(free):
        if total <= most:
            break
        gone.add(at)
        total -= sizes[at]
        most = max(size for other, size in enumerate(sizes) if other not in gone) + N_REUSED_BYTES
    _KEPT[:] = [each for at, each in enumerate(_KEPT) if at not in gone]
