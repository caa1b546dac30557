"""Every variable of KerasHub's backbone holds the values of the weights, or the load says which does not and why."""

from __future__ import annotations

import importlib.util
import json
import threading

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload.bert._config import read_config
from safeload.bert.builders import keras_hub as builder
from safeload.errors import ArgumentError, BackendError, ConfigError, SafeLoadWarning, VariableMismatchError
from safeload.testing._bert import bert_tensors
from safeload.testing._forms import FORMS
from tests.opened import ref

if importlib.util.find_spec("keras_hub") is None:
    pytest.skip("keras-hub is not installed", allow_module_level=True)
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is not yet available:UserWarning"),
]

BACKEND = "keras-hub"
OF_TRANSFORMERS = ("safetensors", "torch", "hdf5")
TOKENS = np.array([[2, 5, 8, 7, 3, 0, 0], [2, 6, 9, 3, 5, 4, 3]])
SEGMENTS = np.array([[0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1]])
INPUTS = {"token_ids": TOKENS, "segment_ids": SEGMENTS, "padding_mask": (TOKENS > 0).astype("int32")}


@pytest.fixture(scope="module")
def backend():
    from safeload._frameworks.keras_hub import require_keras_hub

    return require_keras_hub()


@pytest.fixture
def engine(backend):
    from safeload.bert.builders.keras_engines import engine_of

    return engine_of(backend)


@pytest.fixture
def config(tiny_bert):
    return read_config(ref(tiny_bert / "bert_config.json"))


def values_of(model):
    """Return the values of a backbone by Google's names and in their shapes."""
    paths = dict(builder._paths(model.num_layers))
    found = {paths[each.path]: np.asarray(each.value) for each in model.variables if each.path in paths}
    return {name: found[name].reshape(wanted.shape) for name, wanted in bert_tensors().items() if name in found}


def require_equal(model):
    found, wanted = values_of(model), bert_tensors()
    assert len(found) == 39
    for name, values in found.items():
        np.testing.assert_array_equal(values, wanted[name], err_msg=name, strict=True)


def write(folder, **keys):
    """Write a BERT whose config has these keys too."""
    folder = testing.write_bert(folder)
    path = folder / "bert_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))
    return folder


def load(folder, **options):
    return safeload.load_bert(folder, backend=BACKEND, **options)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_same_variables(form, tmp_path):
    if form == "torch":
        pytest.importorskip("torch")
    folder = testing.write_bert(tmp_path / "bert", form=form)
    model = load(folder, activation="gelu_tanh" if form in OF_TRANSFORMERS else None)

    require_equal(model)
    report = safeload.report_of(model)
    assert (report.backend, report.activation, report.initialised) == (BACKEND, "gelu_tanh", ())
    assert {"keras-hub", "keras", "tensorflow"} <= set(report.versions)
    assert report.warnings == ()


def test_it_is_a_backbone_of_the_config_s_sizes(tiny_bert, backend):
    model = load(tiny_bert)

    assert type(model) is backend.keras_hub.models.BertBackbone
    assert (model.vocabulary_size, model.num_layers, model.num_heads, model.hidden_dim) == (30, 2, 4, 16)
    assert (model.intermediate_dim, model.max_sequence_length, model.num_segments, model.dropout) == (32, 20, 2, 0.1)


def test_other_numbers_of_segments_are_built(tmp_path):
    folder = write(tmp_path / "bert", type_vocab_size=3)

    with pytest.raises(VariableMismatchError) as caught:
        load(folder)
    (problem,) = caught.value.report.problems
    assert (problem.kind, problem.name) == ("shape", "bert/embeddings/token_type_embeddings")
    assert "keras-bert always builds" not in str(caught.value)
    assert any("type_vocab_size" in hint for hint in caught.value.hints)


def hidden_layers(model, keras):
    """Return a model that gives the hidden layers of a backbone, the embeddings among them."""
    names = ["embeddings_dropout", *(f"transformer_layer_{number}" for number in range(model.num_layers))]
    return keras.Model(model.inputs, [model.get_layer(name).output for name in names])


@pytest.mark.parametrize("form", ["tensorflow", "keras-hub", "safetensors"])
def test_the_outputs_are_those_of_keras_bert(form, tmp_path, backend):
    pytest.importorskip("keras_bert")
    folder = testing.write_bert(tmp_path / "bert", form="safetensors" if form == "safetensors" else "tensorflow")
    activation = "gelu_tanh" if form == "safetensors" else None
    model = load(folder, activation=activation)
    if form == "keras-hub":
        model.save_to_preset(str(tmp_path / "preset"))
        model = load(tmp_path / "preset")
    whole = safeload.load_bert(folder, training=True, seq_len=None, activation=activation)
    source = type(whole)(whole.inputs[:2], [whole.get_layer("Embedding-Norm").output,
        *(whole.get_layer(f"Encoder-{number}-FeedForward-Norm").output for number in (1, 2)),
        whole.get_layer("NSP-Dense").output])  # fmt: skip
    *wanted, pooled = source.predict([TOKENS, SEGMENTS], verbose=0)
    given, there = model(INPUTS), TOKENS > 0
    hidden = hidden_layers(model, backend.keras)(INPUTS)

    assert len(hidden) == len(wanted) == 3
    for ours, theirs in zip(hidden, wanted, strict=True):
        np.testing.assert_allclose(np.asarray(ours)[there], theirs[there], atol=1e-5)
    np.testing.assert_allclose(np.asarray(given["sequence_output"])[there], wanted[-1][there], atol=1e-5)
    np.testing.assert_allclose(given["pooled_output"], pooled, atol=1e-5)


@pytest.mark.parametrize("call", [safeload.load_bert, safeload.check_bert])
def test_an_erf_gelu_is_refused_unless_it_is_accepted_on_purpose(call, tmp_path):
    folder = testing.write_bert(tmp_path / "bert", form="safetensors")

    with pytest.raises(ConfigError) as caught:
        call(folder, backend=BACKEND)
    (problem,) = caught.value.problems
    assert problem.key == "hidden_act"
    assert problem.problem == "gelu is gelu_erf in these weights, and keras-hub computes gelu_tanh alone"
    assert caught.value.hints[0] == 'pass activation="gelu_tanh" to accept the other form'
    with pytest.raises(ArgumentError) as caught:
        call(folder, backend=BACKEND, activation="gelu_erf")
    assert (caught.value.argument, "gelu_tanh for backend='keras-hub'" in str(caught.value)) == ("activation", True)


@pytest.mark.parametrize(
    "given",
    [
        {"training": True},
        {"model_class": dict},
        {"dtype": "bfloat16"},
        {"device": "cpu"},
        {"trainable": True},
        {"trainable": ["Encoder-1"]},
        {"seq_len": 64},
        {"output_layer_num": 2},
        {"dropout_rate": 0.2},
        {"use_task_embed": True},
        {"attention_activation": "relu"},
        {"task_num": 2},
    ],
    ids=lambda given: next(iter(given)),
)
def test_arguments_of_other_backends_are_refused(given, tmp_path):
    with pytest.raises(ArgumentError) as caught:
        load(tmp_path / "nowhere", **given)  # before any file is opened
    assert caught.value.argument == next(iter(given))
    assert caught.value.hints


def test_any_length_is_no_argument_of_another_backend(tiny_bert):
    require_equal(load(tiny_bert, seq_len=None))


@pytest.mark.parametrize("call", [safeload.load_bert, safeload.check_bert])
def test_weights_without_a_pooler_do_not_fit(call, tmp_path):
    folder = testing.write_bert(tmp_path / "bert", heads=False)
    tensors = {name: values for name, values in bert_tensors().items() if not name.startswith(("cls/", "bert/pooler"))}
    for path in folder.glob("bert_model*"):
        path.unlink()
    testing._bundle.write_bundle(folder / "bert_model.ckpt", tensors, 1)

    with pytest.raises(VariableMismatchError) as caught:
        call(folder, backend=BACKEND)
    missing = {problem.name for problem in caught.value.report.problems}
    assert missing == {"bert/pooler/dense/bias", "bert/pooler/dense/kernel"}
    assert caught.value.hints[-1] == (
        "the checkpoint has no pooler, and a model of keras-hub always has one: "
        "pass backend='keras-bert' or backend='transformers'"
    )
    assert "training" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "dropout", "trained"),
    [
        ({}, 0.1, None),
        ({"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.2}, 0.2, None),
        ({"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}, 0, None),
        ({"hidden_dropout_prob": None, "attention_probs_dropout_prob": 0.1}, 0.1, None),
        ({"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.3}, 0.2, (0.2, 0.3)),
        ({"attention_probs_dropout_prob": 0}, 0.1, (0.1, 0)),
        ({"hidden_dropout_prob": 0.5}, 0.5, (0.5, 0.1)),
    ],
)
def test_the_dropout_is_that_of_the_hidden_layers(keys, dropout, trained, tmp_path):
    folder = write(tmp_path / "bert", **keys)
    if trained is None:
        model = load(folder)
    else:
        with pytest.warns(SafeLoadWarning) as caught:
            model = load(folder)
        assert str(caught[0].message).endswith(
            f"the config means hidden_dropout_prob {trained[0]:g} and attention_probs_dropout_prob {trained[1]:g}; "
            f"keras-hub has one dropout for both, and trains with {trained[0]:g}"
        )
        with pytest.warns(SafeLoadWarning):
            assert safeload.check_bert(folder, backend=BACKEND).warnings == safeload.report_of(model).warnings

    assert model.dropout == dropout
    assert safeload.check_bert(folder).warnings == ()  # keras-bert reads neither


@pytest.mark.parametrize(("key", "value"), [("hidden_dropout_prob", 1.5), ("attention_probs_dropout_prob", "0.1")])
def test_a_dropout_that_is_none_is_refused(key, value, tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path / "bert", **{key: value}))
    assert [problem.key for problem in caught.value.problems] == [key]


def test_a_layer_norm_eps_is_warned_of(tmp_path):
    with pytest.warns(
        SafeLoadWarning, match="layer_norm_eps is 0.001.*keras-hub cannot set it and computes with 1e-12"
    ):
        load(write(tmp_path / "bert", layer_norm_eps=1e-3))


def test_the_table_explains_each_variable_of_a_backbone(backend):
    model = backend.keras_hub.models.BertBackbone(
        vocabulary_size=30, num_layers=2, num_heads=4, hidden_dim=16, intermediate_dim=32, max_sequence_length=20
    )
    weights = {each.path for each in model.weights}

    assert weights == set(dict(builder._paths(2)))
    others = {each.name for each in model.variables if each.path not in weights}
    assert others == {"seed_generator_state"}


def tiny_values():
    return {name: values for name, values in bert_tensors().items() if not name.startswith("cls/")}


def test_a_variable_that_no_weights_have_is_named(engine, backend, config):
    model = builder.build(backend, engine, config)
    model.enable_lora(2)

    with pytest.raises(BackendError) as caught:
        builder.fill(engine, model, tiny_values(), config)
    assert "which no weights have" in caught.value.message
    assert "transformer_layer_0/self_attention_layer/query/lora_kernel_a" in caught.value.message


@pytest.mark.parametrize("name", ["bert/pooler/dense/bias", "bert/encoder/layer_1/output/dense/kernel"])
def test_a_variable_without_a_value_is_named(name, engine, backend, config):
    model = builder.build(backend, engine, config)
    values = tiny_values()
    del values[name]

    with pytest.raises(BackendError, match=r"the model has the variable .*, which no weights have"):
        builder.fill(engine, model, values, config)


def test_a_value_without_a_variable_is_named(engine, backend, config):
    model = builder.build(backend, engine, config)
    values = {**tiny_values(), "bert/encoder/layer_2/output/dense/bias": np.zeros(16, np.float32)}

    with pytest.raises(BackendError) as caught:
        builder.fill(engine, model, values, config)
    assert caught.value.message == "the model lacks a variable for bert/encoder/layer_2/output/dense/bias"
    with pytest.raises(BackendError) as caught:
        builder.fill(engine, model, tiny_values(), config._replace(num_hidden_layers=3))
    assert "the model lacks a variable for bert/encoder/layer_2/" in caught.value.message


@pytest.mark.parametrize("damaged", [np.zeros((16, 8), np.float32), np.zeros((16, 16), np.float64)])
def test_another_shape_or_type_is_named_before_anything_is_filled(damaged, engine, backend, config):
    model = builder.build(backend, engine, config)
    values = {**tiny_values(), "bert/pooler/dense/kernel": damaged}

    with pytest.raises(BackendError) as caught:
        builder.fill(engine, model, values, config)
    shape = f"{damaged.shape} {damaged.dtype}"
    assert (
        caught.value.message
        == f"the variable pooled_dense/kernel is (16, 16) float32 in the model, {shape} in the weights"
    )
    assert len(values) == 39


def test_a_variable_that_does_not_keep_its_value_is_named(engine, backend, config):
    keras = backend.keras
    model = builder.build(backend, engine, config)
    model.pooled_dense.bias._value = keras.Variable(np.zeros(16), dtype="float16").value  # rounds what it is given

    with pytest.raises(BackendError, match="pooled_dense/bias"):
        builder.fill(engine, model, tiny_values(), config)


def test_the_values_are_given_back_while_the_model_is_filled(engine, backend, config):
    values = tiny_values()
    builder.fill(engine, builder.build(backend, engine, config), values, config)

    assert values == {}


def test_layers_that_another_thread_makes_meanwhile_keep_their_initialisers(tiny_bert, backend):
    keras, ended, wrong = backend.keras, threading.Event(), []
    add_weight = keras.layers.Layer.add_weight

    def make_layers():
        while not ended.is_set():
            layer = keras.layers.Dense(3, kernel_initializer="ones")
            layer.build((None, 2))
            wrong.extend(() if np.array_equal(np.asarray(layer.kernel.value), np.ones((2, 3))) else [layer])

    other = threading.Thread(target=make_layers)
    other.start()
    for _ in range(3):
        load(tiny_bert)
    ended.set()
    other.join()

    assert not wrong
    assert keras.layers.Layer.add_weight is add_weight


@pytest.fixture
def policy(backend):
    """Return a function that sets Keras's default type and its policy for a while."""
    keras = backend.keras

    def choose(floatx, name):
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(name)

    yield choose
    choose("float32", "float32")


@pytest.mark.parametrize("name", ["mixed_bfloat16", "mixed_float16", "float32"])
def test_a_policy_that_keeps_variables_in_float32_is_obeyed(name, policy, tiny_bert, tmp_path):
    policy("float32", name)
    model = load(tiny_bert)

    require_equal(model)
    assert model.dtype_policy.name == name
    assert str(model(INPUTS)["pooled_output"].dtype).endswith(name.removeprefix("mixed_") + "'>")
    model.save_to_preset(str(tmp_path / "preset"))
    policy("float32", "float32")
    require_equal(load(tmp_path / "preset"))


@pytest.mark.parametrize(
    ("floatx", "name", "kept"),
    [
        ("bfloat16", "bfloat16", "bfloat16"),
        ("float32", "float16", "float16"),
        ("float64", "float64", "float64"),
        ("float32", "int8_from_float32", "int8"),
    ],
)
def test_a_policy_that_keeps_them_in_another_type_is_refused(floatx, name, kept, policy, tiny_bert):
    policy(floatx, name)
    with pytest.raises(BackendError) as caught:
        load(tiny_bert)

    assert caught.value.message == f"Keras would keep the variables in {kept}, but the weights are float32"
    assert (
        "setting",
        f"keras.config.dtype_policy() is {name!r}, and keras.config.floatx() {floatx!r}",
    ) in caught.value.context
    assert "call keras.config.set_dtype_policy('float32')" in caught.value.hints[0]


def test_it_is_loaded_where_variables_can_be_made_alone(tiny_bert, backend):
    tf = backend.framework
    with backend.keras.StatelessScope(), pytest.raises(BackendError, match="cannot make variables here") as caught:
        load(tiny_bert)
    assert "outside of keras.StatelessScope" in caught.value.hints[0]
    with tf.Graph().as_default(), pytest.raises(BackendError, match="graph mode"):
        load(tiny_bert)
    with pytest.raises(BackendError, match="graph mode"):
        tf.function(lambda: load(tiny_bert))()


def test_it_is_filled_inside_of_a_scope_of_names(tiny_bert, backend):
    with backend.keras.name_scope("mine"):
        model = load(tiny_bert)

    assert {each.path.partition("/")[0] for each in model.weights} == {"mine"}
    wanted = [np.asarray(each.value) for each in load(tiny_bert).weights]
    assert all(np.array_equal(each.value, values) for each, values in zip(model.weights, wanted, strict=True))


def test_a_check_of_not_a_number_in_tensorflow_finds_none(tiny_bert, backend):
    debugging = backend.framework.debugging
    debugging.enable_check_numerics()
    try:
        require_equal(load(tiny_bert))
    finally:
        debugging.disable_check_numerics()
