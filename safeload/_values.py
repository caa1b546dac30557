"""Read a model's parameters from a weight file: transpose, widen and prove what the file stores in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from safeload._forms.weight_file import WeightFile
    from safeload._naming import Change, Match

    Array = NDArray[Any]

WIDENED = ("float16", "bfloat16", "float64")
"""Stored types that become float32 without loss; float64 only where every value is a float32."""


N_STRIP_ROWS = 64


class Fault(NamedTuple):
    """Why the values of a tensor are not those of a parameter, although its shape and dtype fit."""

    kind: Literal["shape", "dtype"]
    text: str


def read_parameters(weights: WeightFile, match: Match, *, keep: bool) -> tuple[dict[str, Array], dict[str, Fault]]:
    """Verify the parameters and, with `keep`, return their values in float32.

    Returns:
        Parameter -> values, empty without `keep`; and parameter -> fault, of float64 that is not exactly float32, and of a
        first row that is not zeros where it must be.

    Raises:
        CorruptFileError: As `WeightFile.read`.
    """
    from safeload._forms.arrays import in_shares  # noqa: PLC0415  (imports NumPy)

    found = weights.read(match.stored.values()) if keep else {}
    if not keep:
        weights.verify(match.stored.values())

    spare: dict[int, list[Array]] = {}

    def changed(parameter: str) -> tuple[Array, Fault | None]:
        name = match.stored[parameter]
        stored = found.pop(name) if keep else weights.read([name])[name]
        dtype, change = weights.tensors[name].spec.dtype, match.changes[parameter]
        fault = _before_zeros(stored) if change == "below zeros" else None
        turned = rearranged(stored, change, spare)
        values = widened(turned, dtype)
        return values, fault or (_inexact(turned, values) if dtype == "float64" else None)

    specs = {parameter: weights.tensors[name] for parameter, name in match.stored.items()}
    rows = [
        parameter
        for parameter in specs
        if keep or specs[parameter].spec.dtype == "float64" or match.changes[parameter] == "below zeros"
    ]
    results = dict(zip(rows, in_shares(rows, lambda row: specs[row].n_bytes, changed), strict=True))
    faults = {parameter: fault for parameter, (_, fault) in results.items() if fault}
    return {parameter: values for parameter, (values, _) in results.items()} if keep else {}, faults


def rearranged(values: Array, change: Change, spare: dict[int, list[Array]]) -> Array:
    """Return stored values as the parameter has them.

    Args:
        values: The stored values, which the caller does not use again.
        change: What to do with them.
        spare: Size in bytes -> memory that transposes may use. Memory that was used before needs no new pages of the
            system: transposing the 326 MB of a BERT-Base took 0.33 s of a processor without it, 0.17 s with it.
    """
    if change == "heads first":
        return values.reshape(-1, *values.shape[2:])
    if change == "heads last":
        return values.reshape(*values.shape[:-2], -1)
    if change == "below zeros":
        return _aligned(values[1:])
    if change == "one value":
        return values.reshape(1)
    return _transposed(values, spare) if change == "transposed" else values


def _transposed(values: Array, spare: dict[int, list[Array]]) -> Array:
    """Return the transpose in C order; by strips of rows, since NumPy's own copy misses the cache: 3072 by 768, 24 ms -> 2.3 ms."""
    from safeload._forms.arrays import memory_for  # noqa: PLC0415  (imports NumPy)

    turned = values.T
    if turned.flags.c_contiguous:
        return turned
    try:
        memory = spare[values.nbytes].pop()
    except (KeyError, IndexError):  # another thread may have taken the last
        memory = memory_for(values.nbytes)
    out = memory.reshape(-1).view(values.dtype).reshape(turned.shape)
    for start in range(0, len(values), N_STRIP_ROWS):
        out[:, start : start + N_STRIP_ROWS] = values[start : start + N_STRIP_ROWS].T
    if values.flags.c_contiguous and values.flags.writeable:
        spare.setdefault(values.nbytes, []).append(values)
    return out


def widened(values: Array, dtype: str) -> Array:
    """Return values as float32; the bits of bfloat16 are its upper half."""
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    if dtype == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    if dtype in ("float16", "float64"):
        with np.errstate(over="ignore", under="ignore"):
            return values.astype(np.float32)
    return values


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


def _inexact(doubles: Array, floats: Array) -> Fault | None:
    """Count the values that float32 cannot hold, and show the first; None if there is none."""
    import numpy as np  # noqa: PLC0415

    unequal = doubles != floats
    n_inexact = int(np.count_nonzero(unequal))
    if not n_inexact:
        return None
    place = tuple(map(int, np.unravel_index(int(np.argmax(unequal)), doubles.shape)))
    first = float(doubles[place])
    text = f"{n_inexact:,} of {doubles.size:,} values are not exactly float32; the first is {first!r} at {list(place)}"
    return Fault("dtype", text)


def fits_buffer(values: Array, holds: str) -> bool:
    """Return whether an unused tensor holds what a model computes: the numbers of positions, or zeros."""
    import numpy as np  # noqa: PLC0415

    flat = values.reshape(-1)
    is_row = values.shape in ((flat.size,), (1, flat.size))
    return is_row and bool(np.array_equal(flat, np.arange(flat.size) if holds == "positions" else np.zeros(flat.size)))
