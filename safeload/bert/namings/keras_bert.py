"""Match the names of keras-bert's models in Keras's files.

`.h5` files have the names of the layers: `Encoder-1-FeedForward/Encoder-1-FeedForward/Encoder-1-FeedForward_W1:0`, in a whole
model below `model_weights/`. `.weights.h5` and `.keras` number the layers of each class: `layers/feed_forward_1/vars/0`. In a
TensorFlow checkpoint or SavedModel the variables have their own names: `Encoder-1-FeedForward/Encoder-1-FeedForward_W1`.

Source:
    keras_bert/bert.py, get_model, keras-bert 0.89.0; keras/src/saving/legacy/hdf5_format.py, saving_lib.py and
    engine/training.py, save_weights, Keras 2.15 and tf-keras 2.21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._naming import TRAINING
from safeload.bert._parameters import HEAD
from safeload.bert.namings._layers import Layers
from safeload.bert.namings._table import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safeload._naming import Change
    from safeload.report import TensorSpec

_L = "bert/encoder/layer_{}"
_ATTENTION = ("self/query", "self/key", "self/value", "output/dense")
_DENSE = ("intermediate/dense", "output/dense")
_TRANSFORM = "cls/predictions/transform"
_PAIR = ("kernel", "bias")
_NORM = ("gamma", "beta")

NAMES = {
    "token": "Embedding-Token", "position": "Embedding-Position", "segment": "Embedding-Segment", "norm": "Embedding-Norm",
    "attention": "Encoder-{at}-MultiHeadSelfAttention", "attention norm": "Encoder-{at}-MultiHeadSelfAttention-Norm",
    "forward": "Encoder-{at}-FeedForward", "forward norm": "Encoder-{at}-FeedForward-Norm",
    "mlm": "MLM-Dense", "mlm norm": "MLM-Norm", "mlm bias": "MLM-Sim", "pooler": "NSP-Dense", "nsp": "NSP",
}  # fmt: skip
"""Part of the model -> the name of its layer."""

NUMBERED = {
    "token": "token_embedding", "position": "position_embedding", "segment": "embedding", "norm": "layer_normalization",
    "attention": "multi_head_attention{nth}", "attention norm": "layer_normalization_{one}",
    "forward": "feed_forward{nth}", "forward norm": "layer_normalization_{two}",
    "mlm": "dense", "mlm norm": "layer_normalization_{last}", "mlm bias": "embedding_similarity", "pooler": "dense_1",
    "nsp": "dense_2",
}  # fmt: skip
"""Part of the model -> its class, numbered."""


def _parts() -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Yield a part of the model, its parameters, and keras-bert's names of their variables, in the order of the layer's."""
    for part, parameter in (("token", "word"), ("position", "position"), ("segment", "token_type")):
        yield part, (f"bert/embeddings/{parameter}_embeddings",), ("embeddings",)
    yield "norm", tuple(f"bert/embeddings/LayerNorm/{each}" for each in _NORM), _NORM
    attention = tuple(f"{_L}/attention/{part}/{each}" for part in _ATTENTION for each in _PAIR)
    yield "attention", attention, ("Wq", "bq", "Wk", "bk", "Wv", "bv", "Wo", "bo")
    yield "attention norm", tuple(f"{_L}/attention/output/LayerNorm/{each}" for each in _NORM), _NORM
    yield "forward", tuple(f"{_L}/{part}/{each}" for part in _DENSE for each in _PAIR), ("W1", "b1", "W2", "b2")
    yield "forward norm", tuple(f"{_L}/output/LayerNorm/{each}" for each in _NORM), _NORM
    yield "mlm", tuple(f"{_TRANSFORM}/dense/{each}" for each in _PAIR), _PAIR
    yield "mlm norm", tuple(f"{_TRANSFORM}/LayerNorm/{each}" for each in _NORM), _NORM
    yield "mlm bias", (HEAD,), ("bias",)
    yield "pooler", tuple(f"bert/pooler/dense/{each}" for each in _PAIR), _PAIR
    yield "nsp", ("cls/seq_relationship/output_weights", "cls/seq_relationship/output_bias"), _PAIR


def _rows(name_of: Callable[[str, str, int], str]) -> Iterator[Row]:
    for part, parameters, variables in _parts():
        for number, (parameter, variable) in enumerate(zip(parameters, variables, strict=True)):
            change: Change = "transposed" if parameter.endswith("output_weights") else "same"
            yield Row(parameter, (name_of(part, variable, number),), change)


def _by_name(part: str, variable: str, number: int) -> str:
    return f"{NAMES[part]}/{_by_variable(part, variable, number)}:0"


def _by_variable(part: str, variable: str, _: int) -> str:
    layer = NAMES[part]
    return f"{layer}/{f'{layer}_' if part in ('attention', 'forward') else ''}{variable}"


def _by_number(part: str, _: str, number: int) -> str:
    return f"{NUMBERED[part]}/vars/{number}"


class KerasBert(Layers):
    """The names of keras-bert's layers, in `.h5` files."""

    id = "keras-bert"
    rows = tuple(_rows(_by_name))
    inside = ("Embedding-", "Encoder-")


class KerasBertTf(Layers):
    """The names of keras-bert's variables, in checkpoints and SavedModels of TensorFlow."""

    id = "keras-bert-tf"
    rows = tuple(_rows(_by_variable))
    inside = KerasBert.inside

    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a variable that a load does not read; scalars are states of an optimizer or a metric."""
        return TRAINING if spec.shape == () else super().class_of(name, spec, scope)


class NumberedKerasBert(Layers):
    """The numbered classes of keras-bert's layers, in `.weights.h5` and `.keras` files."""

    id = "keras-bert-numbered"
    usual_scope = "layers/"
    rows = tuple(_rows(_by_number))
    inside = (
        "token_embedding/", "position_embedding/", "embedding/", "task_embedding/", "multi_head_attention", "feed_forward",
    )  # fmt: skip
    norms = "layer_normalization"
    recorded = {  # noqa: RUF012  (the base class declares it)
        f"{NUMBERED[part]}/vars": NAMES[part] for part, _, _ in _parts()
    }
