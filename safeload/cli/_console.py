"""Print the output of the commands: coloured on a terminal, plain in a pipe or with NO_COLOR."""

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
"""Width in columns of a table that is not printed on a terminal."""

WIDE = 120
"""Terminal width from which every column of a table is shown."""

OK, BAD, NOTE, TITLE = "green", "bold red", "dim", "bold cyan"


def console(*, stderr: bool = False) -> Console:
    """Return a console that does not wrap lines and prints markup unchanged."""
    out = Console(stderr=stderr, markup=False, highlight=False, soft_wrap=True, emoji=False)
    if not out.is_terminal:
        out.width = PIPED_WIDTH
    return out


def line(out: Console, *parts: str | tuple[str, str]) -> None:
    """Print one line of plain and `(text, style)` parts."""
    out.print(Text.assemble(*parts))


def visible(text: str) -> str:
    """Escape the control characters of a name or path, so that it cannot fake a line or a colour."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def print_json(value: Mapping[str, Any]) -> None:
    """Print a JSON object; NaN and infinity become null, since JSON has neither."""
    click.echo(json.dumps(_finite(value), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:  # noqa: ANN401  (what JSON holds)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, (list, tuple)) else value


def error_text(error: SafeLoadError) -> str:
    """Return an error's text for a shell, which has no `error` to look into."""
    return error.text("with --json")


def error_dict(error: SafeLoadError) -> dict[str, Any]:
    """Return an error as a dict for `print_json`, with all its problems."""
    return {**error.to_dict(), "text": error.text("in details")}


def print_error(error: SafeLoadError, *, as_json: bool) -> None:
    """Print an error to stderr, or as JSON to stdout."""
    if as_json:
        print_json({"error": error_dict(error)})
    else:
        line(console(stderr=True), (type(error).__name__, BAD), f": {error_text(error)}")


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


def bytes_text(n_bytes: int) -> str:
    """Format a size in decimal units, such as 1.5 MB."""
    size = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":  # noqa: PLR2004  (the base)
            break
        size /= 1000
    return f"{n_bytes:,} B" if unit == "B" else f"{size:.1f} {unit}"
