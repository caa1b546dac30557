"""Train a classifier on top of ELMo in Keras, save it whole, and serve it from words.

    python train.py [--elmo FOLDER] [--epochs 30]

FOLDER holds a published ELMo: ..._options.json and ..._weights.hdf5. Without it, a tiny one is written first. The text is
reviews.tsv, beside this script: 1 or 0, a tab, and words with spaces between them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import tensorflow as tf

import safeload
import safeload.keras
from safeload.testing import write_elmo

REVIEWS = Path(__file__).parent / "reviews.tsv"
UNSEEN = "Two hours of joy ."


def read_reviews() -> tuple[tf.Tensor, tf.Tensor]:
    """Return the words, `(reviews, words of the longest)` with "" where a review has no more, and the labels."""
    lines = REVIEWS.read_text(encoding="utf-8").splitlines()
    labels, texts = zip(*(line.split("\t") for line in lines), strict=True)
    return tf.strings.split(tf.constant(texts)).to_tensor(""), tf.constant([int(label) for label in labels])


def classifier(folder: Path) -> tf.keras.Model:
    """Return a model from words to the probability of praise; the biLM is frozen, its layers have equal weights."""
    words = tf.keras.Input((None,), dtype="string")
    elmo = safeload.load_elmo(folder, backend="keras", scalar_mix_parameters=[0, 0, 0], dropout=0.0)
    vectors = elmo(safeload.keras.ElmoTokens()(words))
    mean = safeload.keras.ElmoMean()(vectors)  # of the words that are there: Keras passes the mask
    scaled = tf.keras.layers.BatchNormalization(momentum=0.5)(mean)
    return tf.keras.Model(words, tf.keras.layers.Dense(1, activation="sigmoid")(scaled))


def train(folder: Path, epochs: int) -> tuple[list[float], float]:
    """Train, and return the loss of each epoch, and what the saved model answers to a review that it has not seen."""
    tf.keras.utils.set_random_seed(0)
    words, labels = read_reviews()
    model = classifier(folder)
    model.compile(tf.keras.optimizers.Adam(0.05), "binary_crossentropy")
    losses: list[float] = model.fit(words, labels, batch_size=20, epochs=epochs, verbose=0).history["loss"]
    with tempfile.TemporaryDirectory() as name:
        model.save(f"{name}/reviews.keras")
        served = tf.keras.models.load_model(f"{name}/reviews.keras")  # needs none of the ELMo's own files
    review = tf.strings.split(tf.constant([UNSEEN])).to_tensor()
    return losses, float(served.predict(review, verbose=0)[0, 0])


def write_tiny_elmo(folder: str) -> Path:
    """Write an ELMo that is large enough to tell the reviews apart."""
    return write_elmo(folder, dim=64, projection=32, filters=[(1, 16), (2, 32), (3, 64)])


def main() -> None:
    """Print the losses and the answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--elmo", type=Path, metavar="FOLDER", help="a published ELMo; by default a tiny one")
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        losses, answer = train(arguments.elmo or write_tiny_elmo(name), arguments.epochs)
    for epoch, loss in enumerate(losses, 1):
        print(f"epoch {epoch}: loss {loss:.3f}")
    print(f"the saved model on {UNSEEN!r}: {answer:.2f}")


if __name__ == "__main__":
    main()
