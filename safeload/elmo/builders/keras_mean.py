"""Average the words of each text, with a Keras layer."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from safeload.elmo.builders.keras_inputs import keras

_Layer: Any = keras.layers.Layer


def mean_of(vectors: Any, mask: Any) -> Any:  # noqa: ANN401  (tensors)
    """Return the mean of the vectors that the mask, `(batch, tokens)` bool, marks; zeros where it marks none."""
    dtype = vectors.dtype if vectors.dtype.size > tf.float32.size else tf.float32  # half precision cannot count words
    present = tf.cast(mask, dtype)[..., tf.newaxis]
    total = tf.reduce_sum(tf.cast(vectors, dtype) * present, axis=1)
    return tf.cast(total / tf.maximum(tf.reduce_sum(present, axis=1), 1), vectors.dtype)


@keras.utils.register_keras_serializable(package="safeload")
class ElmoMean(_Layer):  # type: ignore[misc]
    """Keras layer that averages the words of each text: `(batch, tokens, units)` to `(batch, units)`.

    It uses the mask that `ElmoLayer` passes on. A text without words gives zeros. Keras's own `GlobalAveragePooling1D`
    divides by zero there, and gives NaN.
    """

    def call(self, inputs: Any, mask: Any = None) -> Any:  # noqa: ANN401
        """Return the mean of the vectors that the mask, `(batch, tokens)` bool, marks as present; of all without one."""
        return mean_of(inputs, tf.ones(tf.shape(inputs)[:2], tf.bool) if mask is None else mask)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:  # noqa: ANN401  (there are no tokens left)
        """Return None."""

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:  # noqa: ANN401
        """Return `(batch, units)`."""
        return (input_shape[0], input_shape[-1])
