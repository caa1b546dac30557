"""Show how far long work is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

PROGRESS_AFTER = 1.0
"""Seconds after which a progress bar is shown."""

LINE_EVERY = 30.0
"""Seconds between two lines where there is no terminal."""

IN_A_NOTEBOOK = "JPY_PARENT_PID"
"""A variable that Jupyter sets for its kernels, and that the commands of a cell inherit."""


class Advance(Protocol):
    """Say how far the work is."""

    def __call__(self, done: int, total: int | None = None, /) -> None:
        """Update the bar; `total` is new if it was not known before."""


def has_screen(out: Console) -> bool:
    """Return whether a console prints on a terminal that can move its cursor.

    A notebook does not: what its cells start writes to a terminal whose output is kept as text, and its kernel sets FORCE_COLOR, by
    which rich would take a pipe for a terminal. That variable, which many CI services set too, asks for colours alone.
    """
    return out.is_terminal and bool(out.file.isatty()) and IN_A_NOTEBOOK not in os.environ


@contextmanager
def progress(out: Console, total: int | None, doing: str) -> Iterator[Advance]:
    """Yield a function that says how far the work is: with the rate and the time left, once it takes long.

    On a terminal it is a bar, after `PROGRESS_AFTER`; elsewhere a line on stderr, each `LINE_EVERY`.

    Args:
        out: The console on which the bar is shown.
        total: How much there is to do; None where it is not known yet.
        doing: What is done.
    """
    if not has_screen(out):
        yield _lines(total, doing)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415  (slow to import)

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=out, transient=True)
    task = bar.add_task(doing, total=total, counts="")
    start = time.perf_counter()

    def advance(done: int, new_total: int | None = None, /) -> None:
        known = new_total or bar.tasks[0].total
        spent = time.perf_counter() - start
        bar.update(task, completed=done, total=known, counts=counts_text(done, known, spent))
        if spent > PROGRESS_AFTER:
            bar.start()

    try:
        yield advance
    finally:
        bar.stop()


def counts_text(done: int, total: float | None, seconds: float) -> str:
    """Return how much is done, of how much, and how fast: "120 of 300, 41/s"."""
    of = f" of {total:,.0f}" if total else ""
    return f"{done:,}{of}, {done / max(seconds, 1e-9):,.3g}/s"


def _lines(total: int | None, doing: str) -> Advance:
    start = time.perf_counter()
    last = start

    def advance(done: int, new_total: int | None = None, /) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last < LINE_EVERY or sys.stderr is None:
            return
        last = now
        known = new_total or total
        left = f", {(known - done) * (now - start) / done:,.0f} s left" if known and done else ""
        print(f"{doing}: {counts_text(done, known, now - start)}{left}", file=sys.stderr, flush=True)  # noqa: T201

    return advance


@contextmanager
def progress_on_stderr(total: int, doing: str) -> Iterator[Advance]:
    """Yield what `progress` yields on a terminal, for a call that has no console of its own."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _done, _total=None: None
        return
    from rich.console import Console  # noqa: PLC0415  (slow to import)

    with progress(Console(stderr=True), total, doing) as advance:
        yield advance
