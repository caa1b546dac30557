"""Write a self-contained HTML page that shows the layers as a heat map, to reveal broken variables.

Layers with the same variables form one table: a row per layer, a column per variable. A cell's colour shows how far its
statistic is from the median of its column: blue below, red above, full colour at `FULL_AT` doublings. Variables that are
unfilled, all zeros, exploded or damaged have their own colours.
"""

from __future__ import annotations

import math
import os
import re
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from safeload._bytes.writing import atomic_write
from safeload.cli import _console
from safeload.cli._statistics import number, remark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


_UNSAFE = re.compile("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")
"""Characters that are escaped in the page: control characters, text direction marks and surrogates."""


def write_page(path: str, weights: Weights, found: Mapping[str, Statistics]) -> None:
    """Write the page atomically.

    Raises:
        SafeLoadError: As `atomic_write`.
    """
    with atomic_write(path, role="page") as unfinished:
        unfinished.write(_UNSAFE.sub(_escaped, page(weights, found)).encode("utf-8"))


def _escaped(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]


def page(weights: Weights, found: Mapping[str, Statistics]) -> str:
    """Return the page as HTML."""
    n_bytes = sum(tensor.n_bytes for tensor in weights.tensors.values())
    families = _families(weights)
    shown = "\n".join(f"#show-{key}:checked ~ #{key} {{ display: block; }}" for key, _, _ in _PANELS)
    buttons = "".join(
        f'<input type="radio" name="panel" id="show-{key}"{" checked" if not at else ""}>'
        f'<label for="show-{key}"> {title}</label>'
        for at, (key, title, _) in enumerate(_PANELS)
    )
    panels = "".join(
        f'<div class="panel" id="{key}">{"".join(_map(key, family, weights, found) for family in families)}</div>'
        for key, _, _ in _PANELS
    )
    odd = [name for name, each in found.items() if _flag(each, weights.tensors[name])]
    summary = (
        f"{len(odd)} of {len(weights.tensors):,} tensors look broken: {', '.join(odd[:5])}"
        if odd
        else "no tensor looks broken"
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(os.path.basename(weights.file.ref.path))} - safeload inspect</title><style>{_STYLE}{shown}</style></head><body>
<h1>{escape(os.path.basename(weights.file.ref.path))}</h1>
<p>{escape(weights.what)}: {len(weights.tensors):,} tensors, {_console.bytes_text(n_bytes)}</p>
<p class="note">{escape(weights.file.ref.path)}</p>
<p id="summary"><strong>{escape(summary)}</strong></p>
{_KEY}
<form>{buttons}{panels}</form>
<h2>Every tensor</h2><div class="scroll">{_list(weights, found)}</div>
</body></html>
"""


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


def _families(weights: Weights) -> list[_Family]:
    families: dict[tuple[str, ...], _Family] = {}
    for layer, members in groupby(weights.tensors.values(), key=lambda tensor: tensor.layer):
        row = {tensor.inner_name: tensor for tensor in members}
        families.setdefault(tuple(row), _Family(tuple(row), {})).layers[layer] = row
    return list(families.values())


def _map(key: str, family: _Family, weights: Weights, found: Mapping[str, Statistics]) -> str:
    value = next(value for name, _, value in _PANELS if name == key)
    heads = "".join(f'<th scope="col"><div>{escape(name)}</div></th>' for name in family.variables)
    medians = {name: _median([row[name] for row in family.layers.values()], found, value) for name in family.variables}
    if len(family.layers) == 1:
        whole = _median(list(weights.tensors.values()), found, value) if key == "std" else None
        medians = dict.fromkeys(family.variables, whole)
    rows = []
    for layer, row in family.layers.items():
        cells = "".join(
            _cell(row[name], found.get(row[name].spec.name), value, medians[name]) for name in family.variables
        )
        rows.append(f'<tr><th scope="row">{escape(layer)}</th>{cells}</tr>')
    title = (
        next(iter(family.layers)) if len(family.layers) == 1 else f"{len(family.layers)} layers with the same variables"
    )
    body = f"<thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<h2>{escape(title)}</h2><div class="scroll"><table class="map">{body}</table></div>'


def _median(tensors: Sequence[Tensor], found: Mapping[str, Statistics], value: Value) -> float | None:
    """Return the median of a statistic, without zeros and None; None if no value is left."""
    read = [found[each.spec.name] for each in tensors if each.spec.name in found]
    known = [number for each in read if (number := value(each))]
    return statistics.median_low(known) if known else None


def _cell(tensor: Tensor, each: Statistics | None, value: Value, median: float | None) -> str:
    if each is None:
        return f'<td class="none" title="{escape(f"{tensor.spec.name}: {tensor.spec}")}"></td>'
    flag = _flag(each, tensor)
    tip = f"{tensor.spec.name} {tensor.spec}\nmin {number(each.low)}, max {number(each.high)}, mean {number(each.mean)}"
    tip += f", std {number(each.std)}, {each.n_zero:,} zeros, {each.n_nan + each.n_infinite:,} not finite"
    attributes = f'title="{escape(tip)}" data-name="{escape(tensor.spec.name)}"'
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
    if not value or not median:
        return "#fff"
    away = max(-1.0, min(1.0, math.log2(value / median) / FULL_AT))
    strength = abs(away) ** 0.8
    full = (214, 74, 74) if away > 0 else (74, 127, 214)
    return "#" + "".join(f"{round(250 + (part - 250) * strength):02x}" for part in full)


def _list(weights: Weights, found: Mapping[str, Statistics]) -> str:
    heads = "".join(f"<th>{title}</th>" for title in ("variable", "shape", "dtype", "size", *_TITLES))
    rows = []
    for layer, members in groupby(weights.tensors.values(), key=lambda tensor: tensor.layer):
        rows.append(f'<tr class="layer"><th colspan="{4 + len(_TITLES)}">{escape(layer)}</th></tr>')
        rows += [_list_row(tensor, found.get(tensor.spec.name)) for tensor in members]
    return f'<table class="list"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


_TITLES = ("min", "max", "mean", "std", "NaN", "zeros", "")


def _list_row(tensor: Tensor, each: Statistics | None) -> str:
    shape = str(tuple(tensor.spec.shape))
    cells = [tensor.inner_name, shape, tensor.spec.dtype, _console.bytes_text(tensor.n_bytes)]
    if each is not None:
        cells += [number(value) for value in (each.low, each.high, each.mean, each.std)]
        cells += [f"{each.n_nan + each.n_infinite:,}", f"{each.n_zero:,}", remark(each)]
    odd = ' class="odd"' if each is not None and _flag(each, tensor) else ""
    return f"<tr{odd}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
