"""Write the parts that every page has: its head, its facts, and values that can be copied.

A page is one file: nothing in it comes from elsewhere, and its Content-Security-Policy allows only its own style and script.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from typing import TYPE_CHECKING

from safeload._text.html import escape
from safeload.cli.pages.script import SCRIPT
from safeload.cli.pages.style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_NAME = 300
"""Characters of a name, or of a text from a file, on a page."""

MAX_COPIED = 1_000
"""Characters of what can be copied."""

CLOSING = f'<p class="sr" id="said" role="status"></p><script>{SCRIPT}</script></body></html>\n'


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def opening(title: str, style: str = "") -> str:
    """Return the beginning of a page, up to its body.

    Args:
        title: Its title, as text.
        style: What it adds to the style sheet; ASCII.
    """
    sheet = STYLE + style
    policy = f"default-src 'none'; style-src {_source(sheet)}; script-src {_source(SCRIPT)}; base-uri 'none'; form-action 'none'"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>{text(title)}</title><style>{sheet}</style></head><body>
"""


def text(given: str) -> str:
    """Return a text from a file for a page: escaped, and cut where it is longer than any name."""
    return escape(given if len(given) <= MAX_NAME else f"{given[:MAX_NAME]}...")


def copied(given: str, what: str, name: str = "whole") -> str:
    """Return a path, digest or name that can be copied, unless it is too long to be shown whole.

    Args:
        given: The text.
        what: What it is, such as "the digest".
        name: Its classes: "whole cut" shows the beginning alone, and selects and copies all.
    """
    if len(given) > MAX_COPIED:
        return f"<code>{text(given)}</code>"
    return f'<code class="{name}" data-copy="{what}">{escape(given)}</code>'


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Return a list of facts, of which those without a value are left out: titles as text, values as HTML."""
    return f'<dl class="facts">{"".join(f"<dt>{escape(title)}</dt><dd>{value}</dd>" for title, value in rows if value)}</dl>\n'


def listed(items: Sequence[str], limit: int) -> str:
    """Return HTML items as a list; how many are left out beyond the limit is its last item."""
    more = [f"and {len(items) - limit:,} more"] if len(items) > limit else []
    return f"<ul>{''.join(f'<li>{item}</li>' for item in itertools.chain(items[:limit], more))}</ul>"


def scrolled(label: str, table: Iterable[str]) -> Iterable[str]:
    """Yield a wide table in a box of its own, which scrolls, also by the keyboard."""
    yield f'<div class="scroll" role="region" tabindex="0" aria-label="{text(label)}">'
    yield from table
    yield "</div>\n"


def heads(*titles: tuple[str, str]) -> str:
    """Return the heads of a table's columns: the title and the class of each."""
    cells = "".join(f'<th scope="col"{classed(name)}>{escape(title)}</th>' for title, name in titles)
    return f"<thead><tr>{cells}</tr></thead>"


def cell(value: str, name: str = "") -> str:
    """Return a cell of a table, of an HTML value."""
    return f"<td{classed(name)}>{value}</td>"


def head(value: str, name: str = "") -> str:
    """Return the head of a row, of an HTML value."""
    return f'<th scope="row"{classed(name)}>{value}</th>'


def classed(name: str) -> str:
    """Return the attribute for these classes; "" for none."""
    return f' class="{name}"' if name else ""


def bar_cell(share: float, words: str) -> str:
    """Return a cell with a share in words, and a bar that fills this share of the width."""
    drawn = (
        '<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{100 * share:.1f}" height="1"/></svg>'
    )
    return f'<td class="wide"><span class="number">{words}</span>{drawn}</td>'


def filter_box(part: str, label: str) -> str:
    """Return a box that filters the rows of the part of the page with this id; it is hidden without a script."""
    return (
        f'<p class="filter" hidden><label for="filter">{escape(label)}</label>'
        f'<br><input id="filter" type="search" autocomplete="off" data-filter="{part}"> <output for="filter"></output></p>\n'
    )
