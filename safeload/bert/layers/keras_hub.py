"""Compute the layers of a BertBackbone of KerasHub."""

from __future__ import annotations

import importlib
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from safeload._outputs.calling import in_one_thread
from safeload.bert.layers import (
    EMBEDDINGS,
    GELU_AT,
    POOLER,
    Inputs,
    Settings,
    activation_name,
    largest,
    layer_name,
    without_padding,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def compute(model: Any, inputs: Inputs, *, as_it_is: bool = False) -> dict[str, Array]:  # noqa: ANN401  (a Keras model)
    """Return what each layer computes; see `safeload.bert.layers`.

    Args:
        model: A `keras_hub.models.BertBackbone`, on any framework of Keras.
        inputs: The texts.
        as_it_is: Whether dropout is on where Keras is told to train.

    Source:
        keras_hub/src/models/bert/bert_backbone.py, BertBackbone, keras-hub 0.32.
    """
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    keras: Any = importlib.import_module("keras")  # the caller has a model of it
    layers = {
        EMBEDDINGS: model.embeddings_layer_norm,
        **{layer_name(number): each for number, each in enumerate(model.transformer_layers)},
        POOLER: model.pooled_dense,
    }
    graph = keras.Model(model.input, {name: layer.output for name, layer in layers.items()})
    given = {"token_ids": inputs.tokens, "segment_ids": inputs.segments, "padding_mask": inputs.mask}
    is_torch = keras.backend.backend() == "torch"
    with in_one_thread(importlib.import_module("torch")) if is_torch else nullcontext():
        tensors = {name: keras.ops.convert_to_tensor(each) for name, each in given.items()}
        outputs = graph(tensors, training=None if as_it_is else False)
    arrays = {name: np.asarray(keras.ops.convert_to_numpy(outputs[name]), dtype=np.float32) for name in layers}
    return {name: each if name == POOLER else without_padding(each, inputs.mask) for name, each in arrays.items()}


def settings_of(model: Any) -> Settings:  # noqa: ANN401  (a Keras model)
    """Return what the model computes with."""
    keras: Any = importlib.import_module("keras")  # as above
    layers = model.transformer_layers
    values = keras.ops.convert_to_numpy(layers[0].activation(keras.ops.convert_to_tensor(GELU_AT, "float32"))).tolist()
    return Settings(
        num_attention_heads=layers[0].num_heads,
        activation=activation_name(layers[0].activation, values),
        layer_norm_eps=largest([model.embeddings_layer_norm.epsilon, *(each.layer_norm_epsilon for each in layers)]),
        dtype=str(layers[0].compute_dtype),
    )
