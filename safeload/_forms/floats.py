"""Widen stored floats to float32, and count the float64 values that float32 cannot hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._forms.seen import Inexact

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def put(values: Array, out: Array, dtype: str) -> None:
    """Copy values of a stored type into an array of the same bits or of float32; the bits of bfloat16 are its upper half."""
    with np.errstate(over="ignore", under="ignore"):
        if dtype == "bfloat16" and out.dtype == np.float32:
            bits = out.view(np.uint32)
            bits[...] = values
            bits <<= 16
        else:
            out[...] = values


def inexact(doubles: Array) -> Inexact | None:
    """Return how many values float32 cannot hold, and the first; None if there is none."""
    unequal = doubles.astype(np.float32) != doubles
    count = int(np.count_nonzero(unequal))
    at = int(np.argmax(unequal))
    return Inexact(count, float(doubles[at]), at) if count else None
