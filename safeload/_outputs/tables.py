"""Reduce what a layer computes to a small table, and compare such tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._layers import LayerDifference, compare_layers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]

N_PROJECTIONS = 4
"""Numbers that are kept of each vector."""

EXPECTED, COMPUTED = "the expected outputs", "the model"
_SEED = 0


def reduced(values: Array, mask: Array) -> Array:
    """Return `N_PROJECTIONS` numbers for each vector, as float32: fixed sums with random signs, of the size of its values.

    Args:
        values: `(rows, length, size)`, or `(rows, size)`.
        mask: `(rows, length)`; positions where it is 0 are left out.
    """
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    vectors = values[mask != 0] if values.ndim > mask.ndim else values
    size = vectors.shape[-1]
    numbers = np.random.RandomState(_SEED).random_sample((size, N_PROJECTIONS))
    signs = np.where(numbers < 0.5, -1.0, 1.0)  # noqa: PLR2004  (either sign, equally often)
    found: Array = (vectors.astype(np.float64) @ signs / np.sqrt(size)).astype(np.float32)
    return found


def differences(expected: Mapping[str, Array], found: Mapping[str, Array]) -> tuple[LayerDifference, ...]:
    """Return how far each layer is from the expected one, as a part of the root mean square of the expected table.

    The layers come in the order of the model, whatever sorted the file.
    """
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    scales = {
        name: float(np.sqrt(np.mean(np.square(each, dtype=np.float64)))) or 1.0 for name, each in expected.items()
    }

    def scaled(layers: Mapping[str, Array]) -> dict[str, Array]:
        return {name: each.astype(np.float64) / scales.get(name, 1.0) for name, each in layers.items()}

    in_order = {name: expected[name] for name in (*found, *expected) if name in expected}
    return compare_layers({EXPECTED: scaled(in_order), COMPUTED: scaled(found)})
