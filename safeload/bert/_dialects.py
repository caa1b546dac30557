"""Translate the configs of other libraries into the keys of `bert_config.json`."""

from __future__ import annotations

from typing import Any

from safeload._json import shown
from safeload._recognise import Other

_KERAS_HUB = {
    "vocab_size": "vocabulary_size",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "hidden_size": "hidden_dim",
    "intermediate_size": "intermediate_dim",
    "max_position_embeddings": "max_sequence_length",
    "type_vocab_size": "num_segments",
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "dropout",
}
_BACKBONE = "BertBackbone"


def translated(raw: dict[str, Any]) -> tuple[dict[str, Any], Other | None]:
    """Return a config with Google's keys, and the model whose config it is, if that is no BERT.

    Source:
        keras_hub/src/models/bert/bert_backbone.py, BertBackbone, keras-hub 0.32.
    """
    inner, name = raw.get("config"), raw.get("class_name")
    if not isinstance(inner, dict) or "class_name" not in raw:
        return raw, None
    if name != _BACKBONE:
        return raw, Other(f"another model of Keras (class_name {shown(name)})", "load it with KerasHub")
    keys = {ours: inner[theirs] for ours, theirs in _KERAS_HUB.items() if theirs in inner}
    return {**keys, "hidden_act": "gelu"}, None
