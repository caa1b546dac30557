"""Write Google's files: `bert_config.json`, a V2 checkpoint and `vocab.txt`.

Source:
    google-research/bert, modeling.py, BertConfig and get_activation; keras_bert/loader.py, keras-bert 0.89.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload.bert._runtimes import GELU_TANH, KERAS_BERT
from safeload.bert.namings import google
from safeload.bert.namings._heads import GOOGLE_HEADS
from safeload.bert.writers._heads import is_for_sequences
from safeload.bert.writers._writer import (
    VOCAB_NAME,
    Writer,
    carried,
    dropouts,
    needs_activation,
    needs_epsilon,
    require,
    sizes_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from safeload.bert._content import Content
    from safeload.bert.writers._writer import Specs, Tensors

PREFIX = "bert_model.ckpt"
_WORDS = {GELU_TANH: "gelu", "relu": "relu", "tanh": "tanh", "linear": "linear"}
"""What both google-research/bert and keras-bert know."""


class Google(Writer):
    """Google's files."""

    id = "google"
    naming = google.Google()
    runtime = KERAS_BERT
    config_name = "bert_config.json"
    names = (config_name, VOCAB_NAME, f"{PREFIX}.index", f"{PREFIX}.data-00000-of-00001")

    def parts(self, found: frozenset[str]) -> frozenset[str]:
        """Return all parts."""
        return found

    def head(self, name: str, content: Content) -> str | None:
        """Return the name that google-research/bert has for a task head."""
        if content.naming == "hugging-face":
            known = {theirs: ours for ours, theirs in GOOGLE_HEADS.items()}
            return known.get(name) if is_for_sequences(name, content) else None
        return super().head(name, content)

    def order(self, parameters: object) -> list[str]:
        """Return the parameters as TensorFlow sorts them."""
        return sorted(parameters)  # type: ignore[call-overload,no-any-return]

    def config(self, content: Content, heads: Mapping[str, str]) -> dict[str, Any]:
        """Return `bert_config.json`."""
        del heads
        require(content, self.id, needs_activation(content, self.id, _WORDS), needs_epsilon(content, self.id))
        return {
            **carried(content),
            **sizes_of(content.config),
            "hidden_act": _WORDS[content.config.activation],
            **dropouts(content.config),
        }

    def write_weights(self, folder: Path, specs: Specs, tensors: Tensors, n_layers: int) -> None:
        """Write the checkpoint."""
        from safeload._forms.element_types import n_bytes_of  # noqa: PLC0415  (not for `import safeload`)
        from safeload._forms.tensorflow.writing import write_shards  # noqa: PLC0415  (imports NumPy)

        del n_layers
        n_bytes = sum(n_bytes_of(shape, dtype) for shape, dtype in specs.values())
        write_shards(folder / PREFIX, [tensors], [n_bytes])
