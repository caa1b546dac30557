"""ELMo as a Keras layer, on the Keras that the process uses: the layer, and step 5 that fills and proves it.

Keras is imported here at the top, since classes of layers must be found by name to be loaded; nothing imports this room
but a function that builds a layer, and `safeload.keras`.

Source:
    allennlp/modules/elmo.py, AllenNLP 2.10.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from safeload._arguments import bad_argument
from safeload._tensors import holds, tensor_of
from safeload.elmo import _keras_bilm
from safeload.elmo._arguments import elmo_arguments, require_options_allow
from safeload.elmo._characters import MAX_CHARACTERS_PER_TOKEN
from safeload.elmo._datasets import list_datasets
from safeload.elmo._fill import unproven
from safeload.elmo._keras_inputs import as_ids, is_symbolic, keras, require_ids
from safeload.elmo._options import validate_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from safeload.elmo._arguments import ElmoArguments
    from safeload.elmo._options import ElmoOptions

_Layer: Any = keras.layers.Layer
_LOAD = "safeload.load_elmo(folder, backend='keras') reads it, and the weights with it"
_FIRST_VALUES: ContextVar[Mapping[str, NDArray[Any]] | None] = ContextVar("_FIRST_VALUES", default=None)


def build(options: ElmoOptions, arguments: ElmoArguments, values: Mapping[str, NDArray[Any]]) -> ElmoLayer:
    """Build the layer, with each variable made of its dataset, and prove that each holds the file's values.

    Raises:
        BackendError: A variable does not hold the file's values.
    """
    layer = ElmoLayer(**_layer_arguments(options, arguments))
    token = _FIRST_VALUES.set(values)
    try:
        layer.build((None, None, MAX_CHARACTERS_PER_TOKEN))
    finally:
        _FIRST_VALUES.reset(token)
    _prove(layer, values, options)
    return layer


def _layer_arguments(options: ElmoOptions, arguments: ElmoArguments) -> dict[str, Any]:
    """Return what `ElmoLayer` is made from."""
    wanted = arguments._asdict()
    del wanted["backend"], wanted["vocab_to_cache"]
    return {"options": {part: options.raw[part] for part in ("lstm", "char_cnn")}, **wanted}


def _prove(layer: ElmoLayer, values: Mapping[str, NDArray[Any]], options: ElmoOptions) -> None:
    for name, value in values.items():
        variable = layer.datasets[name]
        if not holds(tf, variable if callable(variable.value) else variable.value, value):  # Keras 3 wraps TensorFlow's
            raise unproven(f"the variable of {name} does not hold the file's values", options)


@keras.utils.register_keras_serializable(package="safeload")
class ElmoLayer(_Layer):  # type: ignore[misc]
    """Weighted sums of a biLM's layers, from character ids.

    Call it on character ids `(batch, tokens, 50)` int32, 0 for tokens that are not there. It returns the representation
    `(batch, tokens, 2 * lstm.projection_dim)`, or a list of them where `num_output_representations` is more than 1;
    the mask `(batch, tokens)` bool goes along, as Keras's own layers pass it, and `compute_mask(ids)` returns it. With
    `keep_sentence_boundaries` there are two tokens more.

    `safeload.load_elmo(..., backend="keras")` returns one with its weights. One that is made from a config, as Keras does
    it to load a model, is full of NaN until its weights are loaded: nothing can use it unnoticed.

    Attributes:
        datasets: Dataset of the weight file -> variable; the variable has its name with dots for slashes.
    """

    def __init__(
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
        """Make a layer without weights.

        Args:
            options: The JSON object of an `options.json`.
            num_output_representations: As in `load_elmo`.
            requires_grad: As in `load_elmo`.
            do_layer_norm: As in `load_elmo`.
            dropout: As in `load_elmo`.
            keep_sentence_boundaries: As in `load_elmo`.
            scalar_mix_parameters: As in `load_elmo`.
            stateful: As in `load_elmo`.
            layer_options: Keras's own arguments of a layer.

        Raises:
            ConfigError: The options have bad keys.
            ArgumentError: Another argument is bad.
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
        if not isinstance(options, Mapping):
            raise bad_argument("options", options, "the JSON object of an options.json", [_LOAD])
        self._options = validate_options(options, path="the layer's config")
        require_options_allow(arguments, self._options)
        self._arguments = arguments
        self.stateful = bool(stateful)
        self.supports_masking = True
        self._dropout = keras.layers.Dropout(dropout, dtype=self._policy())
        self.datasets: dict[str, Any] = {}

    def build(self, input_shape: Any) -> None:  # noqa: ANN401
        """Make the variables; with NaN in them, unless `load_elmo` builds."""
        require_ids(input_shape)
        values = _FIRST_VALUES.get()
        for name, spec in list_datasets(self._options).items():
            self.datasets[name] = self.add_weight(
                name=name.replace("/", "."),
                shape=spec.shape,
                dtype=spec.dtype,
                initializer=_Nans() if values is None else _Values(values[name]),
                trainable=self._arguments.requires_grad,
            )
        self._mixes = [self._mix(number) for number in range(self._arguments.num_output_representations)]
        if self.stateful:
            n_layers, sizes = self._options.n_layers, (self._options.projection_dim, self._options.dim)
            hidden, memory = (
                tf.Variable(tf.zeros([n_layers, 0, 2 * size]), trainable=False, shape=[n_layers, None, 2 * size])
                for size in sizes
            )
            self._states = tf.train.Checkpoint(hidden=hidden, memory=memory)  # tracked, and none of the layer's weights
        super().build(input_shape)

    def __call__(self, inputs: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Call the layer, as Keras does; an error that `call` raised would lose its type there.

        Raises:
            ArgumentError: `inputs` is not of character ids.
        """
        return super().__call__(as_ids(inputs), *args, **options)

    def call(self, inputs: Any, training: Any = None) -> Any:  # noqa: ANN401
        """Return the representation, or a list of them."""
        # not as a decorator: Keras 2 reads the arguments of call from its signature
        return tf.autograph.experimental.do_not_convert(self._representations)(inputs, training)

    def _representations(self, inputs: Any, training: Any) -> Any:  # noqa: ANN401
        ids, mask = _keras_bilm.with_boundaries(_keras_bilm.narrow(inputs))
        dtype = tf.as_dtype(self.compute_dtype)

        def value_of(name: str) -> Any:  # noqa: ANN401
            return tf.cast(tf.convert_to_tensor(self.datasets[name]), dtype)

        n_rows, n_tokens = tf.unstack(tf.shape(mask))
        tokens = _keras_bilm.embed(tf.reshape(ids, [-1, MAX_CHARACTERS_PER_TOKEN]), value_of, self._options)
        tokens = tf.reshape(tokens, [n_rows, n_tokens, self._options.projection_dim])
        tokens = tf.ensure_shape(tokens, [*mask.shape, self._options.projection_dim])
        lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
        state = self._start(tokens, n_rows)
        layers, end = _keras_bilm.run_lstms(tokens, lengths, value_of, self._options, state)
        if self.stateful:
            _keras_bilm.keep(self._held_states(), end)
        first = tf.concat([tokens, tokens], axis=-1) * tf.cast(mask, dtype)[..., tf.newaxis]
        first = tf.where(_keras_bilm.strange(ids)[:, tf.newaxis, tf.newaxis], tf.constant(float("nan"), dtype), first)
        representations = [self._represent([first, *layers], mask, mix, training) for mix in self._mixes]
        return representations if len(representations) > 1 else representations[0]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:  # noqa: ANN401, ARG002  (the ids tell)
        """Return which tokens there are, `(batch, tokens)` bool; once for each representation, as Keras wants it."""
        if is_symbolic(inputs):
            return None
        _, with_marks = _keras_bilm.with_boundaries(_keras_bilm.narrow(inputs))
        found = with_marks if self._arguments.keep_sentence_boundaries else _keras_bilm.inner_mask(with_marks)
        count = self._arguments.num_output_representations
        return [found] * count if count > 1 else found

    def compute_output_shape(self, input_shape: Any) -> Any:  # noqa: ANN401
        """Return `(batch, tokens, 2 * projection_dim)`; once for each representation."""
        n_rows, n_tokens = tuple(input_shape)[:2]
        if n_tokens is not None and self._arguments.keep_sentence_boundaries:
            n_tokens += 2
        shape = (n_rows, n_tokens, 2 * self._options.projection_dim)
        count = self._arguments.num_output_representations
        return [shape] * count if count > 1 else shape

    def reset_states(self) -> None:
        """Forget what the LSTMs carry from earlier calls; nothing, unless the layer is stateful."""
        if self.stateful:
            for state in self._held_states().values():
                state.assign(state[:, :0])

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ElmoLayer:
        """Return a layer without weights; an error has the type that it has in `__init__`, which Keras's own would change."""
        return cls(**config)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, from which `from_config` makes a layer without weights."""
        return {**super().get_config(), **_layer_arguments(self._options, self._arguments)}

    def _policy(self) -> Any:  # noqa: ANN401
        return getattr(self, "dtype_policy", None) or self._dtype_policy

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
            for name, value in (("scalar_parameters", first), ("gamma", np.ones(1, np.float32)))
        )
        return scalars, gamma

    def _represent(self, layers: Sequence[Any], mask: Any, mix: tuple[Any, Any], training: Any) -> Any:  # noqa: ANN401
        scalars, gamma = (tf.cast(tf.convert_to_tensor(value), layers[0].dtype) for value in mix)
        mixed = _keras_bilm.mix(layers, mask, scalars, gamma, do_layer_norm=self._arguments.do_layer_norm)
        if not self._arguments.keep_sentence_boundaries:
            inner = _keras_bilm.inner_mask(mask)[..., tf.newaxis]
            mixed = tf.where(inner, mixed[:, 1:-1], tf.zeros([], mixed.dtype))
        return self._dropout(mixed, training=training)

    def _start(self, tokens: Any, n_rows: Any) -> _keras_bilm.State:  # noqa: ANN401
        if not self.stateful:
            return _keras_bilm.no_state(tokens, n_rows, self._options)
        return _keras_bilm.held(self._held_states(), tokens, n_rows, self._options)

    def _held_states(self) -> dict[str, Any]:
        return {"hidden": self._states.hidden, "memory": self._states.memory}


class _Values:
    """An initializer that gives a dataset's values."""

    def __init__(self, value: NDArray[Any]) -> None:
        self._value = value

    def __call__(self, shape: Any, dtype: Any = None, **_: Any) -> Any:  # noqa: ANN401, ARG002  (they are the values')
        return tensor_of(tf, self._value)


class _Nans:
    """An initializer for what weights will be loaded into."""

    def __call__(self, shape: Any, dtype: Any = None, **_: Any) -> Any:  # noqa: ANN401
        return tf.fill(shape, tf.constant(float("nan"), dtype))
