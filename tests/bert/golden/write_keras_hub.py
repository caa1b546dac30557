"""Write the folders here whose names begin with `keras_hub`, with KerasHub's backbone; the tests unpack what ends in `.gz`.

Written with Python 3.11, keras-hub 0.32.0, Keras 3.15.1 and TensorFlow 2.21.0:

    KERAS_BACKEND=tensorflow python write_keras_hub.py FOLDER
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import keras_hub
import numpy as np

TOKENS = np.array([[2, 5, 9, 7, 1, 3], [4, 4, 8, 20, 29, 6]], np.int32)
SEGMENTS = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]], np.int32)
N_SHARD_BYTES = 5_504
"""The size of a shard at which the two variables of a layer are in two of them."""

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"word{number}" for number in range(25))]


def backbone(layers: int) -> keras_hub.models.BertBackbone:
    """Return a model with random values."""
    model = keras_hub.models.BertBackbone(
        vocabulary_size=30,
        num_layers=layers,
        num_heads=4,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=20,
        dropout=0.0,
    )
    random = np.random.default_rng(layers)
    for variable in model.weights:
        around = 1 if variable.path.endswith("gamma") else 0
        variable.assign(around + 0.1 * random.standard_normal(variable.shape))
    return model


def outputs(model: keras_hub.models.BertBackbone, folder: Path) -> None:
    """Write what the model computes."""
    found = model({"token_ids": TOKENS, "segment_ids": SEGMENTS, "padding_mask": np.ones_like(TOKENS)})
    hidden = np.asarray(found["sequence_output"])
    np.savez(folder / "outputs.npz", tokens=TOKENS, segments=SEGMENTS, hidden=hidden)


def write_preset(folder: Path, layers: int, **options: float) -> None:
    """Write a preset, with its weights packed, and what the model computes."""
    model = backbone(layers)
    model.save_to_preset(folder, **options)
    for weights in folder.glob("*.h5"):
        weights.with_name(f"{weights.name}.gz").write_bytes(gzip.compress(weights.read_bytes(), mtime=0))
        weights.unlink()
    vocabulary = folder / "assets" / "tokenizer" / "vocabulary.txt"
    vocabulary.parent.mkdir(parents=True, exist_ok=True)
    vocabulary.write_text("\n".join(WORDS) + "\n")
    outputs(model, folder)


def write_model(folder: Path) -> None:
    """Write a whole model, its config, and what it computes."""
    folder.mkdir()
    model = backbone(1)
    model.save(folder / "model.keras")
    config = {"class_name": "BertBackbone", "config": model.get_config()}
    (folder / "config.json").write_text(json.dumps(config, default=str))
    outputs(model, folder)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write_preset(target / "keras_hub", 2)
    write_model(target / "keras_hub_model")
    write_preset(target / "keras_hub_sharded", 1, max_shard_size=N_SHARD_BYTES / 1024**3)
