"""Text to the outputs of TF-Hub's ELMo: what `ElmoLayer` computes of the same words, and what the names say."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import tensorflow as tf

import safeload
from safeload import testing
from safeload.errors import ArgumentError, MissingFileError, SafeLoadWarning

WORDS = [["Hello", "big", "world"], ["Bye", "", ""]]
SENTENCES = [" Hello big  world", "Bye "]
OUTPUTS = ("default", "elmo", "word_emb", "lstm_outputs1", "lstm_outputs2")


@pytest.fixture
def elmo(tmp_path):
    return testing.write_elmo(tmp_path / "elmo")


@pytest.fixture
def text(keras, elmo):  # noqa: ARG001  (which Keras it is must be proven first)
    """Return a function that makes the layer: `text("elmo", trainable=True)`."""
    from safeload.keras import ElmoText

    return lambda output="default", **options: ElmoText(elmo, output=output, **options)


def layer_of(elmo, *chosen):
    """Return the vectors of the only layer that is chosen, or of the equal sum."""
    fixed = {"scalar_mix_parameters": [0.0 if each in chosen else -1e4 for each in range(3)]} if chosen else {}
    layer = safeload.load_elmo(elmo, backend="keras", dropout=0.0, **fixed)
    ids = safeload.character_ids([[word for word in row if word] for row in WORDS])
    return np.asarray(layer(ids.numpy().astype("int32")))


def test_each_output_is_that_of_the_layers(text, elmo):
    wanted = {"elmo": layer_of(elmo), "word_emb": layer_of(elmo, 0), "lstm_outputs1": layer_of(elmo, 1)}
    wanted["lstm_outputs2"] = layer_of(elmo, 2)
    wanted["default"] = wanted["elmo"].sum(axis=1) / np.array([[3.0], [1.0]])
    wanted["word_emb"] = wanted["word_emb"][..., : wanted["word_emb"].shape[-1] // 2]
    for output in OUTPUTS:
        layer = text(output)
        for given in (WORDS, SENTENCES):
            np.testing.assert_allclose(np.asarray(layer(tf.constant(given))), wanted[output], atol=1e-6, err_msg=output)


@pytest.mark.parametrize("output", ["default", "elmo"])
def test_a_model_of_sentences_comes_back_from_its_file(keras, text, tmp_path, output):
    sentences = keras.Input((), dtype="string")
    layer = text(output)
    model = keras.Model(sentences, keras.layers.Dense(2)(layer(sentences)))
    found = model.predict(tf.constant(SENTENCES), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")

    np.testing.assert_allclose(again.predict(tf.constant(SENTENCES), verbose=0), found, atol=1e-6)
    assert model.output_shape == ((None, 2) if output == "default" else (None, None, 2))
    assert safeload.report_of(layer).backend == "keras"


def test_a_layer_of_options_alone_is_full_of_nan(text):
    layer = text("elmo")
    empty = type(layer).from_config(layer.get_config())
    assert np.isnan(np.asarray(empty(tf.constant(SENTENCES)))[0]).all()


def test_a_sentence_without_words_is_zeros(text):
    for output in ("default", "elmo"):
        found = np.asarray(text(output)(tf.constant(["", "  ", "Hello"])))
        assert not found[:2].any()
        assert found[2].all()


def test_sentences_are_split_at_spaces_alone(text):
    layer = text("default")
    parts = np.asarray(layer(tf.constant(["two\twords", "two words"])))
    with pytest.warns(SafeLoadWarning, match="1 of 1 word contains a space"):
        word = np.asarray(layer(tf.constant([["two\twords"]])))
    np.testing.assert_allclose(parts[0], word[0], atol=1e-6)
    assert np.abs(parts[0] - parts[1]).max() > 1e-3


def test_the_mask_of_words_is_passed_on(text):
    layer = text("elmo")
    for given in (WORDS, SENTENCES):
        assert np.asarray(layer.compute_mask(tf.constant(given))).tolist() == [[True] * 3, [True, False, False]]
    assert text("default").compute_mask(tf.constant(SENTENCES)) is None


def test_the_sum_alone_is_trained_on_request(keras, text):
    for trainable, count in ((True, 2), (False, 0)):
        layer = text("default", trainable=trainable)
        sentences = keras.Input((), dtype="string")
        model = keras.Model(sentences, keras.layers.Dense(1)(layer(sentences)))
        before = [np.asarray(each) for each in layer.weights]
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(tf.constant(SENTENCES), tf.constant([[1.0], [0.0]]), verbose=0)
        after = [np.asarray(each) for each in layer.weights]
        assert len(layer.trainable_weights) == count
        assert sum(not np.array_equal(one, two) for one, two in zip(before, after, strict=True)) == count


def test_what_the_layer_holds_is_saved(text, tmp_path, elmo):
    report = safeload.save_elmo(text("word_emb"), tmp_path / "saved")
    assert report.n_inexact == 0
    assert (tmp_path / "saved/weights.hdf5").exists()
    assert safeload.check_elmo(tmp_path / "saved").read == safeload.check_elmo(elmo).read


def test_sentences_that_may_be_words_are_refused(keras, text):
    with pytest.raises(ArgumentError, match="may be sentences, or sentences of one word"):
        text()(keras.Input((1,), dtype="string"))


def test_words_with_spaces_are_suspicious(text):
    with pytest.warns(SafeLoadWarning, match="space"):
        text()(tf.constant([["a sentence"]]))


@pytest.mark.parametrize("given", [[[1, 2]], [[["a"]]], "a", None])
def test_other_inputs_are_refused(text, given):
    with pytest.raises(ArgumentError, match="inputs must be sentences"):
        text()(tf.constant(given) if isinstance(given, list) else given)


def test_bad_arguments_are_refused_before_a_layer_is_made(text, tmp_path):
    from safeload.keras import ElmoText

    with pytest.raises(
        ArgumentError, match="output must be one of default, elmo, word_emb, lstm_outputs1, lstm_outputs2"
    ):
        text("lstm_outputs3")
    with pytest.raises(ArgumentError, match="options_file must be the path of an ELMo"):
        ElmoText()
    with pytest.raises(MissingFileError):
        ElmoText(tmp_path / "none")


def test_two_replicas_compute_and_learn_what_one_does(text):
    sentences = tf.constant([*SENTENCES, "One more", "And a last one"])

    def gradients(layer, given):
        with tf.GradientTape() as tape:
            found = layer(given)
            loss = tf.reduce_mean(found**2)
        return found, tape.gradient(loss, layer.trainable_variables)

    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
    with strategy.scope():
        layer = text(trainable=True)
    (given,) = strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensors(sentences).unbatch().batch(4))
    found, ours = strategy.run(tf.function(partial(gradients, layer)), [given])
    wanted, theirs = gradients(text(trainable=True), sentences)

    assert strategy.num_replicas_in_sync == 2
    assert [len(part) for part in strategy.experimental_local_results(found)] == [2, 2]
    np.testing.assert_allclose(tf.concat(strategy.experimental_local_results(found), 0), wanted, atol=1e-6)
    assert len(ours) == 2, "of the sum's weights and of its scale"
    for each, alone in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(strategy.reduce("MEAN", each, axis=None), alone, atol=1e-6)
        assert np.abs(alone).max() > 1e-4


@pytest.mark.parametrize("output", ["default", "elmo"])
def test_a_batch_of_one_may_have_any_number_of_words(text, output):
    layer = text(output)
    run = tf.function(layer, input_signature=[tf.TensorSpec([1, None], tf.string)])
    for words in ([["a", "b"]], [["a", "b", "c"]]):
        np.testing.assert_allclose(
            np.asarray(run(tf.constant(words))), np.asarray(layer(tf.constant(words))), atol=1e-6
        )


def test_keras_2_loads_a_saved_model(keras, text, tmp_path):
    if not keras.__version__.startswith("2."):
        pytest.skip("Keras 3 loads no SavedModel as a model")
    sentences = keras.Input((), dtype="string")
    model = keras.Model(sentences, text("default")(sentences))
    model.save(tmp_path / "saved")
    again = keras.models.load_model(tmp_path / "saved")
    found, wanted = (each.predict(tf.constant(SENTENCES), verbose=0) for each in (again, model))
    np.testing.assert_allclose(found, wanted, atol=1e-6)
