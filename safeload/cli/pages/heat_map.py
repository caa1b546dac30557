"""Draw each stack of layers as a table: a row for each layer, a column for each tensor, coloured where a cell is unlike its neighbours."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from safeload._text.html import escape
from safeload.cli._neighbours import DEVIATIONS, MEASURES, N_NEAR, N_SPREADS, SHARE
from safeload.cli.pages.compared import figures, value_text
from safeload.cli.pages.frame import cell, classed, head, scrolled, text
from safeload.cli.pages.marks import SIGNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from safeload.cli._neighbours import Deviation, Measure, Stack
    from safeload.cli._statistics import Statistics
    from safeload.cli.pages.compared import Compared

STEPS = (1 / 3, 2 / 3, 1.0)
"""The scores from which a cell has the first, second and third colour; from the third it is an outlier."""

STYLE = "\n".join(f"#show-{measure.id}:checked ~ #by-{measure.id} {{ display: block; }}" for measure in MEASURES)
"""Shows the panel of the measure that is chosen."""

_ABOVE, _BELOW = ("a", "\N{BLACK UP-POINTING TRIANGLE}", "above"), ("b", "\N{BLACK DOWN-POINTING TRIANGLE}", "below")

_ELSEWHERE = "\N{BLACK DIAMOND}"
"""The sign of an outlier in another measure than the one that is shown."""


def maps(compared: Compared, found: Mapping[str, Statistics]) -> Iterator[str]:
    """Yield the maps of all stacks, by each measure."""
    yield f"""<section><h2 id="map">Each layer against its neighbours</h2>
<p>A cell is a tensor of one layer. It is compared with the same tensor of the {N_NEAR} nearest layers, and coloured where it is
unlike them. What is usual depends on the tensor: matrices differ little from layer to layer, biases more.</p>
{_key()}<fieldset><legend>Statistic</legend>
"""
    for at, measure in enumerate(MEASURES):
        checked = "" if at else " checked"
        title = measure.title[0].upper() + measure.title[1:]
        yield f'<input type="radio" name="measure" id="show-{measure.id}"{checked}><label for="show-{measure.id}">&nbsp;{title}</label>\n'
    for measure in MEASURES:
        yield f'<div class="panel" id="by-{measure.id}">'
        for stack in compared.stacks:
            yield from scrolled(f"{measure.title}, {stack.prefix}", _map(stack, measure, compared, found))
        yield "</div>\n"
    yield "</fieldset></section>\n"


def _key() -> str:
    steps = [
        (f"{kind}{step}", f"{sign} far {side}: marked" if step == len(STEPS) else f"{word} {side}")
        for kind, sign, side in (_BELOW, _ABOVE)
        for step, word in enumerate(("a little", "clearly", ""), 1)
    ]
    ordered = [*steps[2::-1], ("", "usual"), *steps[3:]]
    broken = [("x", f"{sign}: {meaning}") for sign, meaning in SIGNS.items()]
    elsewhere = ("e", f"{_ELSEWHERE} far in another statistic")
    items = "".join(f"<li{classed(name)}>{escape(words)}</li>" for name, words in (*ordered, elsewhere, *broken))
    bounds = "".join(f"<li>{_bound_text(measure)}</li>" for measure in MEASURES)
    return f"""<ul class="key" aria-label="Meaning of the colours and signs">{items}</ul>
<details><summary>When a cell is marked</summary><ul>{bounds}</ul>
<p>Where a tensor differs more than that from layer to layer, its cells are marked from {N_SPREADS:g} times its typical difference.</p></details>
"""


def _bound_text(measure: Measure) -> str:
    if measure.unit == SHARE:
        return f"{measure.title}: {100 * measure.matrix:g} percentage points from that of its neighbours"
    bounds = (measure.matrix, measure.vector)
    if measure.unit == DEVIATIONS:
        matrix, vector = (f"{bound:g} of their standard deviations" for bound in bounds)
        return f"{measure.title}: {matrix} from that of its neighbours for a matrix, {vector} for a vector"
    matrix, vector = (f"{2**bound:g} times" for bound in bounds)
    return f"{measure.title}: {matrix} that of its neighbours for a matrix, {vector} for a vector; or as far below"


def _map(stack: Stack, measure: Measure, compared: Compared, found: Mapping[str, Statistics]) -> Iterator[str]:
    caption = f"{text(stack.prefix)}N: {len(stack.layers):,} layers, {measure.title} of each tensor"
    titles = "".join(f'<th scope="col"><span>{text(name)}</span></th>' for name in stack.columns)
    yield f'<table class="map"><caption>{caption}</caption><thead><tr><th scope="col">layer</th>{titles}</tr></thead><tbody>'
    for layer, row in stack.layers.items():
        yield f"<tr>{head(text(stack.number(layer)))}"
        for column in stack.columns:
            yield _cell(row[column].spec.name, measure, compared, found)
        yield "</tr>\n"
    yield f"</tbody><tfoot><tr>{head('median')}"
    for column in stack.columns:
        names = [row[column].spec.name for row in stack.layers.values()]
        values = [each[measure.id].value for name in names if measure.id in (each := compared.deviations.get(name, {}))]
        yield cell(value_text(median(values), measure) if values else "")
    yield "</tr></tfoot></table>"


def _cell(name: str, measure: Measure, compared: Compared, found: Mapping[str, Statistics]) -> str:
    if name in compared.marks:
        mark = compared.marks[name]
        return f'<td class="x">{mark.sign}<span class="sr"> {SIGNS[mark.sign]}</span></td>'
    each = compared.deviations.get(name, {}).get(measure.id)
    others = [other.title for other in compared.outliers.get(name, ()) if other is not measure]
    if each is not None:
        return _compared_cell(each, measure, others)
    value = measure.value(found[name]) if name in found and found[name].count else None
    return cell("" if value is None else value_text(value, measure), "off")


def _compared_cell(each: Deviation, measure: Measure, others: list[str]) -> str:
    """Return a cell that is compared; `others` are the measures in which the tensor is an outlier besides."""
    value, usual = figures(each, measure)
    step = sum(abs(each.score) >= bound for bound in STEPS)
    kind, sign, side = _ABOVE if each.score > 0 else _BELOW
    words = f"far {side} its neighbours"
    if step < len(STEPS) and others:
        sign, words = _ELSEWHERE, f"far from its neighbours: {', '.join(others)}"
    elif not step:
        return cell(value)
    elif step < len(STEPS):
        return f'<td class="{kind}{step}" title="neighbours: {usual}">{value}</td>'
    name = f"{kind}{step}" if step == len(STEPS) else "e"
    said = f'<span aria-hidden="true">{sign}</span> {value}<span class="sr"> {words}</span>'
    return f'<td class="{name}" title="{words}; neighbours: {usual}">{said}</td>'
