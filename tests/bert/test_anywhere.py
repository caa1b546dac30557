"""Odd paths, other threads, scopes and devices: where a load happens makes no difference to what is loaded."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._forms.tensorflow.bundle import TensorBundle
from safeload._frameworks.tensorflow import require_keras_bert
from safeload.bert._config import read_config
from safeload.bert._parameters import list_parameters
from safeload.bert.builders import keras_bert as builder
from safeload.errors import ArgumentError, BackendError, CorruptFileError
from tests.checkpoints import PREFIX, SHARD, bert_tensors
from tests.opened import ref

FIRST = "bert/embeddings/word_embeddings"


def first_weight(model):
    return model.get_layer("Embedding-Token").get_weights()[0]


@pytest.fixture(scope="module")
def expected(one_layer_bert):
    return first_weight(safeload.load_bert(one_layer_bert))


@pytest.mark.parametrize(
    "name", ["run[1]", "a b", "back\\slash", "\u043c\u043e\u0434\u0435\u043b\u044c", "\U0001f917", "star*", "q?"]
)
def test_a_path_that_tensorflow_would_take_for_a_pattern_loads(one_layer_bert, tmp_path, name, expected):
    shutil.copytree(one_layer_bert, tmp_path / name)

    model = safeload.load_bert(tmp_path / name, tmp_path / name / PREFIX)

    np.testing.assert_array_equal(first_weight(model), expected)


def test_threads_load_at_once(one_layer_bert, expected):
    with ThreadPoolExecutor(3) as pool:
        models = list(pool.map(safeload.load_bert, [one_layer_bert] * 3))

    for model in models:
        np.testing.assert_array_equal(first_weight(model), expected)


def test_a_name_scope_around_the_load_changes_nothing(one_layer_bert, expected):
    tf = require_keras_bert().tf
    with tf.name_scope("outer"):
        model = safeload.load_bert(one_layer_bert)

    np.testing.assert_array_equal(first_weight(model), expected)


STRATEGY = """
import sys
import numpy as np
import safeload
from safeload._tensors import holds
from safeload._forms.tensorflow.bundle import TensorBundle
from safeload._frameworks.tensorflow import require_keras_bert
tf = require_keras_bert().tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
alone = safeload.load_bert(sys.argv[1], trainable=True)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = safeload.load_bert(sys.argv[1], trainable=True)
    model.compile(tf.keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
for one, mirrored in zip(alone.weights, model.weights):
    copies = strategy.experimental_local_results(mirrored)
    assert len(copies) == 2, copies
    for copy in copies:
        np.testing.assert_array_equal(copy.numpy(), one.numpy())
inputs = [np.full((4, 20), 7), np.zeros((4, 20))]
first = model.get_weights()[0]
model.fit(inputs, np.ones((4, 20, 16)), epochs=1, verbose=0)
assert not np.array_equal(first, model.get_weights()[0])
with strategy.scope():
    variable = model.weights[0]
    value = variable.numpy()
    assert holds(tf, variable, value)
    strategy.experimental_local_results(variable)[1].assign(value + 1)
    assert not holds(tf, variable, value)
print("both replicas hold", len(model.weights), "variables")
"""


def test_mirrored_variables_are_filled_on_each_device(run_script, tmp_path):
    bert = testing.write_bert_checkpoint(tmp_path / "bert", layers=1)
    (tmp_path / "strategy.py").write_text(STRATEGY, encoding="utf-8")
    done = run_script(tmp_path / "strategy.py", bert)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "both replicas hold 21 variables"


def other_weights(folder):
    data = np.concatenate([value.ravel() for value in bert_tensors(seed=1).values()])
    return data.tobytes()[: (folder / SHARD).stat().st_size]


def replace_shard(folder):
    (folder / "other").write_bytes(other_weights(folder))
    (folder / "other").replace(folder / SHARD)


def rewrite_shard(folder):
    (folder / SHARD).write_bytes(other_weights(folder))


def test_a_shard_rewritten_between_check_and_read_is_noticed(bert, monkeypatch):
    read = TensorBundle.read

    def rewrite_and_read(self, names, **options):
        rewrite_shard(bert)
        return read(self, names, **options)

    monkeypatch.setattr(TensorBundle, "read", rewrite_and_read)
    with pytest.raises(CorruptFileError) as caught:
        safeload.load_bert(bert)

    assert str(bert / SHARD) in str(caught.value)


@pytest.mark.parametrize("change", [replace_shard, rewrite_shard])
def test_a_shard_replaced_while_it_is_read_is_noticed(bert, monkeypatch, change):
    read = TensorBundle.read

    def read_and_change(self, names, **options):
        values = read(self, names, **options)
        change(bert)
        return values

    monkeypatch.setattr(TensorBundle, "read", read_and_change)
    with pytest.raises(CorruptFileError, match="replaced or written to"):
        safeload.load_bert(bert)


@pytest.mark.parametrize("change", [replace_shard, rewrite_shard])
def test_a_shard_replaced_while_the_graph_is_built_changes_nothing(bert, monkeypatch, change):
    build = builder.build
    whole = safeload.load_bert(bert).get_weights()

    def change_and_build(*given):
        change(bert)
        return build(*given)

    monkeypatch.setattr(builder, "build", change_and_build)
    filled = safeload.load_bert(bert).get_weights()

    for one, other in zip(whole, filled, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(CorruptFileError, match="damaged in the checkpoint"):
        safeload.check_bert(bert)


@pytest.mark.parametrize("training", [False, True])
def test_a_graph_variable_without_a_source_is_never_left_unfilled(tiny_bert, monkeypatch, training):
    config = read_config(ref(tiny_bert / "bert_config.json"))
    parameters = list_parameters(config, training=training)
    for name in (FIRST, "bert/encoder/layer_1/output/LayerNorm/beta"):
        short = {other: spec for other, spec in parameters.items() if other != name}
        monkeypatch.setattr("safeload.bert._model.list_parameters", lambda *_, short=short, **__: short)
        with pytest.raises((BackendError, safeload.SafeLoadError)) as caught:
            safeload.load_bert(tiny_bert, training=training, ignore_unused=["bert/*"])
        assert "which no BERT checkpoint has" in str(caught.value)


def test_a_value_of_another_shape_never_gets_into_the_graph(tiny_bert):
    from safeload.compat import keras_bert as drop_in

    model, config = drop_in.build_model_from_config(tiny_bert / "bert_config.json")
    backend = require_keras_bert()
    before = model.get_weights()
    valid = read_config(ref(tiny_bert / "bert_config.json"))
    values = {name: bert_tensors()[name][..., :-1] for name in list_parameters(valid, training=False)}

    with pytest.raises(ArgumentError, match="in the model graph"):
        builder.fill(backend, model, values, config=valid)

    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert config["vocab_size"] == 30


def test_what_was_given_is_said_as_it_was_given(bert, monkeypatch):
    monkeypatch.chdir(bert.parent)
    assert safeload.check_bert(bert.name).given == bert.name

    testing.truncate(bert)
    with pytest.raises(CorruptFileError) as caught:
        safeload.check_bert(bert.name)
    assert caught.value.given == bert.name
