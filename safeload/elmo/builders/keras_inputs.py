"""Validate the inputs of ELMo's Keras layers: tensors of words or character ids, symbolic or not.

Source:
    allennlp/modules/elmo.py, Elmo.forward, AllenNLP 2.10.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from safeload._frameworks.tensorflow import require_keras
from safeload.elmo._characters import MAX_CHARACTERS_PER_TOKEN, N_CHARACTERS
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

keras: Any = require_keras()
_IDS = f"character ids (batch, tokens, {MAX_CHARACTERS_PER_TOKEN})"
_MAKE_IDS = "make them with safeload.keras.ElmoTokens()"


def is_symbolic(inputs: Any) -> bool:  # noqa: ANN401
    """Return whether Keras 3 is building a functional graph; it asks for masks again when the graph runs."""
    return hasattr(keras, "KerasTensor") and isinstance(inputs, keras.KerasTensor)


def as_ids(inputs: Any) -> Any:  # noqa: ANN401
    """Return character ids as a tensor.

    Raises:
        ArgumentError: `inputs` cannot be a tensor of character ids; in eager execution also if a value is none.
    """
    ids = as_tensor(inputs, _IDS, [_MAKE_IDS])
    if tuple(ids.shape)[1:] == (0,):  # as character_ids makes of sentences without words
        ids = tf.zeros([tf.shape(ids)[0], 0, MAX_CHARACTERS_PER_TOKEN], ids.dtype)
    require_ids(ids.shape)
    dtype = tf.as_dtype(ids.dtype)
    if not dtype.is_integer:  # a half-precision policy would round 261 to 260
        hints = [
            "begin the model with keras.Input((None, 50), dtype='int32')",
            "or cast them: tf.cast(ids, tf.int32)",
        ]
        message = f"inputs must be {_IDS} of an integer dtype, not {dtype.name}"
        raise ArgumentError(message, argument="inputs", hints=hints)
    _require_characters(ids)
    return ids


def values_of(tensor: Any) -> NDArray[Any] | None:  # noqa: ANN401
    """Return the values of a tensor, flat if it is ragged; None while a graph is built, which has none."""
    dense = tensor.flat_values if isinstance(tensor, tf.RaggedTensor) else tensor
    return np.asarray(dense) if isinstance(dense, tf.__internal__.EagerTensor) else None


def _require_characters(ids: Any) -> None:  # noqa: ANN401
    values = values_of(ids)
    if values is None:
        return
    bad = (values < 0) | (values >= N_CHARACTERS)
    if bad.any():
        place = np.argwhere(bad)[0].tolist()
        where = "an id" if isinstance(ids, tf.RaggedTensor) else f"inputs{place}"
        message = f"{where} is {values[tuple(place)]}, but character ids are 0 to {N_CHARACTERS - 1}"
        raise ArgumentError(message, argument="inputs", hints=[_MAKE_IDS])


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
