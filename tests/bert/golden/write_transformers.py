"""Write the folders here whose names begin with `transformers`, with Hugging Face's TensorFlow model.

Written with Python 3.11, transformers 4.49.0, TensorFlow 2.18.1 and tf-keras 2.18.0:

    TF_USE_LEGACY_KERAS=1 python write_transformers.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from transformers import (
    BertConfig,
    TFBertForPreTraining,
    TFBertForQuestionAnswering,
    TFBertForSequenceClassification,
)

TOKENS = [[2, 5, 9, 7, 1, 3], [4, 4, 8, 20, 29, 6]]
SEGMENTS = [[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]]


def filled(model_class: Any, layers: int, **keys: Any) -> tuple[Any, dict[str, Any]]:
    """Return a model with random values, and what it is called with."""
    tf.keras.backend.clear_session()
    config = BertConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=32,
        max_position_embeddings=20,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **keys,
    )
    model = model_class(config)
    given = {"input_ids": tf.constant(TOKENS), "token_type_ids": tf.constant(SEGMENTS)}
    model(given)
    random = np.random.default_rng(layers)
    for variable in model.weights:
        around = 1 if "gamma" in variable.name else 0
        variable.assign(around + 0.1 * random.standard_normal(variable.shape))
    return model, given


def write_head(folder: Path, model_class: Any, *, safe: bool, **keys: Any) -> None:
    """Write a model with a task head, and its outputs for one input."""
    model, given = filled(model_class, 1, **keys)
    model.save_pretrained(folder, safe_serialization=safe)
    named = zip(("first", "second"), model(given).to_tuple(), strict=False)
    outputs = {name: output.numpy() for name, output in named}
    np.savez(
        folder / "outputs.npz", tokens=np.array(TOKENS, np.int32), segments=np.array(SEGMENTS, np.int32), **outputs
    )


def write(folder: Path, layers: int, *, safe: bool, shard: str = "5GB") -> None:
    """Write a model with random values, in files of at most `shard`, and its outputs for one input."""
    model, given = filled(TFBertForPreTraining, layers)
    model.save_pretrained(folder, safe_serialization=safe, max_shard_size=shard)
    found = model(given)
    hidden = model.bert(given).last_hidden_state
    np.savez(
        folder / "outputs.npz",
        tokens=np.array(TOKENS, np.int32),
        segments=np.array(SEGMENTS, np.int32),
        hidden=hidden.numpy(),
        mlm=tf.nn.softmax(found.prediction_logits).numpy(),
        nsp=tf.nn.softmax(found.seq_relationship_logits).numpy(),
    )


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write(target / "transformers", 1, safe=False)
    write(target / "transformers_safetensors", 2, safe=True)
    write(target / "transformers_sharded", 1, safe=False, shard="8KB")
    write(target / "transformers_safetensors_sharded", 1, safe=True, shard="8KB")
    write_head(target / "transformers_classifier", TFBertForSequenceClassification, safe=False, num_labels=3)
    write_head(target / "transformers_answers", TFBertForQuestionAnswering, safe=True)
