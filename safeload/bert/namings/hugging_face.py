"""Match the names of Hugging Face's PyTorch models, such as `bert.encoder.layer.0.attention.self.query.weight`.

Source:
    transformers/models/bert/modeling_bert.py, transformers 4.49 and 5.24.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from safeload._naming import TASK, TRAINING
from safeload.bert._parameters import FIRST_VARIABLE, HEAD
from safeload.bert._runtimes import LEARNED
from safeload.bert.namings._table import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload.report import TensorSpec

_IN_LAYER = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
             "intermediate.dense", "output.dense")  # fmt: skip
_NORMS = ("attention.output", "output")
_TRANSFORM = "cls.predictions.transform"
_STATE = re.compile(r"(.*\.)?state\.[0-9]+\.[^.]+")
"""The name of what an optimizer of torch keeps of a parameter, in a file that has both."""


def _dense(parameter: str, name: str) -> Iterator[Row]:
    """Return the rows of a linear layer, whose weight PyTorch stores with the outputs first."""
    yield Row(f"{parameter}/kernel", (f"{name}.weight",), "transposed")
    yield Row(f"{parameter}/bias", (f"{name}.bias",))


def _norm(parameter: str, name: str) -> Iterator[Row]:
    """Return the rows of a LayerNorm; the files of 2019 have TensorFlow's names."""
    yield Row(f"{parameter}/gamma", (f"{name}.weight", f"{name}.gamma"))
    yield Row(f"{parameter}/beta", (f"{name}.bias", f"{name}.beta"))


def _rows() -> Iterator[Row]:
    for part in ("word", "position", "token_type"):
        yield Row(f"bert/embeddings/{part}_embeddings", (f"embeddings.{part}_embeddings.weight",))
    yield from _norm("bert/embeddings/LayerNorm", "embeddings.LayerNorm")
    for part in _IN_LAYER:
        yield from _dense(f"bert/encoder/layer_{{}}/{part.replace('.', '/')}", f"encoder.layer.{{}}.{part}")
    for part in _NORMS:
        inner = part.replace(".", "/")
        yield from _norm(f"bert/encoder/layer_{{}}/{inner}/LayerNorm", f"encoder.layer.{{}}.{part}.LayerNorm")
    for part in sorted({part for parts in LEARNED.values() for part in parts}):
        name = f"encoder.layer.{{}}.intermediate.intermediate_act_fn.{part}"
        yield Row(f"bert/encoder/layer_{{}}/intermediate/activation/{part}", (name,))
        yield Row(f"cls/predictions/transform/activation/{part}", (f"{_TRANSFORM}.transform_act_fn.{part}",))
    yield from _dense("bert/pooler/dense", "pooler.dense")
    yield from _dense("cls/predictions/transform/dense", f"{_TRANSFORM}.dense")
    yield from _norm("cls/predictions/transform/LayerNorm", f"{_TRANSFORM}.LayerNorm")
    yield Row(HEAD, ("cls.predictions.bias", "cls.predictions.decoder.bias"))
    yield Row("cls/seq_relationship/output_weights", ("cls.seq_relationship.weight",))
    yield Row("cls/seq_relationship/output_bias", ("cls.seq_relationship.bias",))


class HuggingFace(Table):
    """The names of Hugging Face's PyTorch models."""

    id = "hugging-face"
    usual_scope = "bert."
    separator = "."
    gelu = "gelu_erf"
    has_torch_heads = True
    rows = tuple(_rows())
    copies = {  # noqa: RUF012  (the base class declares it)
        "cls.predictions.decoder.weight": FIRST_VARIABLE,
        "cls.predictions.decoder.bias": HEAD,
    }
    buffers = {  # noqa: RUF012
        "embeddings.position_ids": "bert/embeddings/position_ids",
        "embeddings.token_type_ids": "bert/embeddings/token_type_ids",
    }

    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a tensor that a load does not read; the state of an optimizer is of training."""
        found = super().class_of(name, spec, scope)
        return TRAINING if found == TASK and _STATE.fullmatch(name) else found
