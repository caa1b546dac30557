"""Compute what each layer of a built BERT gives: one module per runtime, with `compute(model, inputs)` and `settings_of(model)`.

The names, their order and the shapes are the same in each runtime, so that two results can be compared:

- "embeddings", "layer 0", "layer 1", ...: `(rows, length, hidden_size)`, after each LayerNorm;
- "pooler": `(rows, hidden_size)`, where the model has one;
- "mlm": `(rows, length, vocab_size)`, and "nsp": `(rows, 2)`: natural logarithms of the probabilities, at least `LOWEST`,
  where the model has the heads. keras-bert gives probabilities, from which no logits can be had.

All arrays are float32. Dropout is off, unless `as_it_is` asks for what a call of the model would give. Positions of padding are 0,
because runtimes compute different things there.
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload.bert._runtimes import GELU_ERF, GELU_TANH
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from safeload.bert._runtimes import Runtime

    Array = NDArray[Any]

LONGEST = 32
"""Most tokens in a row of `fixed_inputs`."""

LOWEST = -60.0
"""The least logarithm of a probability: below it, float32 is about to lose the probability."""

EMBEDDINGS, POOLER, MLM, NSP = "embeddings", "pooler", "mlm", "nsp"
_GOLDEN = 0.618

GELU_AT = (-2.0, -0.5, 1.0, 2.0)
"""Where the two forms of GELU are told apart."""

_SAME_GELU = 1e-5


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


class Settings(NamedTuple):
    """What a built model computes with, read from its layers.

    Attributes:
        num_attention_heads: The number of attention heads.
        activation: That of the feed-forward layers, as `BertConfig.activation` names it.
        layer_norm_eps: What is added to a LayerNorm's variance; of several, the largest.
        dtype: The type of floats that it computes in.
    """

    num_attention_heads: int
    activation: str
    layer_norm_eps: float
    dtype: str


def activation_name(function: Any, values: Sequence[float]) -> str:  # noqa: ANN401  (any callable)
    """Return the name of an activation that gives these values at `GELU_AT`; which GELU it is, its values say."""
    forms = {GELU_ERF: _gelu_erf, GELU_TANH: _gelu_tanh}
    for name, form in forms.items():
        if all(abs(form(x) - value) < _SAME_GELU for x, value in zip(GELU_AT, values, strict=True)):
            return name
    return str(getattr(function, "__name__", type(function).__name__))


def _gelu_erf(x: float) -> float:
    return x * (1 + math.erf(x / math.sqrt(2))) / 2


def _gelu_tanh(x: float) -> float:
    return x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def largest(values: Iterable[float]) -> float:
    """Return the largest of the epsilons of a model's norms; 0 if there is none."""
    return max(map(float, values), default=0.0)


def layer_name(number: int) -> str:
    """Return the name of an encoder layer, counted from 0."""
    return f"layer {number}"


def layers_of(runtime: Runtime) -> Any:  # noqa: ANN401  (a module)
    """Return the module that computes the layers of a runtime's models; importing it imports no framework."""
    return importlib.import_module(f"safeload.bert.layers.{runtime.id.replace('-', '_')}")


def fixed_inputs(vocab_size: int, positions: int, segments: int = 2, *, longest: int = LONGEST) -> Inputs:
    """Return three texts that are the same in each call: a whole row, and two with padding.

    Token ids are spread over the vocabulary, without 0; the first text begins with the first and the last of them. Each text has
    both segments, if it has two tokens.

    Args:
        vocab_size: Number of tokens in the vocabulary.
        positions: Number of positions that the model has; at most `longest` are used.
        segments: Number of segments that the model has.
        longest: Most tokens in a row.

    Raises:
        ArgumentError: The vocabulary has no token besides padding.
    """
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    n_tokens, length = vocab_size - 1, min(positions, longest)
    if n_tokens < 1:
        message = f"vocab_size is {vocab_size}, but a text needs a token besides padding"
        raise ArgumentError(message, argument="model")
    step = max(1, int(n_tokens * _GOLDEN))
    while math.gcd(step, n_tokens) > 1:
        step += 1
    lengths = [[length], [max(1, length * 3 // 4)], [max(1, length // 4)]]
    places = np.arange(length, dtype=np.int32)
    is_token = places < np.array(lengths)
    tokens = 1 + np.arange(is_token.size, dtype=np.int64).reshape(is_token.shape) * step % n_tokens
    tokens[0, 1:2] = n_tokens
    is_second = is_token & (places >= (np.array(lengths) + 1) // 2)
    return Inputs(
        tokens=np.where(is_token, tokens, 0).astype(np.int32), segments=(is_second & (segments > 1)).astype(np.int32)
    )


def without_padding(values: Array, mask: Array) -> Array:
    """Return values of `(rows, length, ...)` as float32, with 0 at the positions of padding."""
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    return np.where(mask[:, :, None] != 0, values, 0).astype(np.float32)
