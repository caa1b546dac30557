"""Reuse the memory of arrays that are gone, while many large ones are read one after the other.

The system fills each new page with zeros: where memory is asked for anew for each tensor, that takes longer than to read them.
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
"""Larger memory is given back to the system, and what is free with it."""

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
        is_free = [number <= _N_OF_FREE for number in _n_references(_KEPT)]
        if n_bytes > N_REUSED_BYTES:
            _KEPT[:] = [each for each, free in zip(_KEPT, is_free, strict=True) if not free]
            return system.anonymous_memory(n_bytes)
        place = next((at for at, free in enumerate(is_free) if free and len(_KEPT[at]) >= n_bytes), None)
        if place is None:
            place = len(_KEPT)
            _KEPT.append(system.anonymous_memory(n_bytes))
        return _KEPT[place]
