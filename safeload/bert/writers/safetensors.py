"""Write Hugging Face's files: `config.json`, `model.safetensors`, `vocab.txt` and what its tokenizer must know.

Source:
    transformers/modeling_utils.py, save_pretrained; transformers/models/bert/configuration_bert.py, BertConfig;
    transformers/activations.py, ACT2FN: transformers 4.57 and 5.24.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._json import shown, write_json
from safeload.bert._content import MLM, NSP, PAD, POOLER_PART
from safeload.bert._runtimes import GELU_ERF, GELU_TANH, TRANSFORMERS
from safeload.bert.namings._heads import GOOGLE_HEADS
from safeload.bert.namings.hugging_face import HuggingFace
from safeload.bert.writers._heads import CLASSES
from safeload.bert.writers._writer import (
    VOCAB_NAME,
    Writer,
    carried,
    dropouts,
    epsilon,
    needs_activation,
    require,
    sizes_of,
)
from safeload.report import KeyProblem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from safeload.bert._content import Content
    from safeload.bert.writers._writer import Specs, Tensors

WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer_config.json"
_ALONE = "BertModel"
_OF_PARTS = {
    frozenset((POOLER_PART, MLM, NSP)): "BertForPreTraining",
    frozenset((POOLER_PART, MLM)): "BertForPreTraining",
    frozenset((MLM,)): "BertForMaskedLM",
    frozenset((POOLER_PART, NSP)): "BertForNextSentencePrediction",
}
_WORDS = {
    GELU_ERF: "gelu",
    GELU_TANH: "gelu_new",
    **{word: word for word in TRANSFORMERS.words if not word.startswith("gelu_") and word != "gelu"},
    "gelu_10": "gelu_10",
}
_N_LABELS = 2
"""The labels of a config that names none."""


class Safetensors(Writer):
    """Hugging Face's files."""

    id = "safetensors"
    naming = HuggingFace()
    runtime = TRANSFORMERS
    config_name = "config.json"
    names = (config_name, VOCAB_NAME, TOKENIZER, WEIGHTS)

    def parts(self, found: frozenset[str]) -> frozenset[str]:
        """Return all parts."""
        return found

    def scope(self, content: Content) -> str:
        """Return none for the names of a BertModel alone."""
        return self.naming.usual_scope if content.heads or content.parts - {POOLER_PART} else ""

    def head(self, name: str, content: Content) -> str | None:
        """Return the name that transformers has for a task head."""
        return GOOGLE_HEADS.get(name) if content.naming == "google" else super().head(name, content)

    def config(self, content: Content, heads: Mapping[str, str]) -> dict[str, Any]:
        """Return `config.json`."""
        labels, problem = _labels(content, heads)
        require(content, self.id, needs_activation(content, self.id, _WORDS), problem)
        config = content.config
        return {
            **carried(content),
            "architectures": [_class_of(content, heads)],
            "model_type": "bert",
            **sizes_of(config),
            "hidden_act": _WORDS[config.activation],
            "layer_norm_eps": epsilon(config),
            **dropouts(config),
            "pad_token_id": config.raw.get("pad_token_id", content.tokens.get(PAD, 0)),
            **labels,
        }

    def notes(self, content: Content) -> list[str]:
        """Return a note where transformers would make up a pooler."""
        if content.parts or content.heads:
            return []
        return ["the weights have no pooler: pass add_pooling_layer=False to transformers.BertModel.from_pretrained"]

    def write_vocabulary(self, folder: Path, content: Content) -> None:
        """Write the vocabulary, and whether words are made lower-case, which transformers does if nothing says it."""
        super().write_vocabulary(folder, content)
        if content.vocabulary is not None:
            settings = {
                "do_lower_case": content.is_lowercase(),
                "model_max_length": content.config.max_position_embeddings,
                "tokenizer_class": "BertTokenizer",
            }
            write_json(folder / TOKENIZER, settings)

    def write_weights(self, folder: Path, specs: Specs, tensors: Tensors, n_layers: int) -> None:
        """Write `model.safetensors`."""
        from safeload._forms.safetensors.writing import write_safetensors  # noqa: PLC0415  (imports NumPy)

        del n_layers
        write_safetensors(folder / WEIGHTS, specs, tensors, {"format": "pt"})


def _class_of(content: Content, heads: Mapping[str, str]) -> str:
    """Return the class of transformers that has what is written."""
    named = content.config.raw.get("architectures")
    if heads:
        first = next(iter(heads.values())).partition(".")[0]
        if content.naming != "google" and isinstance(named, list) and len(named) == 1 and isinstance(named[0], str):
            return named[0]
        return CLASSES.get(first, _ALONE)
    return _OF_PARTS.get(content.parts, "BertForPreTraining" if content.parts - {POOLER_PART} else _ALONE)


def _labels(content: Content, heads: Mapping[str, str]) -> tuple[dict[str, Any], KeyProblem | None]:
    """Return the keys of labels that a classifier needs, and the problem of a config with another number of them."""
    rows = [content.heads[name].shape[0] for name, theirs in heads.items() if theirs == "classifier.bias"]
    named = content.config.raw.get("id2label")
    if named is not None and not isinstance(named, dict):
        return {}, KeyProblem(key="id2label", problem=f"expected an object, found {shown(named)}")
    if not rows:
        return {}, None
    if isinstance(named, dict):
        problem = f"{len(named)} labels, and the classifier has {rows[0]}"
        return {}, None if len(named) == rows[0] else KeyProblem(key="id2label", problem=problem)
    if rows[0] == _N_LABELS:
        return {}, None
    labels = {str(number): f"LABEL_{number}" for number in range(rows[0])}
    return {"id2label": labels, "label2id": {label: int(number) for number, label in labels.items()}}, None
