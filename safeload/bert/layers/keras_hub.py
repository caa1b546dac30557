"""Compute the layers of a BertBackbone of KerasHub."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from safeload.bert.layers import EMBEDDINGS, POOLER, Inputs, layer_name, without_padding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def compute(model: Any, inputs: Inputs) -> dict[str, Array]:  # noqa: ANN401  (a Keras model)
    """Return what each layer computes; see `safeload.bert.layers`.

    Args:
        model: A `keras_hub.models.BertBackbone`, on any framework of Keras.
        inputs: The texts.

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
    outputs = graph({name: keras.ops.convert_to_tensor(each) for name, each in given.items()}, training=False)
    arrays = {name: np.asarray(keras.ops.convert_to_numpy(outputs[name]), dtype=np.float32) for name in layers}
    return {name: each if name == POOLER else without_padding(each, inputs.mask) for name, each in arrays.items()}
