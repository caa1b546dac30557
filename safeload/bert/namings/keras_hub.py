"""Match the names of KerasHub's BertBackbone, such as `layers/transformer_encoder_1/_feedforward_output_dense/vars/0`.

Source:
    keras_hub/src/models/bert/bert_backbone.py and keras_hub/src/layers/modeling/transformer_encoder.py, keras-hub 0.32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload.bert.namings._layers import Layers
from safeload.bert.namings._table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload._naming import Change

_L = "bert/encoder/layer_{}"
_ENCODER = "transformer_encoder{nth}"
_EMBEDDINGS = (
    ("word", "reversible_embedding", "token_embedding"),
    ("position", "position_embedding", "position_embedding"),
    ("token_type", "embedding", "segment_embedding"),
)
_ATTENTION: tuple[tuple[str, str, str, tuple[Change, Change]], ...] = (
    ("self/query", "query_dense", "query", ("heads last", "heads last")),
    ("self/key", "key_dense", "key", ("heads last", "heads last")),
    ("self/value", "value_dense", "value", ("heads last", "heads last")),
    ("output/dense", "output_dense", "attention_output", ("heads first", "same")),
)
_OTHERS = (
    ("attention/output/LayerNorm", "self_attention_layer_norm", ("gamma", "beta")),
    ("intermediate/dense", "feedforward_intermediate_dense", ("kernel", "bias")),
    ("output/dense", "feedforward_output_dense", ("kernel", "bias")),
    ("output/LayerNorm", "feedforward_layer_norm", ("gamma", "beta")),
)


def _rows() -> Iterator[Row]:
    for part, group, _ in _EMBEDDINGS:
        yield Row(f"bert/embeddings/{part}_embeddings", (f"{group}/vars/0",))
    for number, part in enumerate(("gamma", "beta")):
        yield Row(f"bert/embeddings/LayerNorm/{part}", (f"layer_normalization/vars/{number}",))
    for path, group, _, changes in _ATTENTION:
        for number, part in enumerate(("kernel", "bias")):
            name = f"{_ENCODER}/_self_attention_layer/{group}/vars/{number}"
            yield Row(f"{_L}/attention/{path}/{part}", (name,), changes[number])
    for path, group, parts in _OTHERS:
        for number, part in enumerate(parts):
            yield Row(f"{_L}/{path}/{part}", (f"{_ENCODER}/_{group}/vars/{number}",))
    for number, part in enumerate(("kernel", "bias")):
        yield Row(f"bert/pooler/dense/{part}", (f"dense/vars/{number}",))


class KerasHub(Layers):
    """The names of KerasHub's BertBackbone; a backbone has no MLM and NSP heads."""

    id = "keras-hub"
    usual_scope = "layers/"
    rows = tuple(_rows())
    inside = (
        "reversible_embedding/",
        "position_embedding/",
        "embedding/",
        "layer_normalization/",
        "transformer_encoder",
    )
    recorded = {  # noqa: RUF012  (the base class declares it)
        **{f"{group}/vars": name for _, group, name in _EMBEDDINGS},
        "layer_normalization/vars": "embeddings_layer_norm",
        "dense/vars": "pooled_dense",
        f"{_ENCODER}/vars": "transformer_layer_{number}",
        **{f"{_ENCODER}/_self_attention_layer/{group}/vars": name for _, group, name, _ in _ATTENTION},
        **{f"{_ENCODER}/_{group}/vars": group for _, group, _ in _OTHERS},
    }
