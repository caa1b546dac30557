"""A BERT into transformers and KerasHub."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from models import GOOGLES

from sides.process import process

if TYPE_CHECKING:
    from pathlib import Path

    from sides.process import Call


def load_transformers(folder: Path) -> Call:
    """safeload, the same weights into transformers' BertModel."""
    import safeload

    _bert_of_transformers()
    return lambda: safeload.load_bert(folder, backend="transformers")


def load_google_transformers(folder: Path) -> Call:
    """safeload, from Google's checkpoint into transformers' BertModel."""
    return load_transformers(folder / GOOGLES)


def from_pretrained(folder: Path) -> Call:
    """transformers' own loader, which checks no value."""
    bert = _bert_of_transformers()
    return lambda: bert.from_pretrained(folder)


def from_pretrained_read(folder: Path) -> Call:
    """The same, which maps the file, with every value then tested and copied to memory of its own."""
    import torch

    bert = _bert_of_transformers()

    def load() -> object:
        model = bert.from_pretrained(folder)
        for parameter in model.parameters():
            if not torch.isfinite(parameter).all():
                raise ValueError
            parameter.data = parameter.data.clone()
        return model

    return load


def load_expected_outputs(folder: Path) -> Call:
    """safeload, the same load, which then compares what each layer computes with a file."""
    import safeload

    _bert_of_transformers()
    path = _outputs_file(folder)
    return lambda: safeload.load_bert(folder, backend="transformers", expected_outputs=path)


def write_outputs(folder: Path) -> Call:
    """Write what each layer computes: not measured, but needed by the side above."""
    import safeload

    return lambda: safeload.save_outputs(
        safeload.load_bert(folder, backend="transformers"), _outputs_file(folder), overwrite=True
    )


def build_transformers(folder: Path) -> Call:
    """transformers' layers alone, without memory for their parameters."""
    import torch
    from transformers import BertConfig

    bert, config = _bert_of_transformers(), BertConfig.from_pretrained(folder)

    def build() -> object:
        with torch.device("meta"):
            return bert(config)

    return build


def load_keras_hub(folder: Path) -> Call:
    """safeload, from Google's checkpoint into KerasHub's BertBackbone."""
    import safeload

    _keras_hub()
    return lambda: safeload.load_bert(folder / GOOGLES, backend="keras-hub")


def from_preset(folder: Path) -> Call:
    """KerasHub's own loader, from Hugging Face's files."""
    keras_hub = _keras_hub()
    return lambda: keras_hub.models.BertBackbone.from_preset(str(folder), load_weights=True)


def build_keras_hub(folder: Path) -> Call:
    """KerasHub's layers alone, with random values."""
    keras_hub, config = _keras_hub(), json.loads((folder / "config.json").read_text(encoding="utf-8"))
    sizes = {"vocabulary_size": "vocab_size", "num_layers": "num_hidden_layers", "num_heads": "num_attention_heads"}
    sizes |= {
        "hidden_dim": "hidden_size",
        "intermediate_dim": "intermediate_size",
        "max_sequence_length": "max_position_embeddings",
    }
    return lambda: keras_hub.models.BertBackbone(**{name: config[key] for name, key in sizes.items()})


def process_load_transformers(folder: Path) -> Call:
    """A whole process that loads into transformers' BertModel."""
    return process(f"import safeload; safeload.load_bert({str(folder)!r}, backend='transformers')")


def process_from_pretrained(folder: Path) -> Call:
    """A whole process that loads with transformers' own loader."""
    return process(f"from transformers import BertModel; BertModel.from_pretrained({str(folder)!r})")


def process_import_transformers(folder: Path) -> Call:  # noqa: ARG001
    """A whole process that imports transformers' BertModel and does nothing."""
    return process("from transformers import BertModel")


def _bert_of_transformers() -> Any:
    from transformers import BertModel

    return BertModel


def _keras_hub() -> Any:
    import keras_hub
    import tensorflow as tf

    tf.zeros(1)
    return keras_hub


def _outputs_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.outputs.json")
