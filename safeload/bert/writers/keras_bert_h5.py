"""Write what keras-bert's models load by order and by name: `bert_config.json`, `model.h5` and `vocab.txt`.

Source:
    keras_bert/loader.py, build_model_from_config; keras_bert/bert.py, get_model: keras-bert 0.89.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload.bert._content import MLM, NSP, POOLER_PART
from safeload.bert._runtimes import ACTIVATIONS, GELU, GELU_TANH, KERAS_BERT, SEGMENTS
from safeload.bert.namings.keras_bert import KerasBert
from safeload.bert.writers._writer import (
    VOCAB_NAME,
    Writer,
    carried,
    dropouts,
    needs,
    needs_activation,
    needs_epsilon,
    require,
    sizes_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from safeload.bert._content import Content
    from safeload.bert.writers._writer import Specs, Tensors

WEIGHTS = "model.h5"
_WHOLE = frozenset((POOLER_PART, MLM, NSP))
_WORDS = {GELU_TANH: GELU, **{word: word for word in ACTIVATIONS if word != GELU}}
_ORDER = (
    "bert/embeddings/word_embeddings", "bert/embeddings/token_type_embeddings", "bert/embeddings/position_embeddings",
)  # fmt: skip


class KerasBertH5(Writer):
    """The weights of keras-bert's layers: of a model for training if the heads are there, else of the encoder."""

    id = "keras-bert-h5"
    naming = KerasBert()
    runtime = KERAS_BERT
    config_name = "bert_config.json"
    names = (config_name, VOCAB_NAME, WEIGHTS)

    def parts(self, found: frozenset[str]) -> frozenset[str]:
        """Return all parts or none: keras-bert builds them together."""
        return _WHOLE if found >= _WHOLE else frozenset()

    def head(self, name: str, content: Content) -> str | None:
        """Return none: a layer more would shift those that Keras loads by order."""
        del name, content
        return None

    def order(self, parameters: Sequence[str]) -> list[str]:
        """Return the parameters in the order of the model's layers."""
        return [*_ORDER, *(name for name in parameters if name not in _ORDER)]

    def config(self, content: Content, heads: Mapping[str, str]) -> dict[str, Any]:
        """Return `bert_config.json`."""
        del heads
        config = content.config
        require(
            content,
            self.id,
            needs_activation(content, self.id, _WORDS),
            needs_epsilon(content, self.id),
            needs("type_vocab_size", config.type_vocab_size, SEGMENTS, self.id),
        )
        return {
            **carried(content),
            **sizes_of(config),
            "hidden_act": _WORDS[config.activation],
            **dropouts(config),
        }

    def write_weights(self, folder: Path, specs: Specs, tensors: Tensors, n_layers: int) -> None:
        """Write `model.h5`."""
        from safeload._forms.hdf5.layers import put_layers  # noqa: PLC0415  (imports NumPy)
        from safeload._forms.hdf5.writing import new_hdf5  # noqa: PLC0415

        del n_layers
        with new_hdf5(str(folder / WEIGHTS)) as file:
            put_layers(file, specs, tensors)
