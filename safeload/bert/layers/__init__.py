"""Compute what each layer of a built BERT gives: one module per runtime, with `compute(model, inputs)`.

The names, their order and the shapes are the same in each runtime, so that two results can be compared:

- "embeddings", "layer 0", "layer 1", ...: `(rows, length, hidden_size)`, after each LayerNorm;
- "pooler": `(rows, hidden_size)`, where the model has one;
- "mlm": `(rows, length, vocab_size)`, and "nsp": `(rows, 2)`: natural logarithms of the probabilities, at least `LOWEST`,
  where the model has the heads. keras-bert gives probabilities, from which no logits can be had.

All arrays are float32. Dropout is off. Positions of padding are 0, because runtimes compute different things there.
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from safeload.bert._runtimes import Runtime

    Array = NDArray[Any]

LONGEST = 32
"""Most tokens in a row of `fixed_inputs`."""

LOWEST = -60.0
"""The least logarithm of a probability: below it, float32 is about to lose the probability."""

EMBEDDINGS, POOLER, MLM, NSP = "embeddings", "pooler", "mlm", "nsp"
_GOLDEN = 0.618


class Inputs(NamedTuple):
    """A batch of texts.

    Attributes:
        tokens: Token ids, int32, `(rows, length)`; 0 is padding, as keras-bert takes it whatever the vocabulary.
        segments: Segment ids, of the same shape and type.
    """

    tokens: Array
    segments: Array

    @property
    def mask(self) -> Array:
        """1 for a token and 0 for padding, of the same shape and type."""
        mask: Array = (self.tokens != 0).astype(self.tokens.dtype)
        return mask


def layer_name(number: int) -> str:
    """Return the name of an encoder layer, counted from 0."""
    return f"layer {number}"


def layers_of(runtime: Runtime) -> Any:  # noqa: ANN401  (a module)
    """Return the module that computes the layers of a runtime's models; importing it imports no framework."""
    return importlib.import_module(f"safeload.bert.layers.{runtime.id.replace('-', '_')}")


def fixed_inputs(vocab_size: int, positions: int, segments: int = 2) -> Inputs:
    """Return three texts that are the same in each call: a whole row, and two with padding.

    Token ids are spread over the vocabulary, without 0. Each text has both segments, if it has two tokens.

    Args:
        vocab_size: Number of tokens in the vocabulary.
        positions: Number of positions that the model has; at most `LONGEST` are used.
        segments: Number of segments that the model has.

    Raises:
        ValueError: The vocabulary has no token besides padding.
    """
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    n_tokens, length = vocab_size - 1, min(positions, LONGEST)
    if n_tokens < 1:
        message = f"vocab_size is {vocab_size}, but a text needs a token besides padding"
        raise ValueError(message)
    step = max(1, int(n_tokens * _GOLDEN))
    while math.gcd(step, n_tokens) > 1:
        step += 1
    lengths = [[length], [max(1, length * 3 // 4)], [max(1, length // 4)]]
    places = np.arange(length, dtype=np.int32)
    is_token = places < np.array(lengths)
    tokens = 1 + np.arange(is_token.size, dtype=np.int64).reshape(is_token.shape) * step % n_tokens
    is_second = is_token & (places >= (np.array(lengths) + 1) // 2)
    return Inputs(
        tokens=np.where(is_token, tokens, 0).astype(np.int32), segments=(is_second & (segments > 1)).astype(np.int32)
    )


def without_padding(values: Array, mask: Array) -> Array:
    """Return values of `(rows, length, ...)` as float32, with 0 at the positions of padding."""
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    return np.where(mask[:, :, None] != 0, values, 0).astype(np.float32)
