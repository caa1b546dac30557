"""Write a self-contained HTML page that shows the layers as a heat map, to reveal broken variables.

Layers with the same variables form one table: a row per layer, a column per variable. A cell's colour shows how far its
statistic is from the median of its column: blue below, red above, full colour at `FULL_AT` doublings. Variables that are
unfilled, all zeros, exploded or damaged have their own colours.
"""

from __future__ import annotations

import itertools
import math
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from safeload._bytes.writing import atomic_write
from safeload._text.html import escape
from safeload.cli import _console
from safeload.cli._statistics import number, remark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from safeload.cli._statistics import Statistics
    from safeload.cli._weights import Tensor, Weights

FULL_AT = 3.0
"""Doublings from the median at which the colour is full."""

Value = Callable[["Statistics"], "float | None"]
_PANELS: tuple[tuple[str, str, Value], ...] = (
    ("std", "standard deviation", lambda each: each.std),
    ("max", "largest absolute value", lambda each: None if each.low is None else max(-each.low, each.high or 0.0)),
    ("mean", "absolute mean", lambda each: None if each.mean is None else abs(each.mean)),
)
_STYLE = """
:root { color-scheme: light; }
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; color: #1a1a1a; }
h1 { font-size: 1.3rem; margin: 0; } h2 { font-size: 1rem; margin: 1.6rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .3rem 0; overflow-wrap: anywhere; } .note { color: #555; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; } input[name=panel] { margin-left: 1rem; }
.map td { border: 1px solid #fff; width: 3.2rem; min-width: 3.2rem; height: 1.7rem; text-align: center; font-size: 11px; }
.map th { font-weight: normal; font-size: 11px; text-align: right; padding: 0 .5rem; white-space: nowrap; }
.map thead th { vertical-align: bottom; padding: .3rem 0; }
.map thead th div { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; margin: 0 auto; }
.nan { background: #d100d1; color: #fff; font-weight: bold; } .zero { background: #111; color: #fff; font-weight: bold; }
.same { background: #6b4a00; color: #fff; font-weight: bold; } .none { background: #f3f3f3; }
.fault { background: repeating-linear-gradient(45deg, #d100d1, #d100d1 5px, #fff 5px, #fff 10px); font-weight: bold; }
.huge { background: #8b0000; color: #fff; font-weight: bold; }
.key span { display: inline-block; margin: 0 1.2rem .3rem 0; } .key b { display: inline-block; min-width: 1.6rem; text-align: center; } .list { width: 100%; font-size: 12px; }
.list td, .list th { padding: .1rem .6rem .1rem 0; text-align: right; white-space: nowrap; }
.list td:first-child, .list th:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.list tr.layer th { text-align: left; padding-top: .6rem; } .list tr.odd td { background: #fde7fd; }
.panel { display: none; }
"""


MAX_TENSORS = 20_000
"""The most tensors on a page; no browser shows more."""

MAX_NAME = 300
"""Characters of a name on a page."""


def write_page(path: str, weights: Weights, found: Mapping[str, Statistics]) -> None:
    """Write the page atomically, in parts.

    Raises:
        SafeLoadError: As `atomic_write`.
    """
    with atomic_write(path, role="page") as unfinished:
        for part in page(weights, found):
            unfinished.write(part.encode("utf-8", "backslashreplace"))


def _text(text: str) -> str:
    """Escape a text from a file, and cut what is longer than any name."""
    return escape(text if len(text) <= MAX_NAME else f"{text[:MAX_NAME]}...")


def page(weights: Weights, found: Mapping[str, Statistics]) -> Iterator[str]:
    """Yield the parts of the page, as HTML."""
    tensors = list(itertools.islice(weights.tensors.values(), MAX_TENSORS))
    n_bytes = sum(tensor.n_bytes for tensor in weights.tensors.values())
    odd = [name for name, each in found.items() if _flag(each, weights.tensors[name])]
    summary = "no tensor looks broken"
    if odd:
        names = ", ".join(map(_text, odd[:5]))
        summary = f"{len(odd):,} of {len(weights.tensors):,} tensors look broken: {names}"
    shown = "\n".join(f"#show-{key}:checked ~ #{key} {{ display: block; }}" for key, _, _ in _PANELS)
    name = _text(os.path.basename(weights.file.ref.path))
    files = "".join(f'<p class="note">{_text(line)}</p>\n' for line in weights.files_text())
    yield f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name} - safeload inspect</title><style>{_STYLE}{shown}</style></head><body>
<h1>{name}</h1>
<p>{escape(weights.what)}: {len(weights.tensors):,} tensors, {_console.bytes_text(n_bytes)}</p>
<p class="note">{escape(weights.file.ref.path)}</p>
{files}<p id="summary"><strong>{summary}</strong></p>
"""
    if len(tensors) < len(weights.tensors):
        yield f'<p class="note">The first {len(tensors):,} tensors are shown; safeload inspect --json has all.</p>\n'
    yield f"{_KEY}\n<form>"
    for at, (key, title, _) in enumerate(_PANELS):
        checked = "" if at else " checked"
        yield f'<input type="radio" name="panel" id="show-{key}"{checked}><label for="show-{key}"> {title}</label>'
    families = _families(tensors)
    for key, _, value in _PANELS:
        whole = _median(tensors, found, value) if key == "std" else None
        yield f'<div class="panel" id="{key}">'
        for family in families:
            yield from _map(family, found, value, whole)
        yield "</div>"
    yield '</form>\n<h2>Every tensor</h2><div class="scroll">'
    yield from _list(tensors, found)
    yield "</div>\n</body></html>\n"


_KEY = (
    '<p class="key">'
    + "".join(
        f"<span><b {mark}>{sign}</b> {meaning}</span>"
        for mark, sign, meaning in (
            ('style="background:#4a7fd6"', "&nbsp;", "8 times below the same variable in other layers"),
            ('style="background:#d64a4a"', "&nbsp;", "8 times above"),
            ('class="nan"', "NaN", "NaN or infinite"),
            ('class="zero"', "0", "all zeros"),
            ('class="same"', "=", "all the same"),
            ('class="huge"', "!", "exploded: beyond 1,000"),
            ('class="fault"', "?", "damaged bytes"),
        )
    )
    + "</p>"
)


@dataclass(frozen=True)
class _Family:
    """Layers with the same variables."""

    variables: tuple[str, ...]
    layers: dict[str, dict[str, Tensor]]


def _families(tensors: Sequence[Tensor]) -> list[_Family]:
    families: dict[tuple[str, ...], _Family] = {}
    for layer, members in groupby(tensors, key=lambda tensor: tensor.layer):
        row = {tensor.inner_name: tensor for tensor in members}
        families.setdefault(tuple(row), _Family(tuple(row), {})).layers[layer] = row
    return list(families.values())


def _map(family: _Family, found: Mapping[str, Statistics], value: Value, whole: float | None) -> Iterator[str]:
    """Yield the parts of a family's map; `whole` is the median to which a single layer is compared."""
    n_layers = len(family.layers)
    title = _text(next(iter(family.layers))) if n_layers == 1 else f"{n_layers} layers with the same variables"
    heads = "".join(f'<th scope="col"><div>{_text(name)}</div></th>' for name in family.variables)
    medians = dict.fromkeys(family.variables, whole)
    if n_layers > 1:
        medians = {
            name: _median([row[name] for row in family.layers.values()], found, value) for name in family.variables
        }
    yield f'<h2>{title}</h2><div class="scroll"><table class="map"><thead><tr><td></td>{heads}</tr></thead><tbody>'
    for layer, row in family.layers.items():
        yield f'<tr><th scope="row">{_text(layer)}</th>'
        for name in family.variables:
            yield _cell(row[name], found.get(row[name].spec.name), value, medians[name])
        yield "</tr>"
    yield "</tbody></table></div>"


def _median(tensors: Sequence[Tensor], found: Mapping[str, Statistics], value: Value) -> float | None:
    """Return the median of a statistic, without zeros and None; None if no value is left."""
    read = [found[each.spec.name] for each in tensors if each.spec.name in found]
    known = [number for each in read if (number := value(each))]
    return statistics.median_low(known) if known else None


def _cell(tensor: Tensor, each: Statistics | None, value: Value, median: float | None) -> str:
    if each is None:
        return f'<td class="none" title="{_text(tensor.spec.name)}: {escape(str(tensor.spec))}"></td>'
    flag = _flag(each, tensor)
    name = _text(tensor.spec.name)
    tip = (
        f"{name} {escape(str(tensor.spec))}\nmin {number(each.low)}, max {number(each.high)}, mean {number(each.mean)}"
    )
    tip += f", std {number(each.std)}, {each.n_zero:,} zeros, {each.n_nan + each.n_infinite:,} not finite"
    attributes = f'title="{tip}" data-name="{name}"'
    if flag:
        return f'<td class="{flag[0]}" {attributes}>{flag[1]}</td>'
    shown = value(each)
    text = "" if shown is None else f"{shown:.2g}"
    return f'<td style="background:{_colour(shown, median)}" {attributes}>{text}</td>'


def _flag(each: Statistics, tensor: Tensor) -> tuple[str, str] | None:
    """Return the CSS class and text for a broken tensor, or None."""
    if each.n_nan or each.n_infinite:
        return "nan", "NaN"
    if each.fault:
        return "fault", "?"
    if not tensor.spec.dtype.startswith("float"):
        return None
    if each.is_zero and each.count > 1:
        return "zero", "0"
    if each.is_constant:
        return "same", "="
    if each.is_huge:
        return "huge", "!"
    return None


def _colour(value: float | None, median: float | None) -> str:
    if not value or not median or not (math.isfinite(value) and math.isfinite(median)):
        return "#fff"
    away = max(-1.0, min(1.0, (math.log2(value) - math.log2(median)) / FULL_AT))
    strength = abs(away) ** 0.8
    full = (214, 74, 74) if away > 0 else (74, 127, 214)
    return "#" + "".join(f"{round(250 + (part - 250) * strength):02x}" for part in full)


def _list(tensors: Sequence[Tensor], found: Mapping[str, Statistics]) -> Iterator[str]:
    heads = "".join(f"<th>{title}</th>" for title in ("variable", "shape", "dtype", "size", *_TITLES))
    yield f'<table class="list"><thead><tr>{heads}</tr></thead><tbody>'
    for layer, members in groupby(tensors, key=lambda tensor: tensor.layer):
        yield f'<tr class="layer"><th colspan="{4 + len(_TITLES)}">{_text(layer)}</th></tr>'
        for tensor in members:
            yield _list_row(tensor, found.get(tensor.spec.name))
    yield "</tbody></table>"


_TITLES = ("min", "max", "mean", "std", "NaN", "zeros", "")


def _list_row(tensor: Tensor, each: Statistics | None) -> str:
    shape = str(tuple(tensor.spec.shape))
    cells = [tensor.inner_name, shape, tensor.spec.dtype, _console.bytes_text(tensor.n_bytes)]
    if each is not None:
        cells += [number(value) for value in (each.low, each.high, each.mean, each.std)]
        cells += [f"{each.n_nan + each.n_infinite:,}", f"{each.n_zero:,}", remark(each)]
    odd = ' class="odd"' if each is not None and _flag(each, tensor) else ""
    return f"<tr{odd}>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>"
