"""What may be given to a Keras layer of ELMo: tensors of words or of character ids, symbolic or not.

Source:
    allennlp/modules/elmo.py, Elmo.forward, AllenNLP 2.10.1.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from safeload.elmo import _backend
from safeload.elmo._characters import MAX_CHARACTERS_PER_TOKEN
from safeload.errors import ArgumentError

keras: Any = _backend.require_keras()
_IDS = f"character ids (batch, tokens, {MAX_CHARACTERS_PER_TOKEN})"
_MAKE_IDS = "make them with safeload.keras.ElmoTokens()"


def is_symbolic(inputs: Any) -> bool:  # noqa: ANN401
    """Return whether Keras 3 is drawing a graph of layers; it asks for masks again when tensors flow through it."""
    return hasattr(keras, "KerasTensor") and isinstance(inputs, keras.KerasTensor)


def as_ids(inputs: Any) -> Any:  # noqa: ANN401
    """Return character ids as a tensor.

    Raises:
        ArgumentError: `inputs` is not of character ids.
    """
    ids = as_tensor(inputs, _IDS, [_MAKE_IDS])
    require_ids(ids.shape)
    dtype = tf.as_dtype(ids.dtype)
    if not dtype.is_integer:  # a half-precision policy would round 261 to 260 on the way
        hints = [
            "begin the model with keras.Input((None, 50), dtype='int32')",
            "or cast them: tf.cast(ids, tf.int32)",
        ]
        message = f"inputs must be {_IDS} of an integer dtype, not {dtype.name}"
        raise ArgumentError(message, argument="inputs", hints=hints)
    return ids


def as_tensor(inputs: Any, wanted: str, hints: list[str]) -> Any:  # noqa: ANN401
    """Return a tensor, symbolic or not, as it is; a tensor of anything else.

    Raises:
        ArgumentError: `inputs` is a sparse tensor, or nothing that one tensor can be made of.
    """
    is_tensor = tf.is_tensor(inputs) or type(inputs).__name__.endswith("KerasTensor")  # as both Kerases name theirs
    try:
        inputs = inputs if is_tensor else tf.convert_to_tensor(inputs)
    except (TypeError, ValueError) as exc:
        message = f"inputs must be {wanted}, not what no tensor can be made of: {type(inputs).__name__}"
        raise ArgumentError(message, argument="inputs", hints=hints) from exc
    if isinstance(inputs, tf.SparseTensor):
        message = f"inputs must be {wanted}, not a sparse tensor"
        raise ArgumentError(message, argument="inputs", hints=["pass tf.sparse.to_dense(...) of it"])
    return inputs


def require_ids(shape: Any) -> None:  # noqa: ANN401
    """Refuse a shape that is none of character ids.

    Raises:
        ArgumentError: It is not.
    """
    sizes = tf.TensorShape(shape)
    if sizes.rank != 3 or sizes[-1] != MAX_CHARACTERS_PER_TOKEN:  # noqa: PLR2004  (batch, tokens, characters)
        found = "an unknown shape" if sizes.rank is None else f"the shape {tuple(sizes)}"
        raise ArgumentError(f"inputs must be {_IDS}, not of {found}", argument="inputs", hints=[_MAKE_IDS])
