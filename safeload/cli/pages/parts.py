"""Show which parts of a model have its parameters: a row for each stack of layers, and for each other layer."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from safeload._text.html import escape
from safeload._text.words import counted
from safeload.cli import _console
from safeload.cli._neighbours import is_slot
from safeload.cli.pages.frame import bar_cell, cell, head, heads, scrolled, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from safeload.cli._weights import Tensor

N_PARTS = 12
"""How many parts have a row of their own."""

_NUMBER = re.compile(r"[0-9]+$")
_FLOATS = ("float", "bfloat")
_FROM_MILLIONS = 100_000
_LEAST_SHARE = 0.001


class Part(NamedTuple):
    """A part of a model.

    Attributes:
        name: Its name, as HTML.
        n_tensors, n_values, n_bytes: Its sizes.
        is_model: Whether its values are parameters of the model.
    """

    name: str
    n_tensors: int
    n_values: int
    n_bytes: int
    is_model: bool = True


def count_text(n_values: int) -> str:
    """Return a number of parameters, a large one in millions."""
    return f"{n_values:,}" if n_values < _FROM_MILLIONS else f"{n_values / 1e6:,.1f} M"


def parts_of(tensors: Mapping[str, Tensor]) -> list[Part]:
    """Return the parts of a model, the largest first, and what is stored beside them."""
    parts: dict[str, list[Tensor]] = {}
    others: dict[str, list[Tensor]] = {}
    for name, tensor in tensors.items():
        if is_slot(name, tensors):
            others.setdefault("state of the optimizer", []).append(tensor)
        elif not tensor.spec.dtype.startswith(_FLOATS):
            others.setdefault("integers and other types", []).append(tensor)
        else:
            parts.setdefault(_NUMBER.sub("N", tensor.layer), []).append(tensor)
    own = [_part(_name(prefix, members), members, is_model=True) for prefix, members in parts.items()]
    own.sort(key=lambda part: -part.n_bytes)
    return own + [_part(escape(name), members, is_model=False) for name, members in others.items()]


def _name(prefix: str, members: list[Tensor]) -> str:
    n_layers = len({tensor.layer for tensor in members})
    name = prefix if n_layers > 1 else members[0].layer
    return f"<code>{text(name)}</code>" + (f", {counted(n_layers, 'layer')}" if n_layers > 1 else "")


def _part(name: str, members: list[Tensor], *, is_model: bool) -> Part:
    n_values = sum(math.prod(tensor.spec.shape) for tensor in members)
    return Part(name, len(members), n_values, sum(tensor.n_bytes for tensor in members), is_model)


def parts_table(parts: list[Part]) -> Iterator[str]:
    """Yield the table of the parts."""
    yield '<section><h2 id="parts">Where the parameters are</h2>\n'
    yield from scrolled("Where the parameters are", _table(parts))
    yield "</section>\n"


def _table(parts: list[Part]) -> Iterator[str]:
    total = sum(part.n_bytes for part in parts) or 1
    titles = heads(
        ("part", "name"),
        ("tensors", "number"),
        ("parameters", "number"),
        ("size", "number"),
        ("share of it", "number wide"),
    )
    yield f'<table class="bars"><caption>The largest parts first; the size is that of the values.</caption>{titles}<tbody>'
    for part in [*parts[:N_PARTS], *_rest(parts[N_PARTS:])]:
        share = part.n_bytes / total
        n_values = count_text(part.n_values) if part.is_model else ""
        numbers = [f"{part.n_tensors:,}", n_values, _console.bytes_text(part.n_bytes)]
        yield f"<tr>{head(part.name, 'name')}{''.join(cell(each, 'number') for each in numbers)}{bar_cell(share, _percent(share))}</tr>\n"
    yield "</tbody></table>"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%" if share >= _LEAST_SHARE or not share else f"< {100 * _LEAST_SHARE}%"


def _rest(parts: Iterable[Part]) -> list[Part]:
    rest = list(parts)
    if not rest:
        return []
    sums = (
        sum(part.n_tensors for part in rest),
        sum(part.n_values for part in rest),
        sum(part.n_bytes for part in rest),
    )
    return [Part(f"{counted(len(rest), 'smaller part')}", *sums)]
