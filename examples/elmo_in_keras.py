"""Train a classifier on top of ELMo in Keras, save it whole, and serve it from words.

    python examples/elmo_in_keras.py [--elmo FOLDER] [--epochs 30]

FOLDER holds a published ELMo: ..._options.json and ..._weights.hdf5. Without it a tiny one is written first. The text is
reviews.tsv, beside this script: 1 or 0, a tab, and words that are divided by spaces.
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


def read_reviews() -> tuple[tf.Tensor, tf.Tensor]:
    """Return the words, `(reviews, words of the longest)` with "" where a review has no more, and the labels."""
    lines = REVIEWS.read_text(encoding="utf-8").splitlines()
    labels, texts = zip(*(line.split("\t") for line in lines), strict=True)
    return tf.strings.split(tf.constant(texts)).to_tensor(""), tf.constant([int(label) for label in labels])


def classifier(folder: Path) -> tf.keras.Model:
    """Return a model from words to the probability of praise; the biLM is frozen, its layers count alike."""
    words = tf.keras.Input((None,), dtype="string")
    elmo = safeload.load_elmo(folder, backend="keras", scalar_mix_parameters=[0, 0, 0], dropout=0.0)
    vectors = elmo(safeload.keras.ElmoTokens()(words))
    mean = safeload.keras.ElmoMean()(vectors)  # of the words that are there: Keras hands it the mask
    scaled = tf.keras.layers.BatchNormalization(momentum=0.5)(mean)
    return tf.keras.Model(words, tf.keras.layers.Dense(1, activation="sigmoid")(scaled))


def main(folder: Path, epochs: int) -> None:
    """Train, print the loss of each epoch, and answer from the saved model."""
    tf.keras.utils.set_random_seed(0)
    words, labels = read_reviews()
    model = classifier(folder)
    model.compile(tf.keras.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    for epoch in range(1, epochs + 1):
        history = model.fit(words, labels, batch_size=20, verbose=0).history
        print(f"epoch {epoch}: accuracy {history['accuracy'][0]:.2f}, loss {history['loss'][0]:.3f}")
    with tempfile.TemporaryDirectory() as name:
        model.save(f"{name}/reviews.keras")
        served = tf.keras.models.load_model(f"{name}/reviews.keras")  # needs none of the ELMo's own files
    praise = tf.constant(["Two hours of joy ."])
    score = served.predict(tf.strings.split(praise).to_tensor(), verbose=0)[0, 0]
    print(f"the saved model on 'Two hours of joy .': {score:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--elmo", type=Path, metavar="FOLDER", help="a published ELMo; by default a tiny one")
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    if arguments.elmo:
        main(arguments.elmo, arguments.epochs)
    else:
        with tempfile.TemporaryDirectory() as tiny:
            write_elmo(tiny, dim=64, projection=32, filters=[(1, 16), (2, 32), (3, 64)])
            main(Path(tiny), arguments.epochs)
