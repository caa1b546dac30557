"""Measure how the values of two tensors differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class ValueDifference:
    """How the values of one tensor differ.

    Attributes:
        name: Its name in the first file.
        n_different: Number of values that differ; NaN equals NaN.
        count: Number of values.
        max_abs: Largest absolute difference of finite values; None for types that are not numbers.
        distance: Norm of the difference divided by the norm of the first; None if that is 0, or if NaN or infinity differ.
    """

    name: str
    n_different: int
    count: int
    max_abs: float | None
    distance: float | None


def values_differ(name: str, a: NDArray[Any], b: NDArray[Any], dtype: str) -> ValueDifference | None:
    """Compare the values of two tensors of one shape and type, in blocks; None if all are equal."""
    flat_a, flat_b = a.reshape(-1), b.reshape(-1)
    is_number = a.dtype.kind in "fiu" and a.dtype.name == dtype
    n_different = 0
    is_finite = True
    largest = [_Norm(), _Norm()]
    for start in range(0, a.size, N_BLOCK):
        left, right = flat_a[start : start + N_BLOCK], flat_b[start : start + N_BLOCK]
        unequal = (left != right) & ~((left != left) & (right != right))  # noqa: PLR0124  (NaN is unequal to itself)
        n_different += int(np.count_nonzero(unequal))
        if is_number:
            with np.errstate(all="ignore"):
                step = right.astype(np.float64) - left.astype(np.float64)
            finite = np.isfinite(step)
            is_finite &= bool(finite[unequal].all())
            largest[0].add(step[finite])
            largest[1].add(left[finite].astype(np.float64))
    if not n_different:
        return None
    difference, norm = largest
    return ValueDifference(
        name=name,
        n_different=n_different,
        count=a.size,
        max_abs=difference.scale if difference.n_values else None,
        distance=difference.divided_by(norm) if is_number and is_finite else None,
    )


class _Norm:
    """The Euclidean norm of values that come in blocks, without overflow of their squares.

    Attributes:
        scale: The largest absolute value.
        n_values: The number of values.
    """

    def __init__(self) -> None:
        self.scale = 0.0
        self.n_values = 0
        self._sum = 0.0

    def add(self, values: NDArray[np.float64]) -> None:
        self.n_values += values.size
        high = float(np.abs(values).max(initial=0.0))
        if high > self.scale:
            self._sum *= (self.scale / high) ** 2
            self.scale = high
        if self.scale:
            scaled = values / self.scale
            self._sum += float(np.dot(scaled, scaled))

    def divided_by(self, other: _Norm) -> float | None:
        """Return the quotient of two norms; None if it is no finite number."""
        if not other.scale:
            return None
        quotient = self.scale / other.scale * math.sqrt(self._sum / other._sum)
        return quotient if math.isfinite(quotient) else None
