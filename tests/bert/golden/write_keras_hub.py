"""Write the files of `keras_hub/` and `keras_hub_model/`, with KerasHub's backbone; the tests unpack `model.weights.h5.gz`.

Written with Python 3.11, keras-hub 0.32.0, Keras 3.15.1 and TensorFlow 2.21.0:

    KERAS_BACKEND=tensorflow python write_keras_hub.py
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import keras_hub
import numpy as np

HERE = Path(__file__).parent
TOKENS = np.array([[2, 5, 9, 7, 1, 3], [4, 4, 8, 20, 29, 6]], np.int32)
SEGMENTS = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]], np.int32)
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


preset = backbone(2)
preset.save_to_preset(HERE / "keras_hub")
weights = HERE / "keras_hub" / "model.weights.h5"
(HERE / "keras_hub" / "model.weights.h5.gz").write_bytes(gzip.compress(weights.read_bytes(), mtime=0))
weights.unlink()
vocabulary = HERE / "keras_hub" / "assets" / "tokenizer" / "vocabulary.txt"
vocabulary.parent.mkdir(parents=True, exist_ok=True)
vocabulary.write_text("\n".join(WORDS) + "\n")
outputs(preset, HERE / "keras_hub")

whole = HERE / "keras_hub_model"
whole.mkdir(exist_ok=True)
single = backbone(1)
single.save(whole / "model.keras")
(whole / "config.json").write_text(
    json.dumps({"class_name": "BertBackbone", "config": single.get_config()}, default=str)
)
outputs(single, whole)
