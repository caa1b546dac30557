"""Convert words to character ids inside the graph, with a Keras layer for models and `tf.data`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from safeload.elmo import _characters
from safeload.elmo.builders.keras_inputs import as_tensor, is_symbolic, keras, values_of
from safeload.errors import ArgumentError

_Layer: Any = keras.layers.Layer
_WORDS = "words (batch, tokens) of dtype string"
_SPLIT = "split each sentence into words: tf.constant([['Hello', 'world']]), or tf.strings.split(sentences)"
_N = _characters.MAX_CHARACTERS_PER_TOKEN


@keras.utils.register_keras_serializable(package="safeload")
class ElmoTokens(_Layer):  # type: ignore[misc]
    """Keras layer that converts words to int32 character ids `(batch, tokens, 50)`, like `safeload.character_ids`.

    Call it on a string tensor `(batch, tokens)`. In a dense tensor an empty string is padding; in a ragged one it is a
    word without letters, as in AllenNLP. Words are UTF-8; bytes after the 48th are dropped.

    Source:
        allennlp/data/token_indexers/elmo_indexer.py, ELMoCharacterMapper.convert_word_to_char_ids, AllenNLP 2.10.1.
    """

    def __init__(self, **layer_options: Any) -> None:  # noqa: ANN401  (Keras's own: name, dtype, trainable)
        super().__init__(**{"dtype": "int32", **layer_options})
        self._convert_input_args = False  # Keras cannot convert string and ragged tensors
        self.supports_masking = True

    def __call__(self, inputs: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Validate the inputs here, since Keras changes the type of errors raised in `call`.

        Raises:
            ArgumentError: `inputs` is not a string tensor `(batch, tokens)`.

        Warns:
            SafeLoadWarning: In eager execution: a word contains a space.
        """
        words = as_tensor(inputs, _WORDS, [_SPLIT, "or for sentences of several lengths: tf.ragged.constant(...)"])
        _require_words(words)
        values = values_of(words)
        if values is not None:
            _characters.warn_of_spaces([word.decode("utf-8", "replace") for word in values.ravel()])
        return super().__call__(words, *args, **options)

    def call(self, inputs: Any) -> Any:  # noqa: ANN401
        """Return the character ids."""
        words, present = _words(inputs)
        inner, lengths = _inner(words)
        places = tf.range(_N)
        lengths = lengths[..., tf.newaxis]
        after = tf.where(places == lengths + 1, _characters.END_OF_WORD, _characters.PADDING)
        padded = tf.pad(inner, [[0, 0], [0, 0], [1, 1]])
        ids = tf.where(places == 0, _characters.BEGIN_OF_WORD, tf.where(places <= lengths, padded, after))
        return tf.where(present[..., tf.newaxis], ids, 0)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:  # noqa: ANN401, ARG002  (computed from the words)
        """Return the mask of tokens, `(batch, tokens)` bool."""
        return None if is_symbolic(inputs) else _words(inputs)[1]

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:  # noqa: ANN401
        """Return `(batch, tokens, 50)`."""
        return (*tuple(input_shape)[:2], _N)


def _require_words(words: Any) -> None:  # noqa: ANN401
    dtype, sizes = tf.as_dtype(words.dtype), tf.TensorShape(words.shape)
    if dtype != tf.string or sizes.rank != 2:  # noqa: PLR2004  (batch and tokens)
        found = "an unknown shape" if sizes.rank is None else f"the shape {tuple(sizes)}"
        message = f"inputs must be {_WORDS}, not of {found} and {dtype.name}"
        raise ArgumentError(message, argument="inputs", hints=[_SPLIT])


def _words(inputs: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Return the words `(batch, tokens)` and their mask."""
    if isinstance(inputs, tf.RaggedTensor):
        return inputs.to_tensor(""), tf.sequence_mask(inputs.row_lengths())
    words = tf.convert_to_tensor(inputs)
    return words, tf.not_equal(words, "")


def _inner(words: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Return the ids of each word without its marks, `(batch, tokens, 48)`, and their number."""
    cut = tf.strings.substr(words, 0, _N - 2)
    ids = tf.cast(tf.io.decode_raw(cut, tf.uint8, fixed_length=_N - 2), tf.int32) + 1
    lengths = tf.strings.length(cut)
    for word, mark in (("<S>", _characters.BEGIN_OF_SENTENCE), ("</S>", _characters.END_OF_SENTENCE)):
        is_mark = tf.equal(words, word)
        ids = tf.where(is_mark[..., tf.newaxis], mark, ids)
        lengths = tf.where(is_mark, 1, lengths)
    return ids, lengths
