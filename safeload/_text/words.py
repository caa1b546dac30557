"""Format the lines of messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_PRINTED_PROBLEMS = 10
MAX_LINE = 5_000
N_NAMES_SHOWN = 3
N_VALUE_CHARS = 200
N_NAME_CHARS = 300
"""The characters of a name that are shown; some forms have names of any length."""

_NOT_PLAIN = re.compile(r"[^\n -~]")


def plain(text: str) -> str:
    """Escape everything but printable ASCII and line ends, so that invisible characters in a path become visible."""
    return _NOT_PLAIN.sub(lambda match: ascii(match[0])[1:-1], text)


def one_line(text: str) -> str:
    """Escape line ends, so that a name from a file cannot forge a line of a message."""
    return text.replace("\n", "\\n")


def escaped(text: str) -> str:
    """Return a text from a file as one line of printable ASCII."""
    return plain(one_line(text))


def visible(text: str) -> str:
    """Escape the control characters of a text from a file, and keep letters of every language, for terminals and pages."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shortened(line: str) -> str:
    """Truncate a line that is longer than any path, such as one from a file's contents."""
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}... ({len(line):,} characters)"


def short(name: str) -> str:
    """Return a name from a file, or the beginning of one that is longer than any model's."""
    return name if len(name) <= N_NAME_CHARS else f"{name[:N_NAME_CHARS]}..."


def value_text(value: object) -> str:
    """Return what a caller passed as Python writes it; the type of what that would take more than one short line."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  (of a class of the caller's)
        text = "\n"
    is_text = isinstance(value, (str, bytes))
    return (
        text
        if is_text or (len(text) <= N_VALUE_CHARS and "\n" not in text)
        else f"an object of type {type(value).__name__}"
    )


def reason_of(exc: BaseException) -> str:
    """Return an exception's text on one line, truncated to 200 characters."""
    return " ".join(str(exc).split())[:200]


def counted(count: int, noun: str) -> str:
    """Return "1 variable", "2 variables"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def counted_of(count: int, nouns: str) -> str:
    """Return the same for the plural that a report has: "tensors"."""
    return counted(count, nouns.removesuffix("s"))


def some_of(count: int, total: int, noun: str) -> str:
    """Begin a sentence: "1 of 37 variables is", "2 of 37 variables are"."""
    return f"{count} of {counted(total, noun)} {'is' if count == 1 else 'are'}"


def tally(words: Iterable[tuple[int, str]]) -> str:
    """Join the counts that are not zero: "1 missing, 2 wrong shape"."""
    return ", ".join(f"{count} {what}" for count, what in words if count)


def first_of(names: Sequence[str]) -> str:
    """List the first names, and count the rest: "a, b, c and 4 more"."""
    shown = map(short, names[:N_NAMES_SHOWN])
    more = f" and {len(names) - N_NAMES_SHOWN:,} more" if len(names) > N_NAMES_SHOWN else ""
    return ", ".join(shown) + more


def with_article(noun: str) -> str:
    """Prefix `noun` with "a" or "an"."""
    return f"{'an' if noun[:1].lower() in 'aeio' or noun.startswith('HDF5') else 'a'} {noun}"


def two_lines(kind: str, name: str, what: str) -> str:
    """Format one problem: its kind and name on the first line, the description on the second."""
    return f"{kind:<10} {escaped(short(name))}\n               {escaped(what)}"


def first_few(rows: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the first rows and a count of the rest; `where` says where all of them are."""
    if len(rows) <= MAX_PRINTED_PROBLEMS:
        return tuple(rows)
    left = len(rows) - MAX_PRINTED_PROBLEMS
    return (*rows[:MAX_PRINTED_PROBLEMS], f"... and {left} more {where}")
