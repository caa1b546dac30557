"""What `load_bert` returns is what keras-bert returns for the same files."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._frameworks.tensorflow import require_keras_bert
from tests.checkpoints import PREFIX
from tests.opened import ref

INPUTS = [
    np.array([[2, 7, 8, 9, 3, 0, 0, 0], [2, 5, 3, 6, 6, 6, 3, 0]]),
    np.array([[0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1, 0]]),
    np.array([[0, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0]]),
]
LENGTHS = {"full": {}, "short": {"seq_len": 8}, "any": {"seq_len": None}}
OUTPUTS = [1, 2, [0], [-1, 0], [0, 1], [-2]]
TRAINABLE = [None, False, True, ["Encoder-1-FeedForward", "Embedding"]]
"""The first two and the last two are each one call of keras-bert, where they come one after the other."""
OPTIONS = [
    {"dropout_rate": 0.0},
    {"dropout_rate": 0.3},
    {"attention_activation": "relu"},
    {"use_task_embed": True, "task_num": 3},
]
ENCODERS = [
    {"trainable": trainable, "output_layer_num": number, **LENGTHS[length]}
    for number, length, trainable in itertools.product(OUTPUTS, LENGTHS, TRAINABLE)
    if length == "short" or trainable in TRAINABLE[2:]
]
WITH_HEADS = [
    {"training": True, "trainable": trainable, **LENGTHS[length]}
    for length, trainable in itertools.product(LENGTHS, TRAINABLE)
]
CASES = [
    *ENCODERS,
    *WITH_HEADS,
    {"training": True, "output_layer_num": 2},
    *({"training": training, **options} for training, options in itertools.product((False, True), OPTIONS)),
]


def upstream(folder, **given):
    """Call keras-bert; a list of prefixes, which Keras 2.15 refuses, is applied afterwards as keras-bert documents it."""
    keras_bert = require_keras_bert().keras_bert
    prefixes = given.get("trainable")
    if isinstance(prefixes, list):
        given["trainable"] = True
    model = keras_bert.load_trained_model_from_checkpoint(
        str(folder / "bert_config.json"), str(folder / PREFIX), **given
    )
    if isinstance(prefixes, list):
        train_only(model, prefixes)
    return model


def train_only(model, prefixes):
    for layer in model.layers:
        if layer.name != "Encoder-Output":
            layer.trainable = layer.name.startswith(tuple(prefixes))


@pytest.fixture(scope="module")
def upstream_once():
    """Return `upstream` for models that are only looked at: the last one is used again where the call is the same.

    keras-bert documents None as the value of `training`, and a list of prefixes is applied to a trainable model.
    """
    last = {"call": None}

    def load(folder, **given):
        prefixes = given.get("trainable")
        default = given.get("training", False) if prefixes is None else prefixes
        call = {**given, "trainable": isinstance(prefixes, list) or default}
        if last["call"] != call:
            last.update(
                call=call,
                model=upstream(folder, **{**given, "trainable": None if prefixes is None else call["trainable"]}),
            )
        if isinstance(prefixes, list):
            train_only(last["model"], prefixes)
            last["call"] = None
        return last["model"]

    return load


def outputs_of(model):
    length = model.inputs[0].shape[1] or 8
    padded = [np.pad(values, ((0, 0), (0, length - 8))) for values in INPUTS]
    tasks = [np.array([[1], [2]])] if len(model.inputs) > 2 and model.inputs[2].shape[1] == 1 else []
    given = [*padded[:2], *tasks, *padded[2:]][: len(model.inputs)]
    outputs = model(given)
    return [output.numpy() for output in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


@pytest.fixture(scope="module")
def model_for(tiny_bert, one_layer_bert):
    """Return the folder of a model of one layer, or of two where a case asks for outputs of both."""
    return lambda case: one_layer_bert if case.get("output_layer_num", 1) in (1, [0]) else tiny_bert


@pytest.mark.parametrize("case", CASES, ids=str)
def test_everything_equals_keras_berts_own_load(model_for, case, upstream_once):
    folder = model_for(case)
    theirs, ours = upstream_once(folder, **case), safeload.load_bert(folder, **case)

    assert [layer.name for layer in theirs.layers] == [layer.name for layer in ours.layers]
    assert [layer.trainable for layer in theirs.layers] == [layer.trainable for layer in ours.layers]
    assert [weight.name for weight in theirs.weights] == [weight.name for weight in ours.weights]
    assert [weight.name for weight in theirs.trainable_weights] == [weight.name for weight in ours.trainable_weights]
    assert theirs.input_names == ours.input_names
    assert str({**theirs.get_config(), "name": ""}) == str({**ours.get_config(), "name": ""})
    for one, other in zip(theirs.weights, ours.weights, strict=True):
        if one.name.startswith("Embedding-Task"):
            assert safeload.report_of(ours).initialised == ("Embedding-Task/embeddings",)
            assert 0 < np.abs(other.numpy()).max() <= 0.05
            assert len(np.unique(other.numpy())) > 1
            other.assign(one)
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    for one, other in zip(outputs_of(theirs), outputs_of(ours), strict=True):
        assert np.abs(one - other).max() == 0


def test_a_list_of_prefixes_is_what_keras_bert_refuses(tiny_bert):
    keras_bert = require_keras_bert().keras_bert
    files = str(tiny_bert / "bert_config.json"), str(tiny_bert / PREFIX)

    with pytest.raises(TypeError):
        keras_bert.load_trained_model_from_checkpoint(*files, training=True, trainable=["Encoder-2"])

    model = safeload.load_bert(tiny_bert, trainable=["Encoder-2-FeedForward"])
    assert {weight.name.split("/")[0] for weight in model.trainable_weights} == {
        "Encoder-2-FeedForward",
        "Encoder-2-FeedForward-Norm",
    }


@pytest.mark.usefixtures("untraced")
def test_a_step_of_training_is_equal(tiny_bert):
    tf = require_keras_bert().tf
    models = (
        upstream(tiny_bert, trainable=True, dropout_rate=0.0),
        safeload.load_bert(tiny_bert, trainable=True, dropout_rate=0.0),
    )
    padded = [np.pad(values, ((0, 0), (0, 12))) for values in INPUTS[:2]]
    losses = []
    for model in models:
        model.compile(tf.keras.optimizers.SGD(0.1), "mse")
        losses.append(model.fit(padded, np.ones((2, 20, 16)), epochs=3, verbose=0).history["loss"])

    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    assert losses[1][-1] < losses[1][0]
    for one, other in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.usefixtures("untraced")
def test_a_training_is_equal_if_the_seed_is_set_after_the_load(tiny_bert):
    tf = require_keras_bert().tf
    losses = []
    for load in (upstream, safeload.load_bert):
        bert = load(tiny_bert, seq_len=8, trainable=True, dropout_rate=0.3)
        tf.keras.utils.set_random_seed(0)
        model = tf.keras.Model(bert.inputs, tf.keras.layers.Dense(2, activation="softmax")(bert.output[:, 0]))
        model.compile(tf.keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        losses.append(model.fit(INPUTS[:2], np.array([0, 1]), epochs=2, verbose=0).history["loss"])

    np.testing.assert_allclose(*losses, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning")
def test_a_saved_model_loads_again(tiny_bert, tmp_path):
    backend = require_keras_bert()
    model = safeload.load_bert(tiny_bert)
    model.save(tmp_path / "model.h5")

    again = backend.tf.keras.models.load_model(
        tmp_path / "model.h5", custom_objects=backend.keras_bert.get_custom_objects(), compile=False
    )

    for one, other in zip(outputs_of(model), outputs_of(again), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("training", [False, True])
def test_the_table_names_what_keras_bert_really_reads(tiny_bert, training, monkeypatch):
    from safeload.bert._config import read_config
    from safeload.bert._parameters import list_parameters

    tf = require_keras_bert().tf
    read, load = [], tf.train.load_variable
    monkeypatch.setattr(tf.train, "load_variable", lambda prefix, name: read.append(name) or load(prefix, name))
    upstream(tiny_bert, training=training)

    config = read_config(ref(tiny_bert / "bert_config.json"))
    assert sorted(read) == sorted(list_parameters(config, training=training))


def test_every_activation_that_the_config_may_name_builds(tmp_path):
    from safeload.bert._runtimes import ACTIVATIONS

    bert = testing.write_bert_checkpoint(tmp_path, layers=1)
    for activation in ACTIVATIONS:
        testing.edit_config(bert, hidden_act=activation)
        theirs, ours = upstream(bert, training=True), safeload.load_bert(bert, training=True)
        np.testing.assert_array_equal(outputs_of(theirs)[0], outputs_of(ours)[0])
