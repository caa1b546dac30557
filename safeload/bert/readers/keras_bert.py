"""Read a model of keras-bert, or one that is built on its layers.

Source:
    keras_bert/bert.py, get_model, keras-bert 0.89.0; keras_multi_head/multi_head_attention.py, 0.29.0.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from safeload.bert._parameters import count_layers
from safeload.bert._runtimes import DROPOUT, DROPOUTS, GELU, GELU_ERF, GELU_TANH
from safeload.bert._saved_config import activation_of
from safeload.bert.namings.keras_bert import NAMES, KerasBertTf
from safeload.bert.readers import HeldBert

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ATTENTION = NAMES["attention"].format(at=1)
_FORWARD = NAMES["forward"].format(at=1)
_DROPOUT = "Embedding-Dropout"
_WORDS = {GELU_TANH: GELU}


def bert_in(model: Any) -> Any:  # noqa: ANN401  (any object)
    """Return the Keras model; None if it has none of keras-bert's layers."""
    names = {getattr(layer, "name", None) for layer in getattr(model, "layers", ())}
    return model if {NAMES["token"], _ATTENTION} <= names else None


def held(model: Any) -> HeldBert:  # noqa: ANN401  (a Keras model)
    """Return the config and the tensors of a model; those of other layers have their own names."""
    tensors = {
        each.name.partition(":")[0]: (tuple(each.shape), each.dtype.base_dtype.name, partial(_values, each))
        for each in {id(each): each for each in model.weights}.values()
    }
    layers = {layer.name: layer for layer in model.layers}
    naming = KerasBertTf()

    def shape(parameter: str) -> tuple[int, ...]:
        return tensors[naming.stored_as(parameter, "")[0]][0]

    word, positions = shape("bert/embeddings/word_embeddings"), shape("bert/embeddings/position_embeddings")
    dropout = getattr(layers.get(_DROPOUT), "rate", DROPOUT)
    activation = activation_of(layers[_FORWARD].get_config()["activation"])
    raw = {
        "vocab_size": word[0],
        "hidden_size": word[1],
        "num_hidden_layers": count_layers(naming, "", tensors),
        "num_attention_heads": layers[_ATTENTION].head_num,
        "intermediate_size": shape("bert/encoder/layer_0/intermediate/dense/bias")[0],
        "max_position_embeddings": positions[0],
        "type_vocab_size": shape("bert/embeddings/token_type_embeddings")[0],
        "hidden_act": "gelu_python" if activation == GELU_ERF else _WORDS.get(activation, activation),
        **dict.fromkeys(DROPOUTS, dropout),
    }
    return HeldBert(raw, tensors, "google")


def _values(variable: Any) -> NDArray[Any]:  # noqa: ANN401  (a tf.Variable)
    found: NDArray[Any] = variable.numpy()
    return found
