"""Print the output of the commands: coloured on a terminal, plain in a pipe or with NO_COLOR."""

from __future__ import annotations

import codecs
import io
import itertools
import json
import math
import re
import sys
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from safeload._text.progress import has_screen
from safeload._text.words import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from safeload.errors import SafeLoadError

PIPED_WIDTH = 240
"""Width in columns of a table that is not printed on a terminal."""

GAP = 2
"""Spaces between the columns of a table."""

MIN_WIDE = 30
"""The least width of a column that is folded."""

WIDE = 120
"""Terminal width from which every column of a table is shown."""

OK, BAD, NOTE, TITLE = "green", "bold red", "dim", "bold cyan"


def console(*, stderr: bool = False) -> Console:
    """Return a console that does not wrap lines and prints markup unchanged."""
    out = Console(stderr=stderr, markup=False, highlight=False, soft_wrap=True, emoji=False)
    if not has_screen(out):
        out.width = PIPED_WIDTH
    return out


def progress_console() -> Console:
    """Return the console for a progress bar: standard output's if it is a terminal, else standard error's."""
    out = console()
    return out if has_screen(out) else console(stderr=True)


def file_console(write: Callable[[str], object]) -> Console:
    """Return a console that writes plain text to a file."""
    file: Any = _TextFile(write)
    out = Console(
        file=file, force_terminal=False, markup=False, highlight=False, soft_wrap=True, emoji=False, no_color=True
    )
    out.width = PIPED_WIDTH
    return out


class _TextFile(io.TextIOBase):
    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def write(self, text: str) -> int:
        self._write(text)
        return len(text)


def line(out: Console, *parts: str | tuple[str, str]) -> None:
    """Print one line of plain and `(text, style)` parts; what is in a file can neither end the line nor colour it."""
    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    if out.color_system is None:  # rich takes 0.2 ms for a line
        out.file.write("".join(visible(text) for text, _ in pairs) + "\n")
        out.file.flush()
    else:
        out.print(Text.assemble(*((visible(text), style) for text, style in pairs)))


def lines(out: Console, text: str, indent: str = "") -> None:
    """Print the lines of a text, such as an error's."""
    for each in text.split("\n"):
        line(out, f"{indent}{each}")


def print_json(value: Mapping[str, Any]) -> None:
    """Print a JSON object; NaN and infinity become null, since JSON has neither."""
    for part in json.JSONEncoder(indent=2, allow_nan=False).iterencode(_finite(value)):
        sys.stdout.write(part)
    click.echo()


def write_markup(text: str) -> None:
    """Print HTML or XML: on a console that is not in UTF-8, characters beyond ASCII as references."""
    is_utf8 = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    sys.stdout.write(text if is_utf8 else text.encode("ascii", "xmlcharrefreplace").decode("ascii"))


def json_text(value: Mapping[str, Any], *, indent: int | None = 2) -> str:
    """Return a JSON object as `print_json` prints it, or on one line."""
    try:
        return json.dumps(value, indent=indent, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), indent=indent, allow_nan=False)


def counts_text(n_good: int, n_bad: int, seconds: float) -> str:
    """Return the line that sums up a check of several models."""
    return f"{n_good:,} good, {n_bad:,} bad, {seconds:.2f} s"


def _finite(value: Any) -> Any:  # noqa: ANN401  (what JSON holds)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, (list, tuple)) else value


IN_JSON = "with --json"
"""Where a shell, which has no `error` to look into, shows what a text leaves out."""


_CHOICE = r"""(activation|backend)=["']([\w-]+)["']"""
_OPTIONS = (
    (r"call safeload\.load_\w+ with ignore_unused=\[(.*)\]$", r"pass --ignore-unused \1"),
    (r"pass ignore_unused=\[(.*)\]$", r"pass --ignore-unused \1"),
    (r"pass (overwrite|lock)=True", r"pass --\1"),
    (r"with training=False", "without --training"),
    (r"training=True", "--training"),
    (r"pass (scope|activation)\b", r"pass --\1"),
    (r"(?<![\w/.-])signature=\.\.\.", "--signature"),
    (r"(?<![\w/.-])signed_by(?![\w/.])", "--signed-by"),
    (r"(?<![\w/.-])(config_file|options_file)(?![\w/.])", "PATH"),
    (r"(?<![\w/.-])checkpoint_file(?![\w/.])", "--checkpoint"),
    (r"(?<![\w/.-])vocab_file(?![\w/.])", "--vocab"),
    (r"(?<![\w/.-])weight_file(?![\w/.])", "--weights"),
)
"""How messages call an argument, as a pattern, and how a shell passes it."""


def in_options(sentence: str, others: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return a sentence of safeload's with the commands' options where it has the calls' arguments.

    `others` are those arguments that a command has under another name.
    """

    def choice(match: re.Match[str]) -> str:
        return f"--{others.get(match[1], match[1])} {match[2]}"

    sentence = re.sub(_CHOICE, choice, sentence)
    for pattern, option in _OPTIONS:
        sentence = re.sub(pattern, option, sentence)
    return sentence.replace("', '", "' --ignore-unused '") if "--ignore-unused" in sentence else sentence


def error_text(error: SafeLoadError) -> str:
    """Return an error's text for a shell."""
    first, *others = error.text(IN_JSON, in_options).split("\n")
    return "\n".join([in_options(first), *others])


def error_dict(error: SafeLoadError) -> dict[str, Any]:
    """Return an error as a dict for `print_json`, with all its problems."""
    return {**error.to_dict(), "text": error.text("in details")}


def print_error(error: SafeLoadError, *, as_json: bool) -> None:
    """Print an error to stderr, or as JSON to stdout."""
    if as_json:
        print_json({"error": error_dict(error)})
    else:
        out = console(stderr=True)
        first, *others = error_text(error).split("\n")
        line(out, (type(error).__name__, BAD), f": {first}")
        for each in others:
            line(out, each)


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: Its title.
        is_text: Whether it is aligned to the left.
        is_wide: Whether its cells continue on the next line where the terminal is narrow.
    """

    title: str
    is_text: bool = False
    is_wide: bool = False


Cells = tuple[str, tuple[str, ...]]
"""A style, and the text of each column."""


def table(out: Console, columns: Sequence[Column], rows: Callable[[], Iterable[Cells]]) -> None:
    """Print a table in bounded memory; `rows` is called twice, to measure the columns and to print them."""
    widths = [cell_len(column.title) for column in columns]
    for _, cells in rows():
        widths = [max(width, cell_len(visible(cell))) for width, cell in zip(widths, cells, strict=True)]
    fixed = sum(width + GAP for width, column in zip(widths, columns, strict=True) if not column.is_wide)
    n_wide = sum(column.is_wide for column in columns)
    room = max(MIN_WIDE, (out.width - fixed) // max(1, n_wide) - GAP)
    widths = [min(width, room) if column.is_wide else width for width, column in zip(widths, columns, strict=True)]
    for style, cells in itertools.chain([(NOTE, tuple(column.title for column in columns))], rows()):
        folded = [
            _folded(visible(cell), width) if column.is_wide else [visible(cell)]
            for cell, width, column in zip(cells, widths, columns, strict=True)
        ]
        for parts in itertools.zip_longest(*folded, fillvalue=""):
            padded = [
                f"{part}{' ' * (width - cell_len(part))}"
                if column.is_text
                else f"{' ' * (width - cell_len(part))}{part}"
                for part, width, column in zip(parts, widths, columns, strict=True)
            ]
            line(out, ((" " * GAP).join(padded).rstrip(), style))


def _folded(text: str, width: int) -> list[str]:
    """Return the parts of a text that fit the width."""
    if not text:
        return [""]
    if text.isascii():
        return [text[at : at + width] for at in range(0, len(text), width)]
    parts, start, used = [], 0, 0
    for at, character in enumerate(text):
        used += cell_len(character)
        if used > width:
            parts.append(text[start:at])
            start, used = at, cell_len(character)
    return [*parts, text[start:]]


def bytes_text(n_bytes: int) -> str:
    """Format a size in decimal units, such as 1.5 MB."""
    size = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":  # noqa: PLR2004  (the base)
            break
        size /= 1000
    return f"{n_bytes:,} B" if unit == "B" else f"{size:.1f} {unit}"
