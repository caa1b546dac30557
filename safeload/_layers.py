"""Compare what the layers of two models compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

BOUND = 1e-4
"""Largest absolute difference of two layers that count as equal: runtimes add in another order."""


@dataclass(frozen=True, kw_only=True)
class LayerDifference:
    """How far one layer of two models is apart, for the same inputs.

    Attributes:
        layer: "embeddings", "layer 0", ..., and "pooler", "mlm" or "nsp" of a BERT.
        max_abs: Largest absolute difference of what the layer computes; None if one model lacks the layer, the shapes
            differ, or one computes NaN or infinity.
        only_in: The model that alone has the layer, as its step is named; "" if both have it.
    """

    layer: str
    max_abs: float | None
    only_in: str = ""

    def is_beyond(self, bound: float) -> bool:
        """Return whether both models have the layer, and compute something else."""
        return not self.only_in and (self.max_abs is None or self.max_abs > bound)

    def text(self, bound: float) -> str:
        """Return the difference in words."""
        if self.only_in:
            return f"not compared: only {self.only_in} computes it"
        if self.max_abs is None:
            return "differs in shape, or is not finite"
        return f"{self.max_abs:.3g}" + (f", beyond {bound:g}" if self.is_beyond(bound) else "")


def compare_layers(layers: Mapping[str, Mapping[str, Array]]) -> tuple[LayerDifference, ...]:
    """Compare the layers of two models, in the order in which the models compute them.

    Args:
        layers: Name of a model -> name of a layer -> what it computes; of two models.
    """
    (first, one), (second, two) = layers.items()
    found = []
    for name in [*one, *(name for name in two if name not in one)]:
        if name in one and name in two:
            found.append(LayerDifference(layer=name, max_abs=_largest(one[name], two[name])))
        else:
            found.append(LayerDifference(layer=name, max_abs=None, only_in=first if name in one else second))
    return tuple(found)


def table(layers: Sequence[LayerDifference], bound: float) -> list[str]:
    """Return one line for each layer, and a head, of equal columns."""
    width = max((len(each.layer) for each in layers), default=0)
    rows = [("layer", "largest difference"), *((each.layer, each.text(bound)) for each in layers)]
    return [f"{name:<{width}}  {text}" for name, text in rows] if layers else []


def _largest(a: Array, b: Array) -> float | None:
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    return float(np.abs(a.astype(np.float64) - b).max(initial=0.0))
