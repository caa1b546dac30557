"""Expected against found: pure, and the same for variables and datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload.report import Problem, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def compare(
    expected: Mapping[str, TensorSpec], found: Mapping[str, TensorSpec], *, unexpected: Iterable[str] = ()
) -> list[Problem]:
    """Return every difference, in the order missing, shape, dtype, unexpected, each sorted as given.

    A tensor of another shape is reported once, as that, whatever its dtype.
    """
    missing = [
        Problem(kind="missing", name=name, expected=spec) for name, spec in expected.items() if name not in found
    ]
    extra = [Problem(kind="unexpected", name=name, found=found[name]) for name in unexpected]
    shape = []
    dtype = []
    for name, spec in expected.items():
        other = found.get(name)
        if other is None:
            continue
        if other.shape != spec.shape:
            shape.append(Problem(kind="shape", name=name, expected=spec, found=other))
        elif other.dtype != spec.dtype:
            dtype.append(Problem(kind="dtype", name=name, expected=spec, found=other))
    return [*missing, *shape, *dtype, *extra]
