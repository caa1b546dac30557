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
        options: Its options, validated.
    """

    def __init__(self, layer: Any) -> None:  # noqa: ANN401  (an ElmoLayer)
        """Take the options of the layer.

        Raises:
            AttributeError: The layer has no variables yet.
        """
        self._datasets = layer.datasets
        self.options = layer._options  # noqa: SLF001  (the layer's own reader)
        self._mixes = layer._mixes  # noqa: SLF001

    def learned_sums(self) -> list[str]:
        """Return the names of the weighted sums that have other weights than at the start."""
        return [f"scalar_mix_{number}" for number, mix in enumerate(self._mixes) if _is_learned(*map(_array, mix))]

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
