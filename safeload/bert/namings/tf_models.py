"""Match the full names of tf-models' variables, such as `transformer/layer_0/self_attention/query/kernel`.

The kernels of the attention have an axis for the heads. The names of 2019, such as `bert_model/encoder/layer_0/...`, with
Google's names for the heads of pre-training, are known too.

Source:
    official/nlp/modeling/networks/bert_encoder.py, official/nlp/modeling/models/bert_pretrainer.py and
    official/nlp/tools/tf1_bert_checkpoint_converter_lib.py, tf-models-official 2.20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._naming import TRAINING
from safeload.bert._parameters import HEAD
from safeload.bert.namings._table import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload._naming import Change
    from safeload.report import TensorSpec

_LAYER = "bert/encoder/layer_{}"
_TRANSFORM = "cls/predictions/transform"
_POOLER = "bert/pooler/dense"


def _both(part: str, of_2019: str = "") -> tuple[str, ...]:
    """Return the names of a part of a layer, today's first."""
    return f"transformer/layer_{{}}/{part}", f"encoder/layer_{{}}/{of_2019 or part}"


def _pair(parameter: str, names: tuple[str, ...], ends: tuple[str, str], *changes: Change) -> Iterator[Row]:
    """Return the rows of the two variables of a layer, with the changes of each if their values are rearranged."""
    for end, change in zip(ends, changes or ("same", "same"), strict=True):
        yield Row(f"{parameter}/{end}", tuple(f"{name}/{end}" for name in names), change)


def _rows() -> Iterator[Row]:
    dense, norm = ("kernel", "bias"), ("gamma", "beta")
    yield Row("bert/embeddings/word_embeddings", ("word_embeddings/embeddings",))
    for parameter, name, of_2019 in (
        ("position_embeddings", "position_embedding/embeddings", "position_embeddings"),
        ("token_type_embeddings", "type_embeddings/embeddings", "type_embeddings"),
    ):
        yield Row(f"bert/embeddings/{parameter}", (name, f"embedding_postprocessor/{of_2019}"))
    yield from _pair("bert/embeddings/LayerNorm", ("embeddings/layer_norm", "embedding_postprocessor/layer_norm"), norm)
    for part in ("query", "key", "value"):
        names = _both(f"self_attention/{part}")
        yield from _pair(f"{_LAYER}/attention/self/{part}", names, dense, "heads last", "heads last")
    names = _both("self_attention/attention_output", "self_attention_output")
    yield from _pair(f"{_LAYER}/attention/output/dense", names, dense, "heads first", "same")
    yield from _pair(f"{_LAYER}/attention/output/LayerNorm", _both("self_attention_layer_norm"), norm)
    yield from _pair(f"{_LAYER}/intermediate/dense", _both("intermediate"), dense)
    yield from _pair(f"{_LAYER}/output/dense", _both("output"), dense)
    yield from _pair(f"{_LAYER}/output/LayerNorm", _both("output_layer_norm"), norm)
    yield from _pair(_POOLER, ("pooler_transform",), dense)
    for inner, ends in (("dense", dense), ("LayerNorm", norm)):
        yield from _pair(f"{_TRANSFORM}/{inner}", (f"bert/{_TRANSFORM}/{inner}", f"{_TRANSFORM}/{inner}"), ends)
    yield Row(HEAD, (f"bert/{HEAD}/bias", f"{HEAD}/bias", HEAD))
    logits = ("bert/next_sentence/logits", "next_sentence/logits", "predictions/transform/logits")
    yield Row("cls/seq_relationship/output_weights", tuple(f"{name}/kernel" for name in logits), "transposed")
    yield Row("cls/seq_relationship/output_weights", ("cls/seq_relationship/output_weights",))
    yield Row(
        "cls/seq_relationship/output_bias", (*(f"{name}/bias" for name in logits), "cls/seq_relationship/output_bias")
    )


class TfModels(Table):
    """The full names of the variables of tf-models' encoders and pre-trainers.

    The head for the next sentence has a pooler of its own, which must be equal to the encoder's: BERT has one.
    """

    id = "tf-models"
    separator = "/"
    rows = tuple(_rows())
    copies = {  # noqa: RUF012  (the base class declares it)
        f"{scope}next_sentence/pooler_dense/{end}": f"{_POOLER}/{end}"
        for scope in ("bert/", "")
        for end in ("kernel", "bias")
    }
    inside = (
        "word_embeddings", "position_embedding", "type_embeddings", "embeddings", "transformer", "pooler_transform",
        "embedding_postprocessor", "encoder",
    )  # fmt: skip
    heads = ("cls", "bert", "next_sentence", "predictions")

    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a variable that a load does not read; scalars are states of an optimizer or a tokenizer."""
        return TRAINING if spec.shape == () else super().class_of(name, spec, scope)
