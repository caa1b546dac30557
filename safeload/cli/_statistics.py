"""Compute statistics of a tensor's values."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

N_BLOCK = 1 << 20
HUGE_ABOVE = 1000.0


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Statistics of one tensor.

    Attributes:
        count: Number of values.
        n_nan: Number of NaN values.
        n_infinite: Number of infinite values.
        n_zero: Number of zeros.
        low: Minimum of the finite values; None, like the next three, if there are none.
        high: Maximum of the finite values.
        mean: Mean of the finite values.
        std: Standard deviation of the finite values.
        fault: What is wrong with the bytes, or "".
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
        """Return the statistics by name."""
        return asdict(self)

    @property
    def is_zero(self) -> bool:
        """Whether every value is 0."""
        return self.count > 0 and self.n_zero == self.count

    @property
    def is_constant(self) -> bool:
        """Whether there are several values, all equal and not 0."""
        return self.count > 1 and self.low == self.high and self.low not in (None, 0.0)

    @property
    def is_huge(self) -> bool:
        """Whether there are several values and the largest exceeds any plausible weight."""
        return self.count > 1 and self.low is not None and max(-self.low, self.high or 0.0) > HUGE_ABOVE


@np.errstate(all="ignore")
def statistics_of(values: NDArray[Any] | None, fault: str = "") -> Statistics | None:
    """Return the statistics of real or integer values; None for other types without a fault."""
    if values is None or values.dtype.kind not in "fiu":
        return Statistics(count=0, fault=fault) if fault else None
    flat = values.reshape(-1)
    n_nan = n_infinite = n_zero = n_finite = 0
    low, high = math.inf, -math.inf
    for block in _blocks(flat):
        finite = block[np.isfinite(block)]
        n_nan += int(np.count_nonzero(np.isnan(block)))
        n_infinite += int(np.count_nonzero(np.isinf(block)))
        n_zero += int(np.count_nonzero(block == 0))
        if finite.size:
            n_finite += finite.size
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    counted = Statistics(count=flat.size, n_nan=n_nan, n_infinite=n_infinite, n_zero=n_zero, fault=fault)
    if not n_finite:
        return counted
    mean, std = _moments(flat, max(-low, high))
    return replace(counted, low=low, high=high, mean=mean, std=std if low < high else 0.0)


def _blocks(flat: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    for start in range(0, flat.size, N_BLOCK):
        yield flat[start : start + N_BLOCK].astype(np.float64)


def _moments(flat: NDArray[Any], largest: float) -> tuple[float, float]:
    """Return the mean and the standard deviation of the finite values, whose largest magnitude is given.

    They are first divided by a power of two, so that no square overflows or vanishes; subtracting a typical value keeps the
    digits of the sum of squares.
    """
    bound, exponent = math.frexp(largest)
    n_finite, total, squares, middle = 0, 0.0, 0.0, 0.0
    for block in _blocks(flat):
        scaled = np.ldexp(block[np.isfinite(block)], -exponent)
        if scaled.size and not n_finite:
            middle = float(np.median(scaled[:1000]))
        scaled -= middle
        n_finite += scaled.size
        total += float(scaled.sum())
        squares += float(np.dot(scaled, scaled))
    offset = total / n_finite
    mean = max(-bound, min(bound, middle + offset))
    std = min(bound, math.sqrt(max(0.0, squares / n_finite - offset * offset)))
    return math.ldexp(mean, exponent), math.ldexp(std, exponent)


def number(value: float | None) -> str:
    """Format a statistic with four significant digits."""
    return "-" if value is None else f"{value:.4g}"


def remark(each: Statistics) -> str:
    """Return a remark on a suspicious tensor, or ""."""
    if each.fault:
        return each.fault
    if each.n_nan or each.n_infinite:
        return "NOT FINITE"
    if each.is_zero:
        return "all zeros"
    if each.is_constant:
        return "all the same"
    return "exploded: beyond 1,000" if each.is_huge else ""
