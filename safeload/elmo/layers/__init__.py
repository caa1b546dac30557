"""Compute what each layer of a built ELMo gives: one module per kind of reader, with `compute(held, ids)` and `settings_of(held)`.

The names, their order and the shapes are the same in each runtime, so that two results can be compared:

- "characters": `(rows, tokens + 2, projection_dim)`, of the character encoder with its highways and projection;
- "forward layer 0", "backward layer 0", "forward layer 1", ...: of the same shape, each direction of an LSTM layer;
- "sum 0", "sum 1", ...: `(rows, tokens + 2, 2 * projection_dim)`, each weighted sum that the model has, after its dropout.

The sentence marks are among the tokens. Dropout is off, unless `as_it_is` asks for what a call of the model would give. LSTMs start
without a state, and a state that they keep is put back.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from safeload.elmo._parameters import DIRECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHARACTERS = "characters"
SUM = "sum"
DTYPE = "dtype"

SENTENCES = (
    ("The", "na\u00efve", "fox", "jumps", "17"),
    ("(\u96ea)", "ELMo", "?"),
    ("pseudopseudohypoparathyroidism",),
)
"""The fixed inputs: capitals, digits, marks, letters of several bytes, a long word; few words, since each is a step of every LSTM."""


def layers_of(reader: str) -> Any:  # noqa: ANN401  (a module)
    """Return the module that computes the layers for a reader, "torch" or "keras"; importing it imports no framework."""
    return importlib.import_module(f"safeload.elmo.layers.{reader}")


def layer_names(n_layers: int) -> Iterator[tuple[str, str]]:
    """Yield the names of both directions of each LSTM layer."""
    for number in range(n_layers):
        forward, backward = (f"{word} layer {number}" for word in DIRECTIONS)
        yield forward, backward


def sum_name(number: int) -> str:
    """Return the name of a weighted sum, counted from 0."""
    return f"{SUM} {number}"


def sum_text(weights: Sequence[float], scale: float, *, do_layer_norm: bool) -> str:
    """Return what a weighted sum computes with, in words."""
    normalised = " of normalised layers" * do_layer_norm
    return f"softmax of {', '.join(f'{each:.7g}' for each in weights)}, times {scale:.7g}{normalised}"
