"""The mean of the words of each text: those that the mask marks, and no NaN."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

WORDS = [["Hello", "big", "world"], ["", "Bye", ""], ["", "", ""]]


@pytest.fixture
def mean(keras):  # noqa: ARG001  (which Keras it is must be proven first)
    from safeload.keras import ElmoMean

    return ElmoMean()


def model_of(keras, load, mean):
    from safeload.keras import ElmoTokens

    words = keras.Input((None,), dtype="string")
    layer = load(dropout=0.0)
    vectors = layer(ElmoTokens()(words))
    return keras.Model(words, mean(vectors)), layer


@pytest.mark.parametrize("run", ["predict", "call"])
def test_a_model_of_words_averages_those_that_are_there(keras, load, mean, run):
    from safeload.keras import ElmoTokens

    model, layer = model_of(keras, load, mean)
    found = model.predict(tf.constant(WORDS), verbose=0) if run == "predict" else model(tf.constant(WORDS)).numpy()
    each = [np.asarray(layer(ElmoTokens()(tf.constant([row])))) for row in (["Hello", "big", "world"], ["Bye"])]

    np.testing.assert_allclose(found[0], each[0][0].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found[1], each[1][0, 0], atol=1e-6)
    assert not found[2].any()


def test_a_batch_without_any_word_gives_zeros(keras, load, mean):
    model, _ = model_of(keras, load, mean)

    for texts in (tf.strings.split(["", ""]).to_tensor(), tf.constant([["", ""], ["", ""]])):
        found = model.predict(texts, verbose=0)
        assert found.shape[0] == 2
        assert not found.any()


def test_it_trains_without_nan_beside_an_empty_text(keras, load, mean):
    model, _ = model_of(keras, load, mean)
    model = keras.Model(model.inputs, keras.layers.Dense(1)(model.outputs[0]))
    model.compile("sgd", "mse")
    losses = model.fit(tf.constant(WORDS), np.array([0.0, 1.0, 0.5]), epochs=2, verbose=0).history["loss"]

    assert np.isfinite(losses).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_without_a_mask_all_are_averaged(mean):
    vectors = np.arange(12, dtype="float32").reshape(2, 3, 2)

    np.testing.assert_allclose(mean(vectors), vectors.mean(axis=1))
    assert mean.compute_output_shape((None, 7, 5)) == (None, 5)
    assert type(mean).from_config(mean.get_config()).name == mean.name


def test_a_saved_model_averages_the_same(keras, load, mean, tmp_path):
    model, _ = model_of(keras, load, mean)
    model.save(tmp_path / "mean.keras")
    again = keras.models.load_model(tmp_path / "mean.keras")

    np.testing.assert_allclose(
        again.predict(tf.constant(WORDS), verbose=0), model.predict(tf.constant(WORDS), verbose=0), atol=1e-6
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_long_texts_are_counted_exactly_in_half_precision(mean, dtype):
    words = tf.fill([1, 4001, 2], tf.constant(20.0, dtype))
    found = type(mean)(dtype=dtype)(words)
    assert found.dtype == dtype
    assert np.asarray(found, np.float32).tolist() == [[20.0, 20.0]]
