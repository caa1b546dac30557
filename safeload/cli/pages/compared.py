"""Compare all layers of a file, and put in words what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from safeload.cli._neighbours import DEVIATIONS, MEASURES, SHARE, compare, is_slot, stacks
from safeload.cli.pages.marks import CONSTANT, mark_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from safeload.cli._neighbours import Deviation, Measure, Stack
    from safeload.cli._statistics import Statistics
    from safeload.cli._weights import Tensor
    from safeload.cli.pages.marks import Mark


@dataclass(kw_only=True)
class Compared:
    """What the values of a file show.

    Attributes:
        stacks: The layers that are compared.
        marks: Name -> what makes a tensor look broken.
        deviations: Name -> measure -> how far a tensor is from its neighbours.
        outliers: Name -> the measures in which it is an outlier, both in order.
        layers: Name -> the layer of a stack, in words.
    """

    stacks: list[Stack]
    marks: dict[str, Mark] = field(default_factory=dict)
    deviations: dict[str, dict[str, Deviation]] = field(default_factory=dict)
    outliers: dict[str, list[Measure]] = field(default_factory=dict)
    layers: dict[str, str] = field(default_factory=dict)


def compared(tensors: Sequence[Tensor], found: Mapping[str, Statistics]) -> Compared:
    """Compare the layers of a file."""
    comparable = [stack for stack in stacks(tensors) if stack.is_comparable]
    result = Compared(stacks=comparable, marks=_marks(tensors, comparable, found))
    for stack in result.stacks:
        for layer, row in stack.layers.items():
            words = f"layer {stack.number(layer)}" if len(result.stacks) == 1 else layer
            result.layers |= {tensor.spec.name: words for tensor in row.values()}
        for column in stack.columns:
            _compare_column(result, [row[column] for row in stack.layers.values()], found)
    for name in (tensor.spec.name for tensor in tensors):
        known = result.deviations.get(name, {})
        far = [measure for measure in MEASURES if measure.id in known and abs(known[measure.id].score) >= 1]
        if far:
            result.outliers[name] = far
    return result


def _marks(tensors: Sequence[Tensor], comparable: Sequence[Stack], found: Mapping[str, Statistics]) -> dict[str, Mark]:
    """Return the marks of broken tensors.

    A vector whose values are all the same may be as it was initialised, such as the bias of a head that nobody uses. It counts as
    broken where the same vector of most other layers has different values. The state of an optimizer may be as it was, too.
    """
    marks = {tensor.spec.name: mark for tensor in tensors if (mark := mark_of(found.get(tensor.spec.name), tensor))}
    alone = set()
    for stack in comparable:
        for column in stack.columns:
            names = [row[column].spec.name for row in stack.layers.values()]
            constant = {name for name in names if name in marks and marks[name].sign in CONSTANT}
            alone |= constant if 2 * len(constant) < len(names) else set()
    names_of_all = {tensor.spec.name for tensor in tensors}
    initial = {
        tensor.spec.name
        for tensor in tensors
        if tensor.spec.name in marks and marks[tensor.spec.name].sign in CONSTANT
        if len(tensor.spec.shape) < 2 or is_slot(tensor.spec.name, names_of_all)  # noqa: PLR2004  (a vector)
    }
    return {name: mark for name, mark in marks.items() if name not in initial - alone}


def _compare_column(result: Compared, tensors: Sequence[Tensor], found: Mapping[str, Statistics]) -> None:
    is_float = tensors[0].spec.dtype.startswith(("float", "bfloat"))
    known = [None if each.spec.name in result.marks or not is_float else found.get(each.spec.name) for each in tensors]
    is_matrix = len(tensors[0].spec.shape) > 1
    for measure in MEASURES:
        for tensor, each in zip(tensors, compare(known, measure, is_matrix=is_matrix), strict=True):
            if each is not None:
                result.deviations.setdefault(tensor.spec.name, {})[measure.id] = each


_MOST_DOUBLINGS = 1023.0
"""What a float holds."""


def sentence(each: Deviation, measure: Measure) -> str:
    """Return how a tensor differs from its neighbours, to follow its name."""
    value, usual = figures(each, measure)
    if measure.unit == SHARE:
        return f"{value} of its values are 0, and {usual} of those of its neighbours"
    if measure.unit == DEVIATIONS:
        away = f"{abs(each.distance):.2g} standard deviations {'above' if each.distance > 0 else 'below'}"
    else:
        away = f"{2.0 ** min(each.distance, _MOST_DOUBLINGS):.2g} times"
    return f"its {measure.title}, {value}, is {away} that of its neighbours, {usual}"


def figures(each: Deviation, measure: Measure) -> tuple[str, str]:
    """Return the value and the usual value as text."""
    shown = [value_text(value, measure) for value in (each.value, each.usual)]
    return shown[0], shown[1]


def value_text(value: float, measure: Measure) -> str:
    """Return the value of a measure as text."""
    if measure.unit == SHARE:
        return "100%" if value == 1 else f"{100 * value:.2g}%"
    return f"{value:.2g}"
