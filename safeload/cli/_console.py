"""What the commands print: plain text where it is piped, colours where a person looks, nothing where NO_COLOR says so."""

from __future__ import annotations

import json
import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from safeload.errors import SafeLoadError

PROGRESS_AFTER = 1.0
"""Seconds after which a progress bar is shown."""

PIPED_WIDTH = 240
"""Columns of a table that no person's terminal limits."""

WIDE = 120
"""Columns from which a terminal shows every column of a table."""

OK, BAD, NOTE, TITLE = "green", "bold red", "dim", "bold cyan"


def console(*, stderr: bool = False) -> Console:
    """Return a console that neither wraps a path nor guesses at markup in it."""
    out = Console(stderr=stderr, markup=False, highlight=False, soft_wrap=True, emoji=False)
    if not out.is_terminal:
        out.width = PIPED_WIDTH
    return out


def line(out: Console, *parts: str | tuple[str, str]) -> None:
    """Print one line of plain and `(text, style)` parts."""
    out.print(Text.assemble(*parts))


def visible(text: str) -> str:
    """Return a name from a file or a path with its control characters escaped: it must not forge a line, or a colour."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def print_json(value: Mapping[str, Any]) -> None:
    """Print a JSON object, for a machine; JSON has no NaN and no infinity, which become null."""
    click.echo(json.dumps(_finite(value), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:  # noqa: ANN401  (what JSON holds)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, (list, tuple)) else value


def print_error(error: SafeLoadError, *, as_json: bool) -> None:
    """Print a whole message: to stderr, or as JSON where a machine waits for it."""
    if as_json:
        print_json({"error": error.to_dict()})
    else:
        line(console(stderr=True), (type(error).__name__, BAD), f": {error}")


@contextmanager
def progress(out: Console, total: int, doing: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that is told how many are done; a bar appears below the output, on a terminal, after a while."""
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


def bytes_text(n_bytes: int) -> str:
    """Return a size as people read it, in powers of 1,000."""
    size = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":  # noqa: PLR2004  (the base)
            break
        size /= 1000
    return f"{n_bytes:,} B" if unit == "B" else f"{size:.1f} {unit}"
