"""Compute the outputs of TF-Hub's ELMo from text, with a Keras layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from safeload._arguments import bad_argument
from safeload._boundary import typed_errors
from safeload._model_kind import Request
from safeload._reports import remember, warn_of
from safeload._steps import check
from safeload.elmo import _characters
from safeload.elmo._arguments import STORED, ElmoArguments
from safeload.elmo._model import elmo
from safeload.elmo.builders import keras_bilm, report_on_built
from safeload.elmo.builders.keras_inputs import as_tensor, is_symbolic, keras, values_of
from safeload.elmo.builders.keras_layer import BilmLayer, validated
from safeload.elmo.builders.keras_mean import mean_of
from safeload.elmo.builders.keras_tokens import ElmoTokens
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._bytes.paths import StrPath
    from safeload._model_kind import Checked
    from safeload.elmo._options import ElmoOptions

MEAN, SUM, WORDS, LAYER = "default", "elmo", "word_emb", "lstm_outputs"
_TEXT = "sentences (batch,) or words (batch, tokens) of dtype string"
_INPUT = "for sentences begin the model with keras.Input((), dtype='string'), or pass tf.squeeze(sentences, axis=1)"
_MIX = "aggregation"


@keras.utils.register_keras_serializable(package="safeload")
class ElmoText(BilmLayer):
    """Keras layer that takes text and returns an output of TF-Hub's ELMo, from any form of its weights.

    Call it on a string tensor: sentences `(batch,)`, which are split at spaces, or words `(batch, tokens)`, where an empty
    string is padding. `output` says what it returns, with zeros for padding:

    - "default": the mean of "elmo" over the words of each sentence, `(batch, 2 * lstm.projection_dim)`; zeros for a
      sentence without words, for which TF-Hub's module gives NaN.
    - "elmo": the learned sum of the layers, `(batch, tokens, 2 * lstm.projection_dim)`.
    - "word_emb": the vector of each word before the LSTMs, `(batch, tokens, lstm.projection_dim)`.
    - "lstm_outputs1", "lstm_outputs2", ...: the vectors of that LSTM layer, `(batch, tokens, 2 * lstm.projection_dim)`.

    The mask of the words is passed on like in Keras's own layers, except with "default".

    Source:
        The signatures `default` and `tokens` of tfhub.dev/google/elmo/3.
    """

    def __init__(  # noqa: PLR0913  (what load_elmo takes)
        self,
        options_file: StrPath | None = None,
        weight_file: StrPath | None = None,
        *,
        output: str = MEAN,
        trainable: bool = False,
        scope: str | None = None,
        lock_file: StrPath | None = None,
        options: Mapping[str, Any] | None = None,
        **layer_options: Any,  # noqa: ANN401  (Keras's own: name, dtype)
    ) -> None:
        """Read and verify the files as `load_elmo` does.

        Args:
            options_file: As in `load_elmo`; usually the folder of the ELMo or of the TF-Hub module.
            weight_file: As in `load_elmo`.
            output: What to return.
            trainable: Whether to train the weights and the scale of the sum of the layers, as in TF-Hub's module. They start
                with the module's learned values; for other files, with equal weights. The biLM is never trained.
            scope: As in `load_elmo`.
            lock_file: As in `load_elmo`.
            options: The JSON object of an `options.json` instead of files. Keras passes it when it loads a saved model. The
                layer contains NaN until its weights are loaded.
            layer_options: Keras's own layer arguments.

        Raises:
            SafeLoadError: As `load_elmo`.
            ArgumentError: There is no such output, or neither files nor options are passed.

        Warns:
            SafeLoadWarning: As `load_elmo`.
        """
        super().__init__(trainable=trainable, **layer_options)
        self._convert_input_args = False  # Keras cannot convert string and ragged tensors
        checked = None
        if options is None:
            request = Request(config=options_file, weights=weight_file, lock_file=lock_file)
            checked, arguments = _read(request, scope, with_mix=output in (MEAN, SUM))
            wanted = checked.config
        else:
            wanted, arguments = validated(options), _arguments()
        self._start_with(wanted, trains_bilm=False, stateful=False)
        self._output = _valid(output, wanted)
        self._arguments = arguments
        self._tokens = ElmoTokens()
        if checked is not None:
            self.fill(checked.values)
            report = report_on_built(checked, "keras")
            remember(self, report)
            warn_of(report)

    def build(self, input_shape: Any) -> None:  # noqa: ANN401
        """Create the variables, filled with NaN unless files are read."""
        if self.datasets:  # which were filled before Keras asks
            return
        self._add_bilm()
        numbers = self._arguments.scalar_mix_parameters or [0.0] * (self._options.n_layers + 1)
        is_summed = self._output in (MEAN, SUM)
        self._mixes = [self._add_mix(_MIX, numbers, self._arguments.gamma, trainable=True)] if is_summed else []
        super().build(input_shape)

    def __call__(self, inputs: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Validate the inputs here, since Keras changes the type of errors raised in `call`.

        Raises:
            ArgumentError: `inputs` is not a string tensor `(batch,)` or `(batch, tokens)`, or it may be either.

        Warns:
            SafeLoadWarning: In eager execution: a word contains a space.
        """
        text = as_tensor(inputs, _TEXT, ["pass tf.constant(['the first sentence', 'the second'])"])
        _require_text(text)
        return super().__call__(text, *args, **options)

    def call(self, inputs: Any) -> Any:  # noqa: ANN401
        """Return the output."""
        # not as a decorator: Keras 2 reads the arguments of call from its signature
        return tf.autograph.experimental.do_not_convert(self._computed)(inputs)

    def _computed(self, inputs: Any) -> Any:  # noqa: ANN401
        words, layers, mask = self._run(self._tokens.call(_words(inputs)))
        present = keras_bilm.inner_mask(mask)
        if self._output == WORDS:
            found = words
        elif self._output.startswith(LAYER):
            found = layers[int(self._output.removeprefix(LAYER)) - 1]
        else:
            (mix,) = self._mixes
            found = self._mixed([tf.concat([words, words], axis=-1), *layers], mask, mix)
        found = tf.where(present[..., tf.newaxis], found[:, 1:-1], tf.zeros([], found.dtype))
        return mean_of(found, present) if self._output == MEAN else found

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:  # noqa: ANN401, ARG002  (computed from the words)
        """Return the mask of words, `(batch, tokens)` bool; None with the output "default"."""
        has_none = self._output == MEAN or is_symbolic(inputs)
        return None if has_none else self._tokens.compute_mask(_words(inputs))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:  # noqa: ANN401
        """Return the shape of the output."""
        n_rows, *tokens = tuple(input_shape)
        size = self._options.projection_dim * (1 if self._output == WORDS else 2)
        return (n_rows, size) if self._output == MEAN else (n_rows, *(tokens or [None]), size)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ElmoText:
        """Return a layer without weights; overridden since Keras changes the type of errors raised in `__init__`."""
        return cls(**config)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "options": self._options.parts, "output": self._output}


def _arguments(mix: str | None = None) -> ElmoArguments:
    return ElmoArguments(num_output_representations=1, backend="keras", scalar_mix_parameters=mix)


@typed_errors
def _read(request: Request, scope: str | None, *, with_mix: bool) -> tuple[Checked[ElmoOptions], ElmoArguments]:
    """Check an ELMo; the arguments have the learned sum that its files store, if they do and it is needed."""
    if request.config is None:
        hints = ["pass the folder of the ELMo, or of the TF-Hub module"]
        raise bad_argument("options_file", None, "the path of an ELMo", hints)
    if with_mix:
        stored = _arguments(STORED)
        try:
            checked = check(elmo(stored, scope), request, keep_values=True)
            return checked, stored.with_stored(checked.values)
        except ArgumentError as error:  # before any value is read
            if error.argument != "scalar_mix_parameters":
                raise
    return check(elmo(_arguments(), scope), request, keep_values=True), _arguments()


@typed_errors
def _valid(output: object, options: ElmoOptions) -> str:
    outputs = (MEAN, SUM, WORDS, *(f"{LAYER}{layer}" for layer in range(1, options.n_layers + 1)))
    if not isinstance(output, str) or output not in outputs:
        raise bad_argument("output", output, f"one of {', '.join(outputs)}", ["'default' is the mean of each sentence"])
    return output


def _require_text(text: Any) -> None:  # noqa: ANN401
    dtype, sizes = tf.as_dtype(text.dtype), tf.TensorShape(text.shape)
    if dtype != tf.string or sizes.rank not in (1, 2):
        found = "an unknown shape" if sizes.rank is None else f"the shape {tuple(sizes)}"
        raise ArgumentError(
            f"inputs must be {_TEXT}, not of {found} and {dtype.name}", argument="inputs", hints=[_INPUT]
        )
    if sizes.rank == 1:
        return
    values = values_of(text)
    if values is not None:
        _characters.warn_of_spaces([word.decode("utf-8", "replace") for word in values.ravel()])
    elif sizes[1] == 1:
        message = f"inputs of the shape {tuple(sizes)} may be sentences, or sentences of one word"
        raise ArgumentError(
            message, argument="inputs", hints=[_INPUT, "for words: keras.Input((None,), dtype='string')"]
        )


def _words(text: Any) -> Any:  # noqa: ANN401
    """Return the words: those of each sentence between its spaces, or what is passed."""
    if len(text.shape) > 1:
        return text
    parts = tf.strings.split(text, " ")
    return tf.ragged.boolean_mask(parts, parts != "")
