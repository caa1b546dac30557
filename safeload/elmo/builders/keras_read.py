"""Read the options and the datasets of an ELMo back from its Keras layer, which has the datasets as they are in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]


class KerasElmo:
    """The options and values of an `ElmoLayer`.

    Attributes:
        layer: The layer.
        options: Its options, validated.
        mixes: The variables of each weighted sum: its weights before the softmax, and its scale.
        do_layer_norm: Whether the sums are of normalised layers.
    """

    def __init__(self, layer: Any) -> None:  # noqa: ANN401  (an ElmoLayer)
        """Take the options of the layer.

        Raises:
            AttributeError: The layer has no variables yet.
        """
        self.layer = layer
        self._datasets = layer.datasets
        self.options = layer._options  # noqa: SLF001  (the layer's own reader)
        self.mixes = layer._mixes  # noqa: SLF001
        self.do_layer_norm = layer._arguments.do_layer_norm  # noqa: SLF001

    def learned_sums(self) -> list[str]:
        """Return the names of the weighted sums that have other weights than at the start."""
        return [f"scalar_mix_{number}" for number, mix in enumerate(self.sums()) if _is_learned(*mix)]

    def sums(self) -> list[tuple[Array, Array]]:
        """Return the weights of each sum before the softmax, and its scale, `(1,)`."""
        return [(_array(weights), _array(scale)) for weights, scale in self.mixes]

    def read(self, name: str) -> Array:
        """Return the values of a dataset."""
        return _array(self._datasets[name])

    def compared(self, values: Mapping[str, Array]) -> Iterator[tuple[str, Array, Array, bool]]:
        """Yield each variable's name, what it holds, what a load of these values gives, and that the two are equal."""
        for name, value in values.items():
            yield name, self.read(name), value, False


def _array(variable: Any) -> Array:  # noqa: ANN401  (a variable of Keras)
    """Return the values of a variable, which share its memory where TensorFlow allows it."""
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    inner = variable if callable(variable.value) else variable.value  # Keras 3 has a wrapper
    return np.asarray(inner.value(), np.float32)


def _is_learned(scalars: Array, gamma: Array) -> bool:
    return bool(scalars.any() or (gamma != 1).any())
