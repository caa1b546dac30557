"""Saved models: read in another process, where the folder of the ELMo is gone."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

WORDS = [["Hello", "world", "!"], ["Bye", "", ""]]

READ = """
import sys
import numpy as np
import tensorflow as tf
import safeload.keras
from safeload.elmo.builders.keras import keras
path, words, out = sys.argv[1:4]
words = tf.constant(eval(words))
if path.endswith("saved"):
    found = tf.saved_model.load(path).signatures["serving_default"](words)
    found = list(found.values())[0].numpy()
else:
    found = keras.models.load_model(path).predict(words, verbose=0)
np.save(out, found)
"""


def model_of(keras, load, **options):
    import safeload.keras

    words = keras.Input((None,), dtype="string")
    layer = load(**options)
    found = layer(safeload.keras.ElmoTokens()(words))
    return keras.Model(words, keras.layers.Dense(2)(found)), layer


def read_elsewhere(path, tmp_path):
    out = tmp_path / "found.npy"
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path), repr(WORDS), str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return np.load(out)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("form", ["model.keras", "model.h5", "saved"])
@pytest.mark.parametrize("trainable", [False, True])
def test_a_saved_model_needs_nothing_else(keras, load, folder, tmp_path_factory, form, trainable):
    model, layer = model_of(keras, load, requires_grad=trainable)
    changed = [np.asarray(value) + 0.01 for value in layer.get_weights()]
    layer.set_weights(changed)
    wanted = model.predict(tf.constant(WORDS), verbose=0)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    path = elsewhere / form
    if form != "saved":
        model.save(path)
    elif hasattr(model, "export"):
        model.export(str(path))
    else:
        tf.saved_model.save(model, str(path))
    shutil.rmtree(folder)

    np.testing.assert_allclose(read_elsewhere(path, elsewhere), wanted, atol=1e-5)


def test_a_stateful_layer_can_be_exported(keras, load, tmp_path):
    model, _ = model_of(keras, load, stateful=True)
    path = tmp_path / "saved"
    tf.saved_model.save(model, str(path))
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    first, second = (next(iter(serve(tf.constant(WORDS)).values())).numpy() for _ in range(2))

    assert not np.allclose(first, second)


def test_weights_alone_are_saved_and_loaded(keras, load, tmp_path):
    model, layer = model_of(keras, load)
    wanted = model.predict(tf.constant(WORDS), verbose=0)
    path = tmp_path / "all.weights.h5"
    model.save_weights(path)
    layer.set_weights([np.zeros_like(value) for value in layer.get_weights()])
    model.load_weights(path)

    np.testing.assert_allclose(model.predict(tf.constant(WORDS), verbose=0), wanted, atol=1e-6)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("form", ["model.keras", "model.h5"])
def test_two_elmos_in_one_model_are_saved_each_with_its_weights(keras, load, ids, tmp_path, form):
    one, other = load(), load()
    other.set_weights([value * 1.5 for value in other.get_weights()])
    inputs = keras.Input((None, 50), dtype="int32")
    model = keras.Model(inputs, [one(inputs), other(inputs)])
    model.save(tmp_path / form)
    found = keras.models.load_model(tmp_path / form).predict(ids, verbose=0)

    assert not np.allclose(found[0], found[1])
    for ours, layer in zip(found, (one, other), strict=True):
        np.testing.assert_allclose(ours, layer(ids), atol=1e-5)
