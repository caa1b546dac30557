"""Build ELMo as a Keras layer, for the Keras that the process uses.

Keras is imported at the top because layer classes must be importable by name to be loaded; import this module only in
`safeload.keras` or inside a function that builds.

Source:
    allennlp/modules/elmo.py, AllenNLP 2.10.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from safeload.elmo._arguments import elmo_arguments, require_numbers, require_options_allow
from safeload.elmo.builders import keras_bilm
from safeload.elmo.builders.keras_inputs import as_ids, is_symbolic, keras, require_ids
from safeload.elmo.builders.keras_layer import BilmLayer, validated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from safeload.elmo._arguments import ElmoArguments
    from safeload.elmo._options import ElmoOptions


def build(options: ElmoOptions, arguments: ElmoArguments, values: Mapping[str, NDArray[Any]]) -> ElmoLayer:
    """Build the layer from the datasets, and verify that every variable holds the file's values.

    Raises:
        BackendError: A variable does not hold the file's values, or TensorFlow is in graph mode.
    """
    layer = ElmoLayer(**_layer_arguments(options, arguments))
    layer._arguments = arguments  # noqa: SLF001  (same module; no config has the scale of the sums, which is a weight)
    layer.fill(values)
    return layer


def _layer_arguments(options: ElmoOptions, arguments: ElmoArguments) -> dict[str, Any]:
    """Return the constructor arguments of `ElmoLayer`."""
    wanted = arguments._asdict()
    del wanted["backend"], wanted["vocab_to_cache"], wanted["gamma"]
    return {"options": options.parts, **wanted}


@keras.utils.register_keras_serializable(package="safeload")
class ElmoLayer(BilmLayer):
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
        self._start_with(validated(options), trains_bilm=arguments.requires_grad, stateful=bool(arguments.stateful))
        require_options_allow(arguments, self._options)
        self._arguments = arguments
        self._dropout = keras.layers.Dropout(
            arguments.dropout, dtype=getattr(self, "dtype_policy", None) or self._dtype_policy
        )

    def build(self, input_shape: Any) -> None:  # noqa: ANN401
        """Create the variables, filled with NaN unless `load_elmo` builds the layer."""
        require_ids(input_shape)
        self._add_bilm()
        wanted = self._arguments
        fixed, n_layers = wanted.scalar_mix_parameters, self._options.n_layers + 1
        self._mixes = [
            self._add_mix(
                f"scalar_mix_{number}",
                [0.0] * n_layers if fixed is None else fixed,
                wanted.gamma,
                trainable=fixed is None,
            )
            for number in range(wanted.num_output_representations)
        ]
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
        tokens, layers, mask = self._run(inputs)
        layers = [tf.concat([tokens, tokens], axis=-1), *layers]
        representations = [self._represent(layers, mask, mix, training) for mix in self._mixes]
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

    def _represent(self, layers: Sequence[Any], mask: Any, mix: tuple[Any, Any], training: Any) -> Any:  # noqa: ANN401
        mixed = self._mixed(layers, mask, mix, do_layer_norm=self._arguments.do_layer_norm)
        if not self._arguments.keep_sentence_boundaries:
            inner = keras_bilm.inner_mask(mask)[..., tf.newaxis]
            mixed = tf.where(inner, mixed[:, 1:-1], tf.zeros([], mixed.dtype))
        return self._dropout(mixed, training=training)
