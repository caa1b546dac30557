"""Read a model's parameters from a weight file: transpose, widen and prove what the file stores in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from safeload._forms.weight_file import WeightFile
    from safeload._naming import Change, Match

    Array = NDArray[Any]

WIDENED = ("float16", "bfloat16", "float64")
"""Stored types that become float32 without loss; float64 only where every value is a float32."""


def read_parameters(weights: WeightFile, match: Match, *, keep: bool) -> tuple[dict[str, Array], dict[str, str]]:
    """Verify the parameters and, with `keep`, return their values in float32.

    Returns:
        Parameter -> values, empty without `keep`; and parameter -> fault, of float64 that is not exactly float32.

    Raises:
        CorruptFileError: As `WeightFile.read`.
    """
    found = weights.read(match.stored.values()) if keep else {}
    if not keep:
        weights.verify(match.stored.values())
    values, faults = {}, {}
    for parameter, name in match.stored.items():
        dtype = weights.tensors[name].spec.dtype
        if not keep and dtype != "float64":
            continue
        stored = found.pop(name) if keep else weights.read([name])[name]
        turned = rearranged(stored, match.changes[parameter])
        changed = widened(turned, dtype)
        if dtype == "float64" and (fault := _inexact(turned, changed)):
            faults[parameter] = fault
        if keep:
            values[parameter] = changed
    return values, faults


def rearranged(values: Array, change: Change) -> Array:
    """Return stored values as the parameter has them."""
    if change == "heads first":
        return values.reshape(-1, *values.shape[2:])
    if change == "heads last":
        return values.reshape(*values.shape[:-2], -1)
    return values.T if change == "transposed" else values


def widened(values: Array, dtype: str) -> Array:
    """Return values as float32; the bits of bfloat16 are its upper half."""
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    if dtype == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    if dtype in ("float16", "float64"):
        with np.errstate(over="ignore", under="ignore"):
            return values.astype(np.float32)
    return values


def _inexact(doubles: Array, floats: Array) -> str:
    """Count the values that float32 cannot hold, and show the first; "" if there is none."""
    import numpy as np  # noqa: PLC0415

    unequal = doubles != floats
    n_inexact = int(np.count_nonzero(unequal))
    if not n_inexact:
        return ""
    place = tuple(map(int, np.unravel_index(int(np.argmax(unequal)), doubles.shape)))
    first = float(doubles[place])
    return f"{n_inexact:,} of {doubles.size:,} values are not exactly float32; the first is {first!r} at {list(place)}"


def fits_buffer(values: Array, holds: str) -> bool:
    """Return whether an unused tensor holds what a model computes: the numbers of positions, or zeros."""
    import numpy as np  # noqa: PLC0415

    flat = values.reshape(-1)
    is_row = values.shape in ((flat.size,), (1, flat.size))
    return is_row and bool(np.array_equal(flat, np.arange(flat.size) if holds == "positions" else np.zeros(flat.size)))
