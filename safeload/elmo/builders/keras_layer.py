"""The biLM as a Keras layer: its variables, one for each dataset, and the vectors of each of its layers.

Source:
    allennlp/modules/elmo.py, AllenNLP 2.10.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from safeload._arguments import as_python_tree, bad_argument
from safeload._boundary import typed_errors
from safeload._bytes.files import FileRef
from safeload._frameworks.state import require_eager
from safeload._tensors import holds, tensor_of
from safeload.elmo._characters import MAX_CHARACTERS_PER_TOKEN
from safeload.elmo._module import as_datasets
from safeload.elmo._options import validate_options
from safeload.elmo._parameters import list_parameters
from safeload.elmo.builders import keras_bilm, unproven
from safeload.elmo.builders.keras_inputs import keras

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from safeload.elmo._options import ElmoOptions

_Layer: Any = keras.layers.Layer
_LOAD = "safeload.load_elmo(folder, backend='keras') reads it, and the weights with it"


class BilmLayer(_Layer):  # type: ignore[misc]
    """Keras layer that has the variables of a biLM.

    Attributes:
        datasets: Dataset of the weight file -> variable, whose name has dots for slashes.
    """

    _mixes: list[tuple[Any, Any]]

    def _start_with(self, options: ElmoOptions, *, trains_bilm: bool, stateful: bool) -> None:
        """Set the biLM, before `build`."""
        self._options, self._trains_bilm, self.stateful = options, trains_bilm, stateful
        self.supports_masking = True
        self.datasets: dict[str, Any] = {}
        self._initializer_of: Callable[[str], Any] = _nans

    def fill(self, values: Mapping[str, NDArray[Any]]) -> None:
        """Build the variables from the datasets, or from the values of a module, and verify that each holds the file's values.

        Raises:
            BackendError: A variable does not hold the file's values, or TensorFlow is in graph mode.
        """
        require_eager(tf)
        datasets = as_datasets(values, self._options)
        self._initializer_of = lambda name: Values(datasets[name])
        self.build((None, None, MAX_CHARACTERS_PER_TOKEN))
        self._initializer_of = _nans
        for name, value in datasets.items():
            variable = self.datasets[name]
            if not holds(tf, variable if callable(variable.value) else variable.value, value):  # Keras 3 has a wrapper
                raise unproven(f"the variable of {name} does not hold the file's values", self._options)

    def _add_bilm(self) -> None:
        """Make the variables, filled with NaN unless `fill` builds the layer."""
        for name, spec in list_parameters(self._options).items():
            self.datasets[name] = self.add_weight(
                name=name.replace("/", "."),
                shape=spec.shape,
                dtype=spec.dtype,
                initializer=self._initializer_of(name),
                trainable=self._trains_bilm,
            )
        if self.stateful:
            n_layers, sizes = self._options.n_layers, (self._options.projection_dim, self._options.dim)
            hidden, memory = (
                tf.Variable(tf.zeros([n_layers, 0, 2 * size]), trainable=False, shape=[n_layers, None, 2 * size])
                for size in sizes
            )
            self._states = tf.train.Checkpoint(hidden=hidden, memory=memory)  # tracked, but not a weight of the layer

    def _add_mix(self, name: str, weights: Any, scale: float, *, trainable: bool) -> tuple[Any, Any]:  # noqa: ANN401
        """Make the variables of a weighted sum of the layers: `(layers,)`, before the softmax, and `(1,)`."""
        values = ("scalar_parameters", np.asarray(weights, np.float32)), ("gamma", np.full(1, scale, np.float32))
        made = (
            self.add_weight(
                name=f"{name}_{part}",
                shape=value.shape,
                dtype="float32",
                initializer=Values(value),
                trainable=trainable,
            )
            for part, value in values
        )
        scalars, gamma = made
        return scalars, gamma

    def _run(self, inputs: Any) -> tuple[Any, list[Any], Any]:  # noqa: ANN401
        """Return the vectors of words `(batch, tokens + 2, projection_dim)`, those of each layer, twice as wide, and the mask.

        The sentence marks are in them; absent tokens have zeros.
        """
        ids, mask = keras_bilm.with_boundaries(keras_bilm.as_int32(inputs))
        dtype = tf.as_dtype(self.compute_dtype)

        def value_of(name: str) -> Any:  # noqa: ANN401
            return tf.cast(tf.convert_to_tensor(self.datasets[name]), dtype)

        n_rows, n_tokens = tf.unstack(tf.shape(mask))
        tokens = keras_bilm.embed(tf.reshape(ids, [-1, MAX_CHARACTERS_PER_TOKEN]), value_of, self._options)
        tokens = tf.reshape(tokens, [n_rows, n_tokens, self._options.projection_dim])
        tokens = tf.ensure_shape(tokens, [*mask.shape, self._options.projection_dim])
        lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
        state = self._start(tokens, n_rows)
        order, back = keras_bilm.order_of(mask)
        ordered = keras_bilm.in_order(tokens, order)
        layers, end = keras_bilm.run_lstms(ordered, lengths, value_of, self._options, state)
        layers = [keras_bilm.in_order(layer, back) for layer in layers]
        if self.stateful:
            keras_bilm.store_state(self._held_states(), end)
        is_bad = keras_bilm.bad_ids(ids)[:, tf.newaxis, tf.newaxis]
        tokens = tf.where(is_bad, tf.constant(float("nan"), dtype), tokens * tf.cast(mask, dtype)[..., tf.newaxis])
        return tokens, layers, mask

    def _mixed(self, layers: Any, mask: Any, mix: tuple[Any, Any], *, do_layer_norm: bool = False) -> Any:  # noqa: ANN401
        scalars, gamma = (tf.cast(tf.convert_to_tensor(value), layers[0].dtype) for value in mix)
        return keras_bilm.mix(layers, mask, scalars, gamma, do_layer_norm=do_layer_norm)

    def _start(self, tokens: Any, n_rows: Any) -> keras_bilm.State:  # noqa: ANN401
        if not self.stateful:
            return keras_bilm.no_state(tokens, n_rows, self._options)
        return keras_bilm.stored_state(self._held_states(), tokens, n_rows, self._options)

    def _held_states(self) -> dict[str, Any]:
        return {"hidden": self._states.hidden, "memory": self._states.memory}


@typed_errors  # which a constructor cannot have: Keras 3 reads its arguments
def validated(options: object) -> ElmoOptions:
    """Return the options that a layer's config holds.

    Raises:
        ArgumentError: They are no JSON object.
        ConfigError: As `validate_options`.
    """
    if not isinstance(options, Mapping):
        raise bad_argument("options", options, "the JSON object of an options.json", [_LOAD])
    return validate_options(as_python_tree(options), FileRef(path="the layer's config", role="options"))


class Values:
    """Initializer that returns the values of a dataset."""

    def __init__(self, value: NDArray[Any]) -> None:
        """Store the values."""
        self._value = value

    def __call__(self, shape: Any, dtype: Any = None, **_: Any) -> Any:  # noqa: ANN401, ARG002  (those of the values)
        """Return them as a tensor."""
        return tensor_of(tf, self._value)


class _Nans:
    """Initializer for variables whose weights are loaded later."""

    def __call__(self, shape: Any, dtype: Any = None, **_: Any) -> Any:  # noqa: ANN401
        return tf.fill(shape, tf.constant(float("nan"), dtype))


def _nans(_: str) -> _Nans:
    return _Nans()
