"""Find what explains that a model computes something else than expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._outputs.report import BOUND
from safeload._outputs.subject import HALF
from safeload._outputs.tables import differences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from safeload._outputs.subject import Outputs, Subject

    Array = NDArray[Any]

_SAME_EPSILON = 1e-9


def causes_of(
    subject: Subject, expected: Outputs, first: str, found: Mapping[str, Array], *, as_it_is: bool
) -> list[str]:
    """Return what explains a difference that begins in a layer: dropout, half precision, other settings, or another layer's place.

    Args:
        subject: The model.
        expected: The tables that are expected.
        first: The first layer that differs.
        found: The tables of the model.
        as_it_is: As it was computed.
    """
    again = subject.compute(expected.inputs, as_it_is)
    if any(each.is_beyond(BOUND) for each in differences(found, again)):
        return ["the model gives other numbers each time: dropout is left on; call model.eval() first"]
    return [*_settings(subject, expected, first), *_places(expected, first, found)]


def _settings(subject: Subject, expected: Outputs, first: str) -> Iterator[str]:
    for key, value in subject.settings.items():
        wanted = expected.settings.get(key, value)
        if _is_same(value, wanted) or not subject.explains(key, first):
            continue
        half = ", half precision" * (value in HALF)
        yield f"{key} is {_shown(value)}{half}; expected {_shown(wanted)}"


def _places(expected: Outputs, first: str, found: Mapping[str, Array]) -> Iterator[str]:
    """Yield the layer whose expected table the first layer has."""
    table = found.get(first)
    for name, each in expected.layers.items():
        if table is not None and name != first and not differences({"": each}, {"": table})[0].is_beyond(BOUND):
            yield f"{first} gives what is expected of {name}: layers or directions are exchanged"


def _is_same(one: object, other: object) -> bool:
    is_small = isinstance(one, float) and isinstance(other, (int, float)) and abs(one - other) <= _SAME_EPSILON
    return one == other or is_small


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
