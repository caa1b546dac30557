"""Compare the tensors of each layer with those of the layers beside it, to find what is unlike its neighbours.

Layers that repeat, such as those of a BERT's encoder, form a stack. In a trained model, a tensor's statistics are close to those
of the same tensor in the nearest layers; they drift slowly from the first layer to the last. A fault leaves a jump.

The bounds are above all that was measured on trained weights: of the matrices of a BERT of 6 layers, the standard deviation is at
most 1.5 times that of its neighbours or 1.5 times below; that of a bias or of a LayerNorm's weights up to 2.8 times.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from safeload.cli._statistics import Statistics
    from safeload.cli._weights import Tensor

N_NEAR = 4
"""How many of the nearest layers a layer is compared with."""

N_LAYERS = N_NEAR
"""The fewest layers of a stack that are compared: of fewer, nobody can say which one is at fault."""

N_SPREADS = 5.0
"""How many typical differences of the same tensor over all layers an outlier exceeds."""

N_LEFT_OUT = 64
"""Up to how many layers the typical difference leaves out the layer itself."""

_TO_DEVIATION = 1.4826
"""Turns a median absolute deviation into the standard deviation of a normal distribution."""

_FARTHEST = 1e300
"""Stands for a distance that no float holds."""

_NUMBER = re.compile(r"[0-9]+$")


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A statistic by which layers are compared.

    Attributes:
        id: Its name in a page.
        title: Its name in words.
        value: Takes it from the statistics; None if it cannot be compared.
        unit: How a difference is counted: in doublings, in standard deviations of the neighbours, or as it is.
        matrix, vector: How far a matrix, or a vector, may be from its neighbours at least.
    """

    id: str
    title: str
    value: Callable[[Statistics], float | None]
    unit: str
    matrix: float
    vector: float


def _largest(each: Statistics) -> float | None:
    return None if each.low is None or each.high is None else max(-each.low, each.high)


RATIO, DEVIATIONS, SHARE = "ratio", "deviations", "share"
STD, LARGEST, MEAN, ZEROS = MEASURES = (
    Measure(id="std", title="standard deviation", value=lambda each: each.std, unit=RATIO, matrix=1.0, vector=3.0),
    Measure(id="largest", title="largest magnitude", value=_largest, unit=RATIO, matrix=4.0, vector=4.0),
    Measure(id="mean", title="mean", value=lambda each: each.mean, unit=DEVIATIONS, matrix=0.5, vector=8.0),
    Measure(id="zeros", title="share of zeros", value=lambda each: each.n_zero / each.count, unit=SHARE, matrix=0.05, vector=0.05),
)  # fmt: skip


class Deviation(NamedTuple):
    """How far a tensor is from its neighbours.

    Attributes:
        value: Its statistic.
        usual: The median of that of its neighbours.
        distance: How far it is from `usual`, in the unit of the measure; negative below.
        bound: The distance from which it is an outlier.
    """

    value: float
    usual: float
    distance: float
    bound: float

    @property
    def score(self) -> float:
        """The distance by the bound: an outlier is at or beyond 1 or -1."""
        return self.distance / self.bound


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Layers with the same tensors, in order.

    Attributes:
        prefix: The name of the layers, without their numbers.
        columns: The names of the tensors without the layer, matrices first.
        layers: Name of the layer -> name without the layer -> tensor.
    """

    prefix: str
    columns: tuple[str, ...]
    layers: Mapping[str, Mapping[str, Tensor]]

    @property
    def is_comparable(self) -> bool:
        """Whether there are enough layers to compare."""
        return len(self.layers) >= N_LAYERS

    def number(self, layer: str) -> str:
        """Return the number of a layer."""
        return layer[len(self.prefix) :]


def stacks(tensors: Iterable[Tensor]) -> list[Stack]:
    """Return the layers that repeat: those whose names differ in the last number, and whose tensors have the same names and shapes.

    The state of an optimizer is left out: it is compared with nothing.
    """
    found: dict[object, dict[str, Mapping[str, Tensor]]] = {}
    for layer, members in groupby(tensors, key=lambda tensor: tensor.layer):
        row = {tensor.inner_name: tensor for tensor in members}
        row = {name: tensor for name, tensor in row.items() if not is_slot(name, row)}
        if _NUMBER.search(layer):
            shapes = tuple((name, tensor.spec.shape) for name, tensor in row.items())
            found.setdefault((_NUMBER.sub("", layer), shapes), {})[layer] = row
    return [_stack(layers) for layers in found.values()]


def _stack(layers: dict[str, Mapping[str, Tensor]]) -> Stack:
    layer, row = next(iter(layers.items()))
    columns = sorted(row, key=lambda name: (len(row[name].spec.shape) < 2, name))  # noqa: PLR2004  (a matrix)
    return Stack(prefix=_NUMBER.sub("", layer), columns=tuple(columns), layers=layers)


def is_slot(name: str, others: Collection[str]) -> bool:
    """Return whether a tensor is the state that an optimizer keeps for another one, such as `kernel/adam_m` for `kernel`."""
    return any(at > 0 and name[:at] in others for at in (name.rfind("/"), name.rfind(".")))


def compare(found: Sequence[Statistics | None], measure: Measure, *, is_matrix: bool) -> list[Deviation | None]:
    """Compare a tensor over the layers of a stack.

    Args:
        found: Its statistics in each layer; None where it is not read or is broken, which then counts for nothing.
        measure: The statistic.
        is_matrix: Whether it has at least two dimensions.

    Returns:
        For each layer how far it is from its neighbours; None where there is nothing to compare.
    """
    compared: list[Deviation | None] = [None] * len(found)
    points = [(at, point) for at, each in enumerate(found) if each is not None and (point := _point(each, measure))]
    if len(points) < N_LAYERS:
        return compared
    near = [[points[other][1] for other in _near(at, len(points))] for at in range(len(points))]
    usual = [median([value for value, _ in others]) for others in near]
    distances = [
        _distance(value, usual[at], median([std for _, std in near[at]]), measure)
        for at, (_, (value, _)) in enumerate(points)
    ]
    least = measure.matrix if is_matrix else measure.vector
    for at, spread in enumerate(_spreads(distances)):
        place, (value, _) = points[at]
        compared[place] = Deviation(value, usual[at], distances[at], max(least, N_SPREADS * spread))
    return compared


def _point(each: Statistics, measure: Measure) -> tuple[float, float] | None:
    """Return the value to compare and the standard deviation; None if the value cannot be compared."""
    value = measure.value(each) if each.count else None
    if value is None or each.std is None:
        return None
    has_unit = {RATIO: value > 0, DEVIATIONS: each.std > 0}.get(measure.unit, True)
    return (value, each.std) if has_unit else None


def _near(at: int, count: int) -> list[int]:
    """Return the places of the nearest others."""
    around = [other for other in range(max(0, at - N_NEAR), min(count, at + N_NEAR + 1)) if other != at]
    return sorted(around, key=lambda other: (abs(other - at), other))[:N_NEAR]


def _distance(value: float, usual: float, std: float, measure: Measure) -> float:
    if measure.unit == RATIO:
        distance = math.log2(value) - math.log2(usual)
    else:
        distance = value - usual if measure.unit == SHARE else (value - usual) / std
    return max(-_FARTHEST, min(_FARTHEST, distance))


def _spreads(distances: Sequence[float]) -> Iterator[float]:
    """Yield for each layer the typical difference of the others, by their median absolute deviation."""
    if len(distances) > N_LEFT_OUT:
        spread = _spread(distances)
        yield from (spread for _ in distances)
    else:
        yield from (_spread([*distances[:at], *distances[at + 1 :]]) for at in range(len(distances)))


def _spread(distances: Sequence[float]) -> float:
    middle = median(distances)
    return _TO_DEVIATION * median([abs(each - middle) for each in distances])
