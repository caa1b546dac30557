"""Decide which tensors look broken by themselves, with the sign and the words for each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from safeload._text.words import counted
from safeload.cli._statistics import HUGE_ABOVE, number

if TYPE_CHECKING:
    from safeload.cli._statistics import Statistics
    from safeload.cli._weights import Tensor


CONSTANT = ("0", "=")
"""The signs of tensors whose values are all the same."""


class Mark(NamedTuple):
    """What makes a tensor look broken.

    Attributes:
        sign: In its cell of a map.
        words: In a sentence after its name.
    """

    sign: str
    words: str


SIGNS = {
    "NaN": "NaN or infinite values",
    "?": "damaged bytes",
    "0": "all zeros",
    "=": "all the same value",
    "!": f"values beyond {HUGE_ABOVE:,.0f}",
}
"""What the sign of a mark means."""


def mark_of(each: Statistics | None, tensor: Tensor) -> Mark | None:
    """Return what makes a tensor look broken; None if nothing does, or it was not read."""
    if each is None:
        return None
    n_odd = each.n_nan + each.n_infinite
    if n_odd:
        verb = "is" if n_odd == 1 else "are"
        return Mark("NaN", f"{n_odd:,} of {counted(each.count, 'value')} {verb} NaN or infinite")
    if each.fault:
        return Mark("?", f"its bytes are damaged: {each.fault}")
    if not tensor.spec.dtype.startswith("float"):
        return None
    if each.is_zero and each.count > 1:
        return Mark("0", f"all {each.count:,} values are 0")
    if each.is_constant:
        return Mark("=", f"all {each.count:,} values are {number(each.low)}")
    if each.is_huge:
        largest = max(-(each.low or 0.0), each.high or 0.0)
        return Mark(
            "!", f"its largest magnitude is {number(largest)}, and that of trained weights is below {HUGE_ABOVE:,.0f}"
        )
    return None
