"""Compute the layers of a keras-bert model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from safeload.bert.layers import (
    EMBEDDINGS,
    GELU_AT,
    LOWEST,
    MLM,
    NSP,
    POOLER,
    Inputs,
    Settings,
    activation_name,
    largest,
    layer_name,
    without_padding,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Array = NDArray[Any]

_INPUTS = ("Input-Token", "Input-Segment")
_NAMES = {"Embedding-Norm": EMBEDDINGS, "NSP-Dense": POOLER, "MLM-Sim": MLM, "NSP": NSP}
_ENCODER = re.compile(r"Encoder-(\d+)-FeedForward-Norm")
_HEADS = (POOLER, MLM, NSP)
_NORM = re.compile(r"(Embedding|MultiHeadSelfAttention|FeedForward)-Norm$")


def compute(model: Any, inputs: Inputs, *, as_it_is: bool = False) -> dict[str, Array]:  # noqa: ANN401  (a Keras model)
    """Return what each layer computes; see `safeload.bert.layers`.

    The layers are called one after another on tensors, in the order of the graph: a graph that was built for 512 tokens
    then computes as few as it is given, and no function is traced.

    Args:
        model: The model of `keras_bert.get_model`, of any `seq_len` of at least the inputs' length; layers added to it
            do not matter.
        inputs: The texts. An embedding of tasks gets task 0.
        as_it_is: Whether dropout is on where Keras is told to train.

    Source:
        keras_bert/bert.py, get_model, keras-bert 0.89.0; keras/src/engine/functional.py, Functional, Keras 2.15.
    """
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    names = {layer.name: name for layer in model.layers if (name := _name_of(layer.name))}
    found: dict[str, Array] = {}
    for layer, outputs in _called(model, inputs, as_it_is=as_it_is):
        name = names.pop(layer, "")
        if name in (MLM, NSP):
            with np.errstate(divide="ignore"):
                outputs = np.maximum(np.log(np.asarray(outputs)), LOWEST)  # noqa: PLW2901
        if name:
            values = np.asarray(outputs, dtype=np.float32)
            found[name] = values if name in (POOLER, NSP) else without_padding(values, inputs.mask)
        if not names:
            break
    heads = {name: found.pop(name) for name in _HEADS if name in found}
    return {**found, **heads}


def settings_of(model: Any) -> Settings:  # noqa: ANN401  (a Keras model)
    """Return what the model computes with."""
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    attention, forward = (model.get_layer(f"Encoder-1-{name}") for name in ("MultiHeadSelfAttention", "FeedForward"))
    values = np.asarray(forward.activation(np.asarray(GELU_AT, np.float32))).tolist()
    return Settings(
        num_attention_heads=attention.head_num,
        activation=activation_name(forward.activation, values),
        layer_norm_eps=largest(layer.epsilon for layer in model.layers if _NORM.search(layer.name)),
        dtype=str(attention.compute_dtype),
    )


def _name_of(layer: str) -> str:
    encoder = _ENCODER.fullmatch(layer)
    return layer_name(int(encoder[1]) - 1) if encoder else _NAMES.get(layer, "")


def _called(model: Any, inputs: Inputs, *, as_it_is: bool) -> Iterable[tuple[str, Any]]:  # noqa: ANN401  (a Keras model)
    """Call each layer on what the layers before it gave; yield its name and its outputs."""
    given = {**dict(zip(_INPUTS, (inputs.tokens, inputs.segments), strict=True)), "Input-Masked": inputs.mask}
    tensors = {id(each): _input(given, each.name.partition(":")[0], inputs) for each in model.inputs}
    for layer in model.layers:
        if id(layer.output) in tensors:
            continue
        wanted = layer.input
        several = isinstance(wanted, (list, tuple))
        values = [tensors[id(each)] for each in wanted] if several else tensors[id(wanted)]
        outputs = layer(values, training=False) if _takes_training(layer) and not as_it_is else layer(values)
        listed = isinstance(outputs, (list, tuple))
        symbols = layer.output if listed else [layer.output]
        tensors.update(zip(map(id, symbols), outputs if listed else [outputs], strict=True))
        yield layer.name, outputs


def _input(given: dict[str, Array], name: str, inputs: Inputs) -> Any:  # noqa: ANN401  (an array)
    return given.get(name, inputs.tokens[:, :1] * 0)


def _takes_training(layer: Any) -> bool:  # noqa: ANN401  (a Keras layer)
    return bool(layer._expects_training_arg)  # noqa: SLF001  (Keras asks the same)
