from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

import safeload
from safeload._frameworks.tensorflow import require_keras_bert
from safeload.compat import keras_bert as drop_in
from safeload.errors import ArgumentError, InvalidPathError, VariableMismatchError
from safeload.testing._bundle import write_checkpoint as write_bundle
from tests.checkpoints import PREFIX, bert_tensors


@pytest.fixture(scope="module")
def keras_bert():
    return require_keras_bert().keras_bert


def files(folder):
    return str(folder / "bert_config.json"), str(folder / PREFIX)


@pytest.mark.parametrize("name", drop_in.__all__)
def test_a_drop_in_has_keras_berts_signature(keras_bert, name):
    theirs, ours = (inspect.signature(getattr(module, name)).parameters for module in (keras_bert, drop_in))

    assert [(p.name, p.kind, p.default) for p in theirs.values()] == [
        (p.name, p.kind, p.default) for p in ours.values()
    ]


@pytest.mark.parametrize("given", [{}, {"training": True}, {"seq_len": 8}, {"training": True, "seq_len": 8}])
def test_build_and_load_in_two_calls_equals_keras_bert(keras_bert, tiny_bert, given):
    config, checkpoint = files(tiny_bert)
    theirs, their_config = keras_bert.build_model_from_config(config, **given)
    ours, our_config = drop_in.build_model_from_config(config, **given)

    assert our_config == their_config
    assert not np.array_equal(ours.get_weights()[0], safeload.load_bert(tiny_bert).get_weights()[0])
    assert all(np.isfinite(weight).all() for weight in ours.get_weights())

    training = given.get("training", False)
    keras_bert.load_model_weights_from_checkpoint(theirs, their_config, checkpoint, training=training)
    drop_in.load_model_weights_from_checkpoint(ours, our_config, checkpoint, training=training)
    for one, other in zip(theirs.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_one_call_equals_keras_bert(keras_bert, tiny_bert):
    theirs = keras_bert.load_trained_model_from_checkpoint(*files(tiny_bert), True)
    ours = drop_in.load_trained_model_from_checkpoint(*files(tiny_bert), True)

    for one, other in zip(theirs.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert safeload.report_of(ours).form == "checkpoint prefix"


def test_a_model_with_layers_of_its_own_keeps_their_values(tiny_bert):
    tf = require_keras_bert().tf
    model, config = drop_in.build_model_from_config(files(tiny_bert)[0])
    model = tf.keras.Model(model.inputs, tf.keras.layers.Dense(3, name="mine")(model.output))
    before = model.get_layer("mine").get_weights()

    drop_in.load_model_weights_from_checkpoint(model, config, files(tiny_bert)[1])

    np.testing.assert_array_equal(model.get_layer("mine").get_weights()[0], before[0])
    expected = safeload.load_bert(tiny_bert).get_weights()
    for one, other in zip(expected, model.get_weights(), strict=False):
        np.testing.assert_array_equal(one, other)


def test_nothing_is_filled_unless_everything_fits(tiny_bert):
    model, config = drop_in.build_model_from_config(files(tiny_bert)[0])
    before = model.get_weights()

    with pytest.raises(VariableMismatchError):
        drop_in.load_model_weights_from_checkpoint(model, {**config, "vocab_size": 31}, files(tiny_bert)[1])

    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("model", "config", "bad"), [(None, None, "config"), (None, [], "config"), (None, {}, "model")]
)
def test_a_model_or_config_of_another_type_is_told(tiny_bert, model, config, bad):
    with pytest.raises(ArgumentError) as caught:
        drop_in.load_model_weights_from_checkpoint(model, config, files(tiny_bert)[1])

    assert caught.value.argument == bad


@pytest.mark.parametrize("vocabulary", ["vocab.txt", Path("vocab.txt")])
def test_a_vocabulary_as_third_argument_is_told(tiny_bert, vocabulary):
    with pytest.raises(ArgumentError, match="vocab_file") as caught:
        drop_in.load_trained_model_from_checkpoint(*files(tiny_bert), vocabulary)

    assert caught.value.argument == "training"


def test_the_vocabulary_is_read_by_keras_berts_parameter_name(tiny_bert):
    assert drop_in.load_vocabulary(vocab_path=tiny_bert / "vocab.txt")["[SEP]"] == 3


def test_an_error_names_the_parameters_that_the_drop_in_has():
    with pytest.raises(InvalidPathError, match="vocab_path is None"):
        drop_in.load_vocabulary(None)
    with pytest.raises(ArgumentError) as caught:
        drop_in.load_trained_model_from_checkpoint("config.json", "model.ckpt", "vocab.txt")

    assert "vocab_file=... of safeload.load_bert" in caught.value.hints[0]


def test_extra_variables_are_allowed_through_the_call_that_can(bert):
    tensors = {**bert_tensors(), "bert/adapter": np.ones(3, np.float32)}
    write_bundle(bert / PREFIX, tensors)
    with pytest.raises(VariableMismatchError) as caught:
        drop_in.load_trained_model_from_checkpoint(bert / "bert_config.json", bert / PREFIX)

    assert caught.value.hints == (
        "to allow extra variables, call safeload.load_bert with ignore_unused=['bert/adapter']",
    )
