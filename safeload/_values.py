"""Read a model's parameters from a weight file: transpose, widen and prove what the file stores in another way."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from safeload._forms.weight_file import WeightFile
    from safeload._naming import Change, Match

    Array = NDArray[Any]

N_STRIP_ROWS = 64


class Fault(NamedTuple):
    """Why the values of a tensor are not those of a parameter, although its shape and dtype fit."""

    kind: Literal["shape", "dtype"]
    text: str


def read_parameters(
    weights: WeightFile, match: Match, *, keep: bool, turned: Collection[str] = ()
) -> tuple[dict[str, Array], dict[str, Fault]]:
    """Verify the parameters and, with `keep`, return their values in float32.

    Matrices are in C order; of the parameters in `turned`, their transposes are.

    Returns:
        Parameter -> values, empty without `keep`; and parameter -> fault, of float64 that is not exactly float32, and of a
        first row that is not zeros where it must be.

    Raises:
        CorruptFileError: As `WeightFile.read`.
    """
    from safeload._forms.arrays import in_shares  # noqa: PLC0415  (imports NumPy)

    to_turn = {
        name
        for parameter, name in match.stored.items()
        if (match.changes[parameter] == "transposed") != (parameter in turned)
    }
    found = weights.read(match.stored.values(), floats=True, turned=to_turn) if keep else {}
    shared = {name for name, number in Counter(match.stored.values()).items() if number > 1}
    if not keep:
        weights.verify(match.stored.values())

    def changed(parameter: str) -> tuple[Array, Fault | None]:
        name, change = match.stored[parameter], match.changes[parameter]
        there = found if keep else weights.read([name])
        stored = _aligned(there[name]) if name in shared else there.pop(name)
        fault = _before_zeros(stored) if change == "below zeros" else None
        values = rearranged(stored, change)
        return _laid_out(values, turned=parameter in turned), fault or _inexact(weights, name, change)

    sizes = {parameter: weights.tensors[name].n_bytes for parameter, name in match.stored.items()}
    rows = [parameter for parameter in sizes if keep or match.changes[parameter] == "below zeros"]
    results = dict(zip(rows, in_shares(rows, lambda row: sizes[row], changed), strict=True))
    faults = {
        parameter: fault
        for parameter, name in match.stored.items()
        if (
            fault := results[parameter][1]
            if parameter in results
            else _inexact(weights, name, match.changes[parameter])
        )
    }
    return {parameter: values for parameter, (values, _) in results.items()} if keep else {}, faults


def rearranged(values: Array, change: Change) -> Array:
    """Return stored values as the parameter has them."""
    if change == "heads first":
        return values.reshape(-1, *values.shape[2:])
    if change == "heads last":
        return values.reshape(*values.shape[:-2], -1)
    if change == "below zeros":
        return _aligned(values[1:])
    if change == "one value":
        return values.reshape(1)
    return values.T if change == "transposed" else values


def as_stored_values(values: Array, change: Change, n_heads: int) -> Array:
    """Return a parameter as a file stores it: undo `rearranged`."""
    if change == "heads first":
        return values.reshape(n_heads, -1, *values.shape[1:])
    if change == "heads last":
        return values.reshape(*values.shape[:-1], n_heads, -1)
    return values.T if change == "transposed" else values


def _laid_out(values: Array, *, turned: bool) -> Array:
    """Return a matrix in C order, or with its transpose in C order.

    It is copied by strips of rows, since NumPy's own copy misses the cache: 3072 by 768, 24 ms -> 2.3 ms.
    """
    wanted = values.T if turned else values
    if values.ndim != 2 or wanted.flags.c_contiguous:  # noqa: PLR2004  (a matrix)
        return values
    from safeload._forms.arrays import memory_for  # noqa: PLC0415  (imports NumPy)

    out: Array = memory_for(values.nbytes).view(values.dtype).reshape(wanted.shape)
    for start in range(0, len(wanted.T), N_STRIP_ROWS):
        out[:, start : start + N_STRIP_ROWS] = wanted[:, start : start + N_STRIP_ROWS]
    return out.T if turned else out


def _aligned(values: Array) -> Array:
    """Return a copy that TensorFlow can share, as it can what was read."""
    from safeload._forms.arrays import memory_for  # noqa: PLC0415  (imports NumPy)

    out: Array = memory_for(values.nbytes).view(values.dtype).reshape(values.shape)
    out[...] = values
    return out


def _before_zeros(values: Array) -> Fault | None:
    """Require that the first row, which no parameter has, is zeros."""
    if not values[0].any():
        return None
    text = f"the first of its {len(values)} rows is for padding and must be zeros, but it is not: these are other characters"
    return Fault("shape", text)


def _inexact(weights: WeightFile, name: str, change: Change) -> Fault | None:
    """Describe the values that float32 cannot hold; None if there is none."""
    found = weights.seen[name].inexact
    if found is None:
        return None
    place = weights.place_of(name, found.at)
    shown = list(place[::-1] if change == "transposed" else place)
    total = prod(weights.tensors[name].spec.shape)
    text = f"{found.n_values:,} of {total:,} values are not exactly float32; the first is {found.first!r} at {shown}"
    return Fault("dtype", text)


def fits_buffer(values: Array, holds: str) -> bool:
    """Return whether an unused tensor holds what a model computes: the numbers of positions, or zeros."""
    import numpy as np  # noqa: PLC0415

    flat = values.reshape(-1)
    is_row = values.shape in ((flat.size,), (1, flat.size))
    return is_row and bool(np.array_equal(flat, np.arange(flat.size) if holds == "positions" else np.zeros(flat.size)))
