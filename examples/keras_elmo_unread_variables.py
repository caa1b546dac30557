"""The classic failure of ELMo in Keras, and what safeload says in its place.

    python examples/keras_elmo_unread_variables.py

TensorFlow Hub's ELMo is a graph of TensorFlow 1. Called inside a Keras model, its variables belong to a session that
Keras never initialises: the model builds, and the first batch fails, or answers from random numbers where somebody then
runs an initialiser. Here the same happens to one variable of such a graph. After it, the same mistake with safeload, a
model whose variables were not read, is an error at the load call.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import tensorflow as tf

import safeload
import safeload.keras
from safeload.testing import drop_variable, write_elmo

DATASET = "CNN_high_0/b_carry"


def as_in_tensorflow_1() -> None:
    """Read a variable of a TensorFlow 1 graph whose initialiser nobody ran."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        carry = v1.get_variable(f"module/bilm/{DATASET}", [2048], use_resource=True)
        session.run(tf.sigmoid(carry))


def with_safeload(folder: Path) -> None:
    """Load an ELMo whose file lacks the dataset, then one whose file is whole."""
    write_elmo(folder / "lacking")
    drop_variable(folder / "lacking", DATASET)
    try:
        safeload.load_elmo(folder / "lacking", backend="keras")
    except safeload.SafeLoadError as error:
        print(f"safeload, at the load call:\n\n{type(error).__name__}: {error}\n")
    write_elmo(folder / "whole")
    elmo = safeload.load_elmo(folder / "whole", backend="keras")
    vectors = elmo(safeload.keras.ElmoTokens()(tf.constant([["It", "works", "."]])))
    print(f"safeload, the whole file: {len(elmo.datasets)} variables read and proven, vectors {tuple(vectors.shape)}")


if __name__ == "__main__":
    try:
        as_in_tensorflow_1()
    except tf.errors.FailedPreconditionError as error:
        reason = next(line for line in error.message.splitlines() if "uninitialized" in line)
        print(f"TensorFlow 1's graph, at the first batch:\n\n{type(error).__name__}: {reason}\n")
    with tempfile.TemporaryDirectory() as name:
        with_safeload(Path(name))
