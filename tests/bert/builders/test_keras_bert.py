"""Every variable of a model graph holds the checkpoint's values, or the load says which does not and why."""

from __future__ import annotations

import json

import numpy as np
import pytest

import safeload
from safeload._frameworks.tensorflow import require_keras_bert
from safeload.bert._config import read_config
from safeload.bert._parameters import list_parameters
from safeload.bert.builders import keras_bert as builder
from safeload.bert.builders.keras_targets import target_of
from safeload.compat import keras_bert as drop_in
from safeload.errors import ArgumentError, BackendError
from tests.bert.test_config import read
from tests.checkpoints import BERT_CONFIG, PREFIX, bert_tensors
from tests.opened import ref
from tests.precision import keras_in

HINT = "please report this with the output of: pip list"


@pytest.fixture
def backend():
    return require_keras_bert()


def graph(backend, *more):
    """Return a graph with three variables of a BERT's, and the layers `more` beside them."""
    layers = backend.tf.keras.layers
    tokens = backend.tf.keras.Input((4,))
    vectors = layers.Embedding(30, 16, name="Embedding-Token")(tokens)
    return backend.tf.keras.Model(tokens, [layers.Dense(2, name="NSP")(vectors), *(layer(vectors) for layer in more)])


def fill(folder, model, *more, values=None, deferred=None):
    """Fill a model with the parameters whose variables it has, and those of the layers `more`."""
    config = read_config(ref(folder / "bert_config.json"))
    layers = ("Embedding-Token", "NSP", *more)
    names = [
        name for name in list_parameters(config, training=True) if target_of(name).name.partition("/")[0] in layers
    ]
    stored = bert_tensors() | (values or {})
    return builder.fill(require_keras_bert(), model, {name: stored[name] for name in names}, deferred, config=config)


EMBEDDINGS = {
    "word_embeddings": ("Embedding-Token/embeddings", ""),
    "position_embeddings": ("Embedding-Position/embeddings", "rows"),
    "token_type_embeddings": ("Embedding-Segment/embeddings", ""),
    "LayerNorm/gamma": ("Embedding-Norm/gamma", ""),
    "LayerNorm/beta": ("Embedding-Norm/beta", ""),
}
ATTENTION = {
    **{f"self/{name}/{part}": f"{{0}}/{{0}}_{letter}{short}"
       for name, short in (("query", "q"), ("key", "k"), ("value", "v"))
       for part, letter in (("kernel", "W"), ("bias", "b"))},
    "output/dense/kernel": "{0}/{0}_Wo",
    "output/dense/bias": "{0}/{0}_bo",
    "output/LayerNorm/gamma": "{0}-Norm/gamma",
    "output/LayerNorm/beta": "{0}-Norm/beta",
}  # fmt: skip
FEED = {
    "intermediate/dense/kernel": "{0}/{0}_W1",
    "intermediate/dense/bias": "{0}/{0}_b1",
    "output/dense/kernel": "{0}/{0}_W2",
    "output/dense/bias": "{0}/{0}_b2",
    "output/LayerNorm/gamma": "{0}-Norm/gamma",
    "output/LayerNorm/beta": "{0}-Norm/beta",
}
HEADS = {
    "cls/predictions/transform/dense/kernel": ("MLM-Dense/kernel", ""),
    "cls/predictions/transform/dense/bias": ("MLM-Dense/bias", ""),
    "cls/predictions/transform/LayerNorm/gamma": ("MLM-Norm/gamma", ""),
    "cls/predictions/transform/LayerNorm/beta": ("MLM-Norm/beta", ""),
    "cls/predictions/output_bias": ("MLM-Sim/bias", ""),
    "bert/pooler/dense/kernel": ("NSP-Dense/kernel", ""),
    "bert/pooler/dense/bias": ("NSP-Dense/bias", ""),
    "cls/seq_relationship/output_weights": ("NSP/kernel", "transposed"),
    "cls/seq_relationship/output_bias": ("NSP/bias", ""),
}


def test_every_parameter_has_its_place_in_the_graph():
    expected = {f"bert/embeddings/{name}": target for name, target in EMBEDDINGS.items()} | HEADS
    for number in (0, 11):
        for layer, folder, part in (("MultiHeadSelfAttention", "attention/", ATTENTION), ("FeedForward", "", FEED)):
            for name, place in part.items():
                target = place.format(f"Encoder-{number + 1}-{layer}"), ""
                expected[f"bert/encoder/layer_{number}/{folder}{name}"] = target
    parameters = [
        name
        for name in list_parameters(read(num_hidden_layers=12), training=True)
        if "/layer_" not in name or name.startswith(("bert/encoder/layer_0/", "bert/encoder/layer_11/"))
    ]

    assert {name: target_of(name) for name in parameters} == expected


def told(caught, folder):
    """Return the message, of an error that says what else is known."""
    error = caught.value
    assert (error.resolved, error.label) == (str(folder / "bert_config.json"), "config")
    assert f"config: {error.resolved}" in str(error)
    assert error.hints == (HINT,)
    return error.message


@pytest.mark.parametrize("trainable", [True, ["Encoder-1-", "Embedding-T"]])
def test_every_choice_reaches_the_graph(bert, trainable):
    (bert / "bert_config.json").write_text(json.dumps({**BERT_CONFIG, "hidden_act": "relu"}))
    model = safeload.load_bert(bert, trainable=trainable, output_layer_num=[-1, 0], seq_len=8, dropout_rate=0.25)

    prefixes = tuple(trainable) if isinstance(trainable, list) else ""
    assert {weight.name.split("/")[0] for weight in model.trainable_weights} == {
        weight.name.split("/")[0] for weight in model.weights if weight.name.startswith(prefixes)
    }
    assert model.get_layer("Encoder-Output").trainable
    assert [tuple(each.shape) for each in (*model.inputs, *model.outputs)] == [(None, 8), (None, 8), (None, 8, 32)]
    assert model.get_layer("Encoder-2-FeedForward").get_config()["activation"] == "relu"
    assert model.get_layer("Embedding-Dropout").rate == 0.25


def test_the_graph_for_training_has_the_heads_outputs(tiny_bert):
    model = safeload.load_bert(tiny_bert, training=True, seq_len=8)

    assert [tuple(each.shape) for each in model.outputs] == [(None, 8, 30), (None, 2)]


def test_a_graph_is_filled_and_a_layer_of_the_callers_keeps_its_values(backend, tiny_bert):
    model = graph(backend, backend.tf.keras.layers.Dense(3, name="mine"))
    mine = model.get_layer("mine").get_weights()

    assert fill(tiny_bert, model) == ()
    tensors = bert_tensors()
    table, kernel, bias, *rest = model.get_weights()
    np.testing.assert_array_equal(table, tensors["bert/embeddings/word_embeddings"])
    np.testing.assert_array_equal(kernel, tensors["cls/seq_relationship/output_weights"].T)
    np.testing.assert_array_equal(bias, tensors["cls/seq_relationship/output_bias"])
    np.testing.assert_array_equal(rest[0], mine[0])


def test_a_variable_that_no_checkpoint_has_is_told_in_a_graph_of_safeloads(backend, tiny_bert):
    model = graph(backend, backend.tf.keras.layers.Dense(3, name="mine"))

    with pytest.raises(BackendError) as caught:
        fill(tiny_bert, model, deferred={})

    assert told(caught, tiny_bert) == "the model graph has the variable mine/kernel, which no BERT checkpoint has"


def test_the_embedding_of_tasks_is_initialised(backend, tiny_bert):
    model = graph(backend, backend.tf.keras.layers.Embedding(3, 16, name="Embedding-Task"))
    weight = model.get_layer("Embedding-Task").weights[0]
    deferred = {"Embedding-Task/embeddings": lambda: np.ones((3, 16))}

    assert fill(tiny_bert, model, deferred=deferred) == ("Embedding-Task/embeddings",)
    assert (weight.numpy() == 1).all()


def test_every_initialiser_that_was_deferred_is_run(backend):
    model = graph(backend)
    deferred = {"Embedding-Token/embeddings": (30, 16), "NSP/kernel": (16, 2), "NSP/bias": (2,)}
    builder.initialise(model, {name: lambda shape=shape: np.full(shape, 7) for name, shape in deferred.items()})

    assert [np.unique(weight).tolist() for weight in model.get_weights()] == [[7], [7], [7]]


def test_a_graph_without_a_head_that_is_to_be_filled_is_told(backend, tiny_bert):
    with pytest.raises(BackendError) as caught:
        fill(tiny_bert, graph(backend), "MLM-Dense", deferred={})

    assert told(caught, tiny_bert) == "the model graph lacks the variable MLM-Dense/kernel"


def test_a_model_of_the_callers_without_a_head_that_is_to_be_filled_is_told(backend, tiny_bert):
    with pytest.raises(ArgumentError) as caught:
        fill(tiny_bert, graph(backend), "MLM-Dense")

    assert caught.value.details == ("MLM-Dense/kernel is not in the model", "MLM-Dense/bias is not in the model")
    assert caught.value.hints == ("build the model with training=True too, or leave training=True out",)


def test_a_graph_without_an_encoder_is_filled(backend, tiny_bert):
    assert fill(tiny_bert, graph(backend), "Encoder-2-FeedForward") == ()


def test_a_model_that_ends_at_an_earlier_encoder_is_filled_as_keras_bert_fills_it(backend, tiny_bert):
    models = []
    for package in (drop_in, backend.keras_bert):
        model, config = package.build_model_from_config(str(tiny_bert / "bert_config.json"))
        model = backend.tf.keras.Model(model.inputs, model.get_layer("Encoder-1-FeedForward-Norm").output)
        package.load_model_weights_from_checkpoint(model, config, str(tiny_bert / PREFIX))
        models.append(model)

    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("deferred", [None, {}])
def test_a_graph_of_another_shape_is_told_before_anything_is_filled(backend, tiny_bert, deferred):
    model = graph(backend)
    before = model.get_weights()

    with pytest.raises((BackendError, ArgumentError)) as caught:
        fill(
            tiny_bert,
            model,
            values={"cls/seq_relationship/output_bias": np.zeros((1, 2), np.float32)},
            deferred=deferred,
        )

    shown = "NSP/bias is (2,) float32 in the model graph, (1, 2) float32 in the checkpoint"
    if deferred is None:
        assert (caught.value.argument, caught.value.details) == ("model", (shown,))
    else:
        assert told(caught, tiny_bert) == f"the variable {shown}"
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


def test_a_model_of_the_callers_in_half_precision_is_told(backend, tiny_bert):
    with keras_in("float16", backend.tf.keras):
        model = graph(backend)
    with pytest.raises(ArgumentError) as caught:
        fill(tiny_bert, model)

    shown = "(30, 16) float16 in the model graph, (30, 16) float32 in the checkpoint"
    assert caught.value.details[0] == f"Embedding-Token/embeddings is {shown}"
    assert caught.value.hints == ("call tf.keras.backend.set_floatx('float32') before the model is built",)


def test_a_variable_that_does_not_equal_what_it_was_filled_with_is_told(backend, tiny_bert):
    with pytest.raises(BackendError) as caught:
        fill(
            tiny_bert,
            graph(backend),
            values={"cls/seq_relationship/output_weights": np.full((2, 16), np.nan, np.float32)},
        )

    assert told(caught, tiny_bert) == "the variable NSP/kernel does not hold the checkpoint's values"


def test_the_state_of_keras_random_generators_is_made_at_once(backend, tiny_bert):
    keras = backend.tf.keras
    keras.backend.experimental.enable_tf_random_generator()
    try:
        model = safeload.load_bert(tiny_bert, dropout_rate=0.5)
    finally:
        keras.backend.experimental.disable_tf_random_generator()

    key, *counter = model.get_layer("Embedding-Dropout")._random_generator._generator.state.numpy()
    assert 0 < key <= 1e9
    assert counter == [0, 0]


@pytest.mark.parametrize(
    ("cause", "shown"),
    [
        (ValueError(), "ValueError: "),
        (KeyError("name"), "KeyError: 'name'"),
        (TypeError("\n a line\nanother"), "TypeError: a line"),
        (ValueError("a" * 201), "ValueError: " + "a" * 200),
    ],
)
def test_a_failure_of_keras_bert_is_told_in_one_line(tiny_bert, cause, shown):
    config = read_config(ref(tiny_bert / "bert_config.json"))
    error = builder._backend_error("it failed", cause, config)

    assert error.message == f"it failed: {shown}"
    assert f"\n  config: {config.path}\n" in str(error)
    assert error.hints == ("the exception above is the cause",)
