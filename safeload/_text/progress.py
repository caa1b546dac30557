"""Show how far long work is, on a terminal."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

PROGRESS_AFTER = 1.0
"""Seconds after which a progress bar is shown."""


@contextmanager
def progress(out: Console, total: int, doing: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that updates a progress bar; the bar appears on a terminal after `PROGRESS_AFTER`."""
    if not out.is_terminal:
        yield lambda _done: None
        return
    from rich.progress import Progress  # noqa: PLC0415  (slow to import)

    bar = Progress(console=out, transient=True)
    task = bar.add_task(doing, total=total)
    start = time.perf_counter()

    def advance(done: int) -> None:
        bar.update(task, completed=done)
        if time.perf_counter() - start > PROGRESS_AFTER:
            bar.start()

    try:
        yield advance
    finally:
        bar.stop()


@contextmanager
def progress_on_stderr(total: int, doing: str) -> Iterator[Callable[[int], None]]:
    """Yield what `progress` yields, for a call that has no console of its own."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console  # noqa: PLC0415  (slow to import)

    with progress(Console(stderr=True), total, doing) as advance:
        yield advance
