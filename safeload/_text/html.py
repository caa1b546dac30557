"""Render a table of facts as a self-contained HTML fragment for notebooks, with inline styles and no scripts."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, NamedTuple

from safeload._text.words import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

_CELL = "text-align:left;vertical-align:top;padding:.15em .8em .15em 0;overflow-wrap:anywhere"


def escape(text: str) -> str:
    """Escape a text from a file for a page: markup, and what a reader could not see."""
    return html.escape(visible(text))


class Folded(NamedTuple):
    """A titled list that is collapsed until the reader opens it."""

    title: str
    lines: Sequence[str]

    def __bool__(self) -> bool:
        """Return whether the list has any lines."""
        return bool(self.lines)

    def html(self) -> str:
        """Return the list as HTML."""
        inner = "<br>".join(map(escape, self.lines))
        return f"<details><summary>{escape(self.title)}</summary>{inner}</details>"


class FileLine(NamedTuple):
    """A file, rendered on one line."""

    role: str
    path: str
    facts: str

    def html(self) -> str:
        """Return the line as HTML."""
        return f"<div>{escape(self.role)}: <code>{escape(self.path)}</code> {escape(self.facts)}</div>"


def facts_table(title: str, rows: Sequence[tuple[str, str | Folded | Sequence[FileLine]]]) -> str:
    """Return a titled HTML table of the rows that have a value."""
    body = "".join(
        f'<tr><th style="{_CELL}">{escape(label)}</th><td style="{_CELL}">{_cell(value)}</td></tr>'
        for label, value in rows
        if value
    )
    return f'<div class="safeload-report"><p><strong>{escape(title)}</strong></p><table>{body}</table></div>'


def _cell(value: str | Folded | Sequence[FileLine]) -> str:
    if isinstance(value, str):
        return escape(value)
    return value.html() if isinstance(value, Folded) else "".join(line.html() for line in value)
