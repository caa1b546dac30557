"""Build ELMo as a Keras layer, for the Keras that the process uses.

Keras is imported at the top because layer classes must be importable by name to be loaded; import this module only in
`safeload.keras` or inside a function that builds.

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
from safeload.elmo._arguments import elmo_arguments, require_numbers, require_options_allow
from safeload.elmo._characters import MAX_CHARACTERS_PER_TOKEN
from safeload.elmo._options import validate_options
from safeload.elmo._parameters import list_parameters
from safeload.elmo.builders import keras_bilm, unproven
from safeload.elmo.builders.keras_inputs import as_ids, is_symbolic, keras, require_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from safeload.elmo._arguments import ElmoArguments
    from safeload.elmo._options import ElmoOptions

_Layer: Any = keras.layers.Layer
_LOAD = "safeload.load_elmo(folder, backend='keras') reads it, and the weights with it"


def build(options: ElmoOptions, arguments: ElmoArguments, values: Mapping[str, NDArray[Any]]) -> ElmoLayer:
    """Build the layer from the datasets, and verify that every variable holds the file's values.

    Raises:
        BackendError: A variable does not hold the file's values, or TensorFlow is in graph mode.
    """
    require_eager(tf)
    layer = ElmoLayer(**_layer_arguments(options, arguments))
    layer._arguments = arguments  # noqa: SLF001  (same module; no config has the scale of the sums, which is a weight)
    layer._initializer_of = lambda name: _Values(values[name])  # noqa: SLF001  (same module)
    layer.build((None, None, MAX_CHARACTERS_PER_TOKEN))
    layer._initializer_of = _nans  # noqa: SLF001
    _prove(layer, values, options)
    return layer


def _layer_arguments(options: ElmoOptions, arguments: ElmoArguments) -> dict[str, Any]:
    """Return the constructor arguments of `ElmoLayer`."""
    wanted = arguments._asdict()
    del wanted["backend"], wanted["vocab_to_cache"], wanted["gamma"]
    return {"options": {part: options.raw[part] for part in ("lstm", "char_cnn")}, **wanted}


def _prove(layer: ElmoLayer, values: Mapping[str, NDArray[Any]], options: ElmoOptions) -> None:
    for name, value in values.items():
        variable = layer.datasets[name]
        if not holds(tf, variable if callable(variable.value) else variable.value, value):  # Keras 3 has a wrapper
            raise unproven(f"the variable of {name} does not hold the file's values", options)


@keras.utils.register_keras_serializable(package="safeload")
class ElmoLayer(_Layer):  # type: ignore[misc]
    """Keras layer that returns ELMo representations of character ids.

    Call it on int32 character ids `(batch, tokens, 50)`, 0 for absent tokens, which may stand anywhere. It returns the representation
    `(batch, tokens, 2 * lstm.projection_dim)`, or a list if `num_output_representations` is more than 1. The mask
    `(batch, tokens)` bool is passed on as by Keras's own layers; `compute_mask(ids)` returns it. With
    `keep_sentence_boundaries`, each sentence has two more tokens.

    `safeload.load_elmo(..., backend="keras")` returns a layer with weights. A layer made from a config, as Keras does to
    load a saved model, is filled with NaN until its weights are loaded, so that it cannot be used unnoticed.

    Attributes:
        datasets: Dataset of the weight file -> variable, whose name has dots for slashes.
    """

    def __init__(  # noqa: PLR0913  (load_elmo's arguments)
        self,
        options: Mapping[str, Any],
        num_output_representations: int = 1,
        *,
        requires_grad: bool = False,
        do_layer_norm: bool = False,
        dropout: float = 0.5,
        keep_sentence_boundaries: bool = False,
        scalar_mix_parameters: Sequence[float] | None = None,
        stateful: bool | None = None,
        **layer_options: Any,  # noqa: ANN401  (Keras's own: name, dtype, trainable)
    ) -> None:
        """Create a layer without weights.

        Args:
            options: The JSON object of an `options.json`.
            num_output_representations: As in `load_elmo`.
            requires_grad: As in `load_elmo`.
            do_layer_norm: As in `load_elmo`.
            dropout: As in `load_elmo`.
            keep_sentence_boundaries: As in `load_elmo`.
            scalar_mix_parameters: As in `load_elmo`.
            stateful: As in `load_elmo`.
            layer_options: Keras's own layer arguments.

        Raises:
            ConfigError: The options have missing or invalid keys.
            ArgumentError: Another argument is invalid.
        """
        super().__init__(**layer_options)
        arguments = elmo_arguments(
            num_output_representations=num_output_representations,
            requires_grad=requires_grad,
            do_layer_norm=do_layer_norm,
            dropout=dropout,
            keep_sentence_boundaries=keep_sentence_boundaries,
            scalar_mix_parameters=scalar_mix_parameters,
            stateful=stateful,
            backend="keras",
        )
        require_numbers(arguments)
        self._options = _validated(options)
        require_options_allow(arguments, self._options)
        self._arguments = arguments
        self.stateful = bool(arguments.stateful)
        self.supports_masking = True
        self._dropout = keras.layers.Dropout(
            arguments.dropout, dtype=getattr(self, "dtype_policy", None) or self._dtype_policy
        )
        self.datasets: dict[str, Any] = {}
        self._initializer_of: Callable[[str], Any] = _nans

    def build(self, input_shape: Any) -> None:  # noqa: ANN401
        """Create the variables, filled with NaN unless `load_elmo` builds the layer."""
        require_ids(input_shape)
        for name, spec in list_parameters(self._options).items():
            self.datasets[name] = self.add_weight(
                name=name.replace("/", "."),
                shape=spec.shape,
                dtype=spec.dtype,
                initializer=self._initializer_of(name),
                trainable=self._arguments.requires_grad,
            )
        self._mixes = [self._mix(number) for number in range(self._arguments.num_output_representations)]
        if self.stateful:
            n_layers, sizes = self._options.n_layers, (self._options.projection_dim, self._options.dim)
            hidden, memory = (
                tf.Variable(tf.zeros([n_layers, 0, 2 * size]), trainable=False, shape=[n_layers, None, 2 * size])
                for size in sizes
            )
            self._states = tf.train.Checkpoint(hidden=hidden, memory=memory)  # tracked, but not a weight of the layer
        super().build(input_shape)

    def __call__(self, inputs: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Validate the inputs here, since Keras changes the type of errors raised in `call`.

        Raises:
            ArgumentError: `inputs` is not a tensor of character ids.
        """
        return super().__call__(as_ids(inputs), *args, **options)

    def call(self, inputs: Any, training: Any = None) -> Any:  # noqa: ANN401
        """Return the representation, or a list of them."""
        # not as a decorator: Keras 2 reads the arguments of call from its signature
        return tf.autograph.experimental.do_not_convert(self._representations)(inputs, training)

    def _representations(self, inputs: Any, training: Any) -> Any:  # noqa: ANN401
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
        first = tf.concat([tokens, tokens], axis=-1) * tf.cast(mask, dtype)[..., tf.newaxis]
        first = tf.where(keras_bilm.bad_ids(ids)[:, tf.newaxis, tf.newaxis], tf.constant(float("nan"), dtype), first)
        representations = [self._represent([first, *layers], mask, mix, training) for mix in self._mixes]
        return representations if len(representations) > 1 else representations[0]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:  # noqa: ANN401, ARG002  (computed from the ids)
        """Return the mask of tokens, `(batch, tokens)` bool; one per representation, as Keras requires."""
        if is_symbolic(inputs):
            return None
        _, with_marks = keras_bilm.with_boundaries(keras_bilm.as_int32(inputs))
        found = with_marks if self._arguments.keep_sentence_boundaries else keras_bilm.inner_mask(with_marks)
        count = self._arguments.num_output_representations
        return [found] * count if count > 1 else found

    def compute_output_shape(self, input_shape: Any) -> Any:  # noqa: ANN401
        """Return `(batch, tokens, 2 * projection_dim)`; one per representation."""
        n_rows, n_tokens = tuple(input_shape)[:2]
        if n_tokens is not None and self._arguments.keep_sentence_boundaries:
            n_tokens += 2
        shape = (n_rows, n_tokens, 2 * self._options.projection_dim)
        count = self._arguments.num_output_representations
        return [shape] * count if count > 1 else shape

    def reset_states(self) -> None:
        """Reset the state of the LSTMs, if the layer is stateful."""
        if self.stateful:
            for state in self._held_states().values():
                state.assign(state[:, :0])

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ElmoLayer:
        """Return a layer without weights; overridden since Keras changes the type of errors raised in `__init__`."""
        return cls(**config)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), **_layer_arguments(self._options, self._arguments)}

    def _mix(self, number: int) -> tuple[Any, Any]:
        fixed = self._arguments.scalar_mix_parameters
        first = np.asarray([0.0] * (self._options.n_layers + 1) if fixed is None else fixed, np.float32)
        scalars, gamma = (
            self.add_weight(
                name=f"scalar_mix_{number}.{name}",
                shape=value.shape,
                dtype="float32",
                initializer=_Values(value),
                trainable=fixed is None,
            )
            for name, value in (
                ("scalar_parameters", first),
                ("gamma", np.full(1, self._arguments.gamma, np.float32)),
            )
        )
        return scalars, gamma

    def _represent(self, layers: Sequence[Any], mask: Any, mix: tuple[Any, Any], training: Any) -> Any:  # noqa: ANN401
        scalars, gamma = (tf.cast(tf.convert_to_tensor(value), layers[0].dtype) for value in mix)
        mixed = keras_bilm.mix(layers, mask, scalars, gamma, do_layer_norm=self._arguments.do_layer_norm)
        if not self._arguments.keep_sentence_boundaries:
            inner = keras_bilm.inner_mask(mask)[..., tf.newaxis]
            mixed = tf.where(inner, mixed[:, 1:-1], tf.zeros([], mixed.dtype))
        return self._dropout(mixed, training=training)

    def _start(self, tokens: Any, n_rows: Any) -> keras_bilm.State:  # noqa: ANN401
        if not self.stateful:
            return keras_bilm.no_state(tokens, n_rows, self._options)
        return keras_bilm.stored_state(self._held_states(), tokens, n_rows, self._options)

    def _held_states(self) -> dict[str, Any]:
        return {"hidden": self._states.hidden, "memory": self._states.memory}


@typed_errors  # which the constructor cannot have: Keras 3 reads its arguments
def _validated(options: object) -> ElmoOptions:
    if not isinstance(options, Mapping):
        raise bad_argument("options", options, "the JSON object of an options.json", [_LOAD])
    return validate_options(as_python_tree(options), FileRef(path="the layer's config", role="options"))


class _Values:
    """Initializer that returns the values of a dataset."""

    def __init__(self, value: NDArray[Any]) -> None:
        self._value = value

    def __call__(self, shape: Any, dtype: Any = None, **_: Any) -> Any:  # noqa: ANN401, ARG002  (those of the values)
        return tensor_of(tf, self._value)


class _Nans:
    """Initializer for variables whose weights are loaded later."""

    def __call__(self, shape: Any, dtype: Any = None, **_: Any) -> Any:  # noqa: ANN401
        return tf.fill(shape, tf.constant(float("nan"), dtype))


def _nans(_: str) -> _Nans:
    return _Nans()
