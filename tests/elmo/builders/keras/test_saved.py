"""Saved models: read in another process, where the folder of the ELMo is gone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

import safeload
from tests.elmos import SMALLEST, write_elmo

WORDS = [["Hello", "world", "!"], ["Bye", "", ""]]

SAVED = [
    ("ElmoLayer", "model.keras", False),
    ("ElmoLayer", "model.keras", True),
    ("ElmoLayer", "model.h5", True),
    ("ElmoLayer", "saved", False),
    ("ElmoText", "model.keras", True),
    ("ElmoText", "model.h5", False),
    ("ElmoText", "saved", False),
]

READ = """
import sys
import traceback
from pathlib import Path
import numpy as np
import tensorflow as tf
import safeload.keras
from safeload.elmo.builders.keras import keras
words = tf.constant(eval(sys.argv[1]))
for path in map(Path, sys.argv[2:]):
    try:
        if path.name == "saved":
            found = tf.saved_model.load(str(path)).signatures["serving_default"](words)
            found = list(found.values())[0].numpy()
        else:
            found = keras.models.load_model(path).predict(words, verbose=0)
        np.save(path.parent / "found.npy", found)
    except Exception:
        (path.parent / "error.txt").write_text(traceback.format_exc())
"""


def model_of(keras, load, **options):
    import safeload.keras

    words = keras.Input((None,), dtype="string")
    layer = load(**options)
    found = layer(safeload.keras.ElmoTokens()(words))
    return keras.Model(words, keras.layers.Dense(2)(found)), layer


def text_model_of(keras, folder, **options):
    import safeload.keras

    words = keras.Input((None,), dtype="string")
    layer = safeload.keras.ElmoText(folder, output="elmo", **options)
    return keras.Model(words, keras.layers.Dense(2)(layer(words))), layer


@pytest.fixture(scope="module")
def saved(keras, tmp_path_factory):
    """Save a model in each form, and read all of them in one other process; return the folder and the outputs of each."""
    saved = {}
    for kind, form, trainable in SAVED:
        folder = tmp_path_factory.mktemp("elmo")
        write_elmo(folder, SMALLEST)
        if kind == "ElmoText":
            model, layer = text_model_of(keras, folder, trainable=trainable)
        else:
            load = partial(safeload.load_elmo, folder, backend="keras")
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
        saved[kind, form, trainable] = elsewhere, wanted
    paths = [str(elsewhere / form) for (_, form, _), (elsewhere, _) in saved.items()]
    done = subprocess.run(
        [sys.executable, "-c", READ, repr(WORDS), *paths], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return saved


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize(("kind", "form", "trainable"), SAVED)
def test_a_saved_model_needs_nothing_else(saved, kind, form, trainable):
    elsewhere, wanted = saved[kind, form, trainable]
    error = elsewhere / "error.txt"

    assert not error.exists(), error.read_text()
    np.testing.assert_allclose(np.load(elsewhere / "found.npy"), wanted, atol=1e-5)


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
