"""Say which variable of keras-bert's model each parameter is copied to, and how."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Target(NamedTuple):
    """The variable that a parameter is copied to.

    Attributes:
        name: The variable's name in the model graph, without the output number.
        change: How the values are changed: "rows" keeps the first rows that fit, "transposed" transposes.
    """

    name: str
    change: Literal["", "rows", "transposed"] = ""


_TARGETS: dict[str, Target] = {
    "bert/embeddings/word_embeddings": Target("Embedding-Token/embeddings"),
    "bert/embeddings/position_embeddings": Target("Embedding-Position/embeddings", "rows"),
    "bert/embeddings/token_type_embeddings": Target("Embedding-Segment/embeddings"),
    "bert/embeddings/LayerNorm/gamma": Target("Embedding-Norm/gamma"),
    "bert/embeddings/LayerNorm/beta": Target("Embedding-Norm/beta"),
    "cls/predictions/transform/dense/kernel": Target("MLM-Dense/kernel"),
    "cls/predictions/transform/dense/bias": Target("MLM-Dense/bias"),
    "cls/predictions/transform/LayerNorm/gamma": Target("MLM-Norm/gamma"),
    "cls/predictions/transform/LayerNorm/beta": Target("MLM-Norm/beta"),
    "cls/predictions/output_bias": Target("MLM-Sim/bias"),
    "bert/pooler/dense/kernel": Target("NSP-Dense/kernel"),
    "bert/pooler/dense/bias": Target("NSP-Dense/bias"),
    "cls/seq_relationship/output_weights": Target("NSP/kernel", "transposed"),
    "cls/seq_relationship/output_bias": Target("NSP/bias"),
}
_LAYER = re.compile(r"bert/encoder/layer_(\d+)/(.+)")
_IN_LAYER = {
    "attention/self/query/kernel": "MultiHeadSelfAttention/{}_Wq",
    "attention/self/query/bias": "MultiHeadSelfAttention/{}_bq",
    "attention/self/key/kernel": "MultiHeadSelfAttention/{}_Wk",
    "attention/self/key/bias": "MultiHeadSelfAttention/{}_bk",
    "attention/self/value/kernel": "MultiHeadSelfAttention/{}_Wv",
    "attention/self/value/bias": "MultiHeadSelfAttention/{}_bv",
    "attention/output/dense/kernel": "MultiHeadSelfAttention/{}_Wo",
    "attention/output/dense/bias": "MultiHeadSelfAttention/{}_bo",
    "attention/output/LayerNorm/gamma": "MultiHeadSelfAttention-Norm/gamma",
    "attention/output/LayerNorm/beta": "MultiHeadSelfAttention-Norm/beta",
    "intermediate/dense/kernel": "FeedForward/{}_W1",
    "intermediate/dense/bias": "FeedForward/{}_b1",
    "output/dense/kernel": "FeedForward/{}_W2",
    "output/dense/bias": "FeedForward/{}_b2",
    "output/LayerNorm/gamma": "FeedForward-Norm/gamma",
    "output/LayerNorm/beta": "FeedForward-Norm/beta",
}


def target_of(parameter: str) -> Target:
    """Return the variable in which keras-bert keeps a parameter.

    Source:
        keras_bert/loader.py, load_model_weights_from_checkpoint, keras-bert 0.89.0.
    """
    inner = _LAYER.fullmatch(parameter)
    if inner is None:
        return _TARGETS[parameter]
    layer, _, part = _IN_LAYER[inner[2]].partition("/")
    layer = f"Encoder-{int(inner[1]) + 1}-{layer}"
    return Target(f"{layer}/{part.format(layer)}")


def changed(value: NDArray[Any], target: Target, variable: Any) -> NDArray[Any]:  # noqa: ANN401  (a tf.Variable)
    """Return a parameter's values in the layout of the variable, and as float64 if it is."""
    if target.change == "transposed":
        value = value.T
    elif target.change == "rows":
        value = value[: variable.shape[0]]
    return value.astype("float64") if variable.dtype.base_dtype.name == "float64" else value
