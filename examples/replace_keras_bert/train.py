"""Fine-tune a classifier on top of BERT: one import away from keras-bert.

    python train.py [FOLDER]

FOLDER holds a published BERT: bert_config.json, vocab.txt, bert_model.ckpt.*. Without it, a tiny one is written first.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

# was: from keras_bert import load_trained_model_from_checkpoint, load_vocabulary
from safeload.compat.keras_bert import load_trained_model_from_checkpoint, load_vocabulary
from safeload.testing import write_bert_checkpoint

SENTENCES = ["good film", "bad film", "a good plot", "a bad plot"]
LABELS = np.array([1, 0, 1, 0])


def train(folder: Path) -> list[float]:
    """Train five epochs, and return the loss of each."""
    bert = load_trained_model_from_checkpoint(
        folder / "bert_config.json",
        folder / "bert_model.ckpt",
        trainable=["Encoder-2"],
        seq_len=16,
        dropout_rate=0.0,
    )
    import tensorflow as tf  # noqa: PLC0415  (after the load, which has chosen Keras 2 for tf.keras)

    tf.keras.utils.set_random_seed(0)  # after the load, so that the new layer starts as with keras-bert
    ids = load_vocabulary(folder / "vocab.txt")
    tokens = np.zeros((len(SENTENCES), 16))
    for row, sentence in enumerate(SENTENCES):
        words = ["[CLS]", *sentence.split(), "[SEP]"]
        tokens[row, : len(words)] = [ids.get(word, ids["[UNK]"]) for word in words]

    first = tf.keras.layers.Lambda(lambda output: output[:, 0])(bert.output)
    classifier = tf.keras.Model(bert.inputs, tf.keras.layers.Dense(2, activation="softmax")(first))
    classifier.compile(tf.keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    losses: list[float] = classifier.fit([tokens, np.zeros_like(tokens)], LABELS, epochs=5, verbose=0).history["loss"]
    return losses


def main() -> None:
    """Print the loss of each epoch."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else write_bert_checkpoint(name)
        for epoch, loss in enumerate(train(folder), 1):
            print(f"epoch {epoch}: loss {loss:.3f}")


if __name__ == "__main__":
    main()
