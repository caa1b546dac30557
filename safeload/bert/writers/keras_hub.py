"""Write a preset of KerasHub: `config.json`, `metadata.json`, `model.weights.h5` and the tokenizer's files.

Source:
    keras_hub/src/utils/preset_utils.py, KerasPresetSaver; keras_hub/src/models/bert/bert_backbone.py and
    bert_tokenizer.py, keras-hub 0.32.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from safeload._json import write_json
from safeload.bert._content import POOLER_PART
from safeload.bert._runtimes import GELU, GELU_TANH, KERAS_HUB, dropout_rates
from safeload.bert.namings import keras_hub
from safeload.bert.namings._layers import fields
from safeload.bert.writers._writer import (
    Writer,
    filled,
    needs,
    needs_activation,
    needs_epsilon,
    require,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from safeload.bert._content import Content
    from safeload.bert.writers._writer import Specs, Tensors

WEIGHTS, METADATA, TOKENIZER = "model.weights.h5", "metadata.json", "tokenizer.json"
VOCABULARY = "assets/tokenizer/vocabulary.txt"
_KEYS = {
    "vocabulary_size": "vocab_size", "num_layers": "num_hidden_layers", "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size", "intermediate_dim": "intermediate_size", "max_sequence_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
}  # fmt: skip
_VERSIONS = {"keras_version": "3.15.1", "keras_hub_version": "0.32.0"}
"""The versions whose files these are."""


class KerasHub(Writer):
    """A preset of KerasHub's BertBackbone."""

    id = "keras-hub"
    naming = keras_hub.KerasHub()
    runtime = KERAS_HUB
    config_name = "config.json"
    names = (config_name, WEIGHTS, METADATA, TOKENIZER, VOCABULARY)

    def parts(self, found: frozenset[str]) -> frozenset[str]:
        """Return the pooler, which a backbone always has."""
        del found
        return frozenset((POOLER_PART,))

    def head(self, name: str, content: Content) -> str | None:
        """Return none: a backbone has no heads."""
        del name, content
        return None

    def config(self, content: Content, heads: Mapping[str, str]) -> dict[str, Any]:
        """Return `config.json`."""
        del heads
        config = content.config
        hidden, attention = dropout_rates(config.raw)
        require(
            content,
            self.id,
            needs_activation(content, self.id, {GELU_TANH: GELU}),
            needs_epsilon(content, self.id),
            needs("attention_probs_dropout_prob", attention, hidden, self.id),
        )
        settings = {
            "name": "bert_backbone",
            "trainable": True,
            "dtype": _policy("float32"),
            **{theirs: getattr(config, ours) for theirs, ours in _KEYS.items()},
            "dropout": hidden,
        }
        return _serialised("bert_backbone", "BertBackbone", settings)

    def write(self, folder: Path, content: Content, config: Mapping[str, Any], specs: Specs, tensors: Tensors) -> None:
        """Write all files."""
        n_values = sum(prod(shape) for shape, _ in specs.values())
        write_json(folder / METADATA, {**_VERSIONS, "parameter_count": n_values})
        super().write(folder, content, config, specs, tensors)

    def write_vocabulary(self, folder: Path, content: Content) -> None:
        """Write the vocabulary and the tokenizer, if there is a vocabulary."""
        if content.vocabulary is None:
            return
        path = folder / VOCABULARY
        path.parent.mkdir(parents=True)
        path.write_bytes(content.vocabulary)
        settings = {
            "name": "bert_tokenizer",
            "trainable": True,
            "dtype": _policy("int32"),
            "config_file": TOKENIZER,
            "vocabulary": None,
            "sequence_length": None,
            "lowercase": content.is_lowercase(),
            "strip_accents": False,
            "split": True,
            "suffix_indicator": "##",
            "oov_token": "[UNK]",
            "special_tokens": None,
            "special_tokens_in_strings": False,
        }
        write_json(folder / TOKENIZER, _serialised("bert_tokenizer", "BertTokenizer", settings))

    def write_weights(self, folder: Path, specs: Specs, tensors: Tensors, n_layers: int) -> None:
        """Write `model.weights.h5`."""
        from safeload._forms.hdf5.layers import put_numbered  # noqa: PLC0415  (imports NumPy)
        from safeload._forms.hdf5.writing import new_hdf5  # noqa: PLC0415

        del specs
        scope = self.naming.usual_scope
        labels = filled(self.naming.recorded, n_layers, fields)
        with new_hdf5(str(folder / WEIGHTS)) as file:
            put_numbered(file, tensors, {scope + group: label for group, label in labels.items()})


def _policy(name: str) -> dict[str, Any]:
    return {"module": "keras", "class_name": "DTypePolicy", "config": {"name": name}, "registered_name": None}


def _serialised(module: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "module": f"keras_hub.src.models.bert.{module}",
        "class_name": name,
        "config": dict(config),
        "registered_name": f"keras_hub>{name}",
    }
