"""Validate the inputs of ELMo's Keras layers: tensors of words or character ids, symbolic or not.

Source:
    allennlp/modules/elmo.py, Elmo.forward, AllenNLP 2.10.1.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from safeload._frameworks.tensorflow import require_keras
from safeload.elmo._characters import MAX_CHARACTERS_PER_TOKEN
from safeload.errors import ArgumentError

keras: Any = require_keras()
_IDS = f"character ids (batch, tokens, {MAX_CHARACTERS_PER_TOKEN})"
_MAKE_IDS = "make them with safeload.keras.ElmoTokens()"


def is_symbolic(inputs: Any) -> bool:  # noqa: ANN401
    """Return whether Keras 3 is building a functional graph; it asks for masks again when the graph runs."""
    return hasattr(keras, "KerasTensor") and isinstance(inputs, keras.KerasTensor)


def as_ids(inputs: Any) -> Any:  # noqa: ANN401
    """Return character ids as a tensor.

    Raises:
        ArgumentError: `inputs` cannot be a tensor of character ids.
    """
    ids = as_tensor(inputs, _IDS, [_MAKE_IDS])
    require_ids(ids.shape)
    dtype = tf.as_dtype(ids.dtype)
    if not dtype.is_integer:  # a half-precision policy would round 261 to 260
        hints = [
            "begin the model with keras.Input((None, 50), dtype='int32')",
            "or cast them: tf.cast(ids, tf.int32)",
        ]
        message = f"inputs must be {_IDS} of an integer dtype, not {dtype.name}"
        raise ArgumentError(message, argument="inputs", hints=hints)
    return ids


def as_tensor(inputs: Any, wanted: str, hints: list[str]) -> Any:  # noqa: ANN401
    """Convert `inputs` to a tensor, unless it is a tensor, symbolic or not.

    Raises:
        ArgumentError: `inputs` is a sparse tensor, or cannot be converted to a tensor.
    """
    is_tensor = tf.is_tensor(inputs) or type(inputs).__name__.endswith("KerasTensor")  # as in Keras 2 and 3
    try:
        inputs = inputs if is_tensor else tf.convert_to_tensor(inputs)
    except (TypeError, ValueError) as exc:
        message = f"inputs must be {wanted}, but a {type(inputs).__name__} cannot be converted to a tensor"
        raise ArgumentError(message, argument="inputs", hints=hints) from exc
    if isinstance(inputs, tf.SparseTensor):
        message = f"inputs must be {wanted}, not a sparse tensor"
        raise ArgumentError(message, argument="inputs", hints=["pass tf.sparse.to_dense(...) of it"])
    return inputs


def require_ids(shape: Any) -> None:  # noqa: ANN401
    """Require the shape of character ids.

    Raises:
        ArgumentError: `shape` is another.
    """
    sizes = tf.TensorShape(shape)
    if sizes.rank != 3 or sizes[-1] != MAX_CHARACTERS_PER_TOKEN:  # noqa: PLR2004  (batch, tokens, characters)
        found = "an unknown shape" if sizes.rank is None else f"the shape {tuple(sizes)}"
        raise ArgumentError(f"inputs must be {_IDS}, not of {found}", argument="inputs", hints=[_MAKE_IDS])
