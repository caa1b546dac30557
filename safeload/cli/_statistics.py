"""What a tensor's values look like, in a few numbers."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_BLOCK = 1 << 20
HUGE_ABOVE = 1000.0


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The values of one tensor; NaN and infinity are counted, and left out of the rest.

    Attributes:
        count: How many values.
        n_nan: How many are NaN.
        n_infinite: How many are infinite.
        n_zero: How many are 0.
        low: The least; None where no value is finite, as the next three.
        high: The greatest.
        mean: Their mean.
        std: Their standard deviation.
        fault: What is wrong with the bytes, "" for nothing.
    """

    count: int
    n_nan: int = 0
    n_infinite: int = 0
    n_zero: int = 0
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    std: float | None = None
    fault: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers by their names."""
        return asdict(self)

    @property
    def is_zero(self) -> bool:
        """Whether every value is 0."""
        return self.count > 0 and self.n_zero == self.count

    @property
    def is_constant(self) -> bool:
        """Whether there are several values, all the same and not 0."""
        return self.count > 1 and self.low == self.high and self.low not in (None, 0.0)

    @property
    def is_huge(self) -> bool:
        """Whether one of several values is beyond what any layer's weight is meant to be."""
        return self.count > 1 and self.low is not None and max(-self.low, self.high or 0.0) > HUGE_ABOVE


def statistics_of(values: NDArray[Any] | None, fault: str = "") -> Statistics | None:
    """Return the statistics of real or integer values; None for other types, unless there is a fault to tell."""
    if values is None or values.dtype.kind not in "fiu":
        return Statistics(count=0, fault=fault) if fault else None
    flat = values.reshape(-1)
    n_nan = n_infinite = n_zero = n_finite = 0
    low, high, total, squares = math.inf, -math.inf, 0.0, 0.0
    middle = _middle(flat)
    with np.errstate(all="ignore"):
        for start in range(0, flat.size, N_BLOCK):
            block = flat[start : start + N_BLOCK].astype(np.float64)
            finite = block[np.isfinite(block)]
            n_nan += int(np.count_nonzero(np.isnan(block)))
            n_infinite += int(np.count_nonzero(np.isinf(block)))
            n_zero += int(np.count_nonzero(block == 0))
            if finite.size:
                n_finite += finite.size
                low, high = min(low, float(finite.min())), max(high, float(finite.max()))
                finite -= middle
                total += float(finite.sum())
                squares += float(np.dot(finite, finite))
    counted = Statistics(count=flat.size, n_nan=n_nan, n_infinite=n_infinite, n_zero=n_zero, fault=fault)
    if not n_finite:
        return counted
    offset = total / n_finite
    std = math.sqrt(max(0.0, squares / n_finite - offset * offset))
    return replace(counted, low=low, high=high, mean=middle + offset, std=std if low < high else 0.0)


def _middle(flat: NDArray[Any]) -> float:
    """Return a value near the others: the sum of squares around it keeps its digits."""
    first = flat[:N_BLOCK].astype(np.float64)
    finite = first[np.isfinite(first)]
    return float(np.median(finite[:1000])) if finite.size else 0.0
