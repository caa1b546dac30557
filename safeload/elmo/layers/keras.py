"""Compute the layers of an ELMo's Keras layer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from safeload.elmo.layers import CHARACTERS, DTYPE, layer_names, sum_name, sum_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from safeload.elmo.builders.keras_read import KerasElmo

    Array = NDArray[Any]


def compute(held: KerasElmo, ids: Array, *, as_it_is: bool = False) -> dict[str, Array]:
    """Return what each layer computes; see `safeload.elmo.layers`.

    Args:
        held: The layer.
        ids: Character ids `(rows, tokens, 50)`.
        as_it_is: Whether dropout is on where Keras is told to train.
    """
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)
    import tensorflow as tf  # noqa: PLC0415  (the caller has a layer of it)

    layer = held.layer
    dropout = getattr(layer, "_dropout", None)  # ElmoText has none
    with _without_state(layer):
        words, layers, mask = layer._run(ids.astype(np.int32))  # noqa: SLF001  (what its call begins with)
    found = {CHARACTERS: words}
    for names, both in zip(layer_names(len(layers)), layers, strict=True):
        found.update(zip(names, tf.split(both, 2, axis=-1), strict=True))
    every = [tf.concat([words, words], axis=-1), *layers]
    for number, mix in enumerate(held.mixes):
        mixed = layer._mixed(every, mask, mix, do_layer_norm=held.do_layer_norm)  # noqa: SLF001
        found[sum_name(number)] = dropout(mixed, training=None if as_it_is else False) if dropout else mixed
    return {name: tf.cast(each, tf.float32).numpy() for name, each in found.items()}


def settings_of(held: KerasElmo) -> dict[str, object]:
    """Return what the layer computes with, besides its options."""
    sums = {
        sum_name(number): sum_text(weights.tolist(), float(scale[0]), do_layer_norm=held.do_layer_norm)
        for number, (weights, scale) in enumerate(held.sums())
    }
    return {DTYPE: str(held.layer.compute_dtype), **sums}


@contextmanager
def _without_state(layer: Any) -> Iterator[None]:  # noqa: ANN401  (a BilmLayer)
    """Start without the state that the LSTMs keep, and put it back."""
    states = layer._held_states() if layer.stateful else {}  # noqa: SLF001
    kept = {name: state.numpy() for name, state in states.items()}
    for state in states.values():
        state.assign(state[:, :0])
    try:
        yield
    finally:
        for name, state in states.items():
            state.assign(kept[name])
