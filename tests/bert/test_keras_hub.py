"""KerasHub's backbone on each framework of Keras 3, in a process of its own; beside keras-bert, and under a strategy."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import safeload
from safeload import testing

if importlib.util.find_spec("keras_hub") is None:
    pytest.skip("keras-hub is not installed", allow_module_level=True)

ENGINES = ("tensorflow", "jax", "torch")
TOKENS = np.array([[2, 5, 8, 7, 3, 0, 0], [2, 6, 9, 3, 5, 4, 3]])
SEGMENTS = np.array([[0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1]])
INPUTS = {"token_ids": TOKENS, "segment_ids": SEGMENTS, "padding_mask": (TOKENS > 0).astype("int32")}


def run(*command, engine="tensorflow", legacy=None, **environment):
    """Run Python in a process of its own that has chosen no Keras, and return what it prints."""
    chosen = {"KERAS_BACKEND": engine, **({"TF_USE_LEGACY_KERAS": legacy} if legacy else {}), **environment}
    inherited = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, env={**inherited, **chosen}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a BERT in several forms, and inputs."""
    folder = tmp_path_factory.mktemp("keras_hub")
    for form in ("tensorflow", "safetensors", "hdf5/keras-bert"):
        testing.write_bert(folder / form, form=form)
    np.savez(folder / "inputs.npz", **INPUTS)
    return folder


@pytest.fixture(scope="module", params=ENGINES)
def engine(request, folder):
    """Return the folder that a process of an engine wrote, and what it told."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    target = folder / f"on_{request.param}"
    target.mkdir()
    run("-m", "tests.bert.keras_hub_engine", folder, target, engine=request.param)
    told = json.loads((target / "told.json").read_text())
    assert told["engine"] == request.param
    return target, told


@pytest.fixture(scope="module")
def of_keras_bert(folder):
    """Return what keras-bert computes: the embeddings, the hidden layers and the pooled output."""
    pytest.importorskip("keras_bert")
    return keras_bert_outputs(safeload.load_bert(folder / "tensorflow", training=True, seq_len=None), TOKENS, SEGMENTS)


def keras_bert_outputs(model, tokens, segments):
    layers = [
        name for layer in model.layers if (name := layer.name).startswith("Encoder-") and "FeedForward-Norm" in name
    ]
    names = ["Embedding-Norm", *layers, "NSP-Dense"]
    parts = type(model)(model.inputs[:2], [model.get_layer(name).output for name in names])
    return parts.predict([tokens, segments], verbose=0)


def require_close(outputs, wanted, there, tolerance):
    """Require equal hidden layers where there is a token, and equal pooled outputs."""
    *hidden, pooled = wanted
    found = [outputs[f"hidden_{number}"] for number in range(len(hidden))]
    assert f"hidden_{len(hidden)}" not in outputs
    for ours, theirs in zip([*found, outputs["sequence_output"]], [*hidden, hidden[-1]], strict=True):
        np.testing.assert_allclose(ours[there], theirs[there], atol=tolerance, rtol=0)
    np.testing.assert_allclose(outputs["pooled_output"], pooled, atol=tolerance, rtol=0)


def test_the_outputs_are_those_of_keras_bert(engine, of_keras_bert):
    require_close(np.load(engine[0] / "outputs.npz"), of_keras_bert, TOKENS > 0, 1e-5)


def test_the_variables_are_the_same_on_each_engine(engine, folder):
    found, report = np.load(engine[0] / "values.npz"), safeload.check_bert(folder / "tensorflow", backend="keras-hub")

    assert len(found.files) == len(report.read) == 39
    assert set(engine[1]["forms"].values()) == {True}
    for other in folder.glob("on_*/values.npz"):
        others = np.load(other)
        assert all(np.array_equal(found[name], others[name]) for name in found.files)


def test_the_report_has_the_versions(engine):
    versions = engine[1]["versions"]

    assert set(versions) >= {"keras-hub", "keras", engine[1]["engine"]}
    assert all(version[0].isdigit() for version in versions.values())
    assert not set(ENGINES) - {engine[1]["engine"]} & set(versions)


def test_what_it_saves_comes_back(engine):
    assert engine[1]["saved"] == dict.fromkeys(["preset", "preset by KerasHub", "sharded", "sharded by KerasHub"], True)
    assert len(list((engine[0] / "sharded").glob("*.h5"))) > 1


def test_what_it_saves_is_read_by_keras_bert(engine, of_keras_bert):
    model = safeload.load_bert(engine[0] / "preset", seq_len=None)
    there = TOKENS > 0
    found = model.predict([TOKENS, SEGMENTS], verbose=0)

    np.testing.assert_allclose(found[there], of_keras_bert[-2][there], atol=1e-6)
    raw = safeload.check_bert(engine[0] / "preset", backend="keras-hub")
    assert raw.warnings == ()


def test_the_context_of_the_caller_changes_nothing(engine):
    assert set(engine[1]["contexts"].values()) == {True}
    assert len(engine[1]["contexts"]) >= 2


def test_it_trains(engine):
    changed, is_finite = engine[1]["trained"]
    assert is_finite
    assert changed == 37  # the biases of the keys add the same to each score of a row


def test_neither_keras_bert_nor_tf_keras_is_imported(engine):
    assert engine[1]["modules"] == []


BOTH = """
import sys
import numpy as np, safeload
folder, *backends = sys.argv[1:]
for backend in backends:
    model = safeload.load_bert(folder, backend=backend)
    print(backend, type(model).__module__.partition(".")[0], len(model.weights))
"""


@pytest.mark.parametrize("order", [("keras-bert", "keras-hub", "keras-bert"), ("keras-hub", "keras-bert", "keras-hub")])
def test_both_are_loaded_in_one_process_in_either_order(order, tiny_bert):
    pytest.importorskip("keras_bert")
    wanted = {"keras-bert": "keras-bert tf_keras 37", "keras-hub": "keras-hub keras_hub 39"}

    assert run("-c", BOTH, tiny_bert, *order) == [wanted[each] for each in order]


MIRRORED = """
import sys
import keras, numpy as np, safeload, tensorflow as tf
folder, inputs = sys.argv[1] + "/tensorflow", dict(np.load(sys.argv[1] + "/inputs.npz"))
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
load = lambda: safeload.load_bert(folder, backend="keras-hub")
alone = load()
wanted = alone(inputs)["sequence_output"].numpy()

with strategy.scope():
    model = load()
    copies = [strategy.experimental_local_results(each.value) for each in model.weights]
    assert all(len(each) == 2 and np.array_equal(*(one.numpy() for one in each)) for each in copies)
    classifier = keras.Model(model.inputs, keras.layers.Dense(1)(model.output["pooled_output"]))
    classifier.compile("sgd", "mse")
np.testing.assert_allclose(model.predict(inputs, batch_size=2, verbose=0)["sequence_output"], wanted, atol=1e-6)
classifier.fit(inputs, np.ones((2, 1)), batch_size=2, verbose=0)
changed = [not np.array_equal(one.value.numpy(), two.value.numpy()) for one, two in zip(model.weights, alone.weights)]
print(type(model.weights[0].value).__name__, sum(changed))

@tf.function
def run(given):
    return strategy.run(lambda x: alone(x)["sequence_output"], args=(given,))

for each in strategy.experimental_local_results(run({name: tf.constant(each) for name, each in inputs.items()})):
    np.testing.assert_allclose(each, wanted, atol=1e-6)
print("unchanged")
"""


def test_it_is_mirrored_and_runs_under_a_strategy_unchanged(folder):
    assert run("-c", MIRRORED, folder) == ["MirroredVariable 37", "unchanged"]


DISTRIBUTED = """
import sys
import jax, keras, numpy as np, safeload
keras.config.disable_traceback_filtering()
load = lambda: safeload.load_bert(sys.argv[1], backend="keras-hub")
devices = ["cpu:0", "cpu:1"]
wanted = [np.asarray(each.value) for each in load().weights]
with keras.device("cpu:1"):
    models = [load()]
print(models[0].weights[0].value.devices() == {jax.devices()[1]})
keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
models.append(load())
layouts = keras.distribution.LayoutMap(keras.distribution.DeviceMesh((1, 2), ("batch", "model"), devices=devices))
layouts["token_embedding/embeddings"] = ("model", None)
keras.distribution.set_distribution(keras.distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch"))
models.append(load())
print(*(len(each.weights[0].value.addressable_shards) for each in models), tuple(models[2].weights[0].value.sharding.spec))
for model in models:
    assert all(np.array_equal(one.value, two) for one, two in zip(model.weights, wanted, strict=True))
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_it_is_distributed_as_the_caller_says(tiny_bert):
    flags = "--xla_force_host_platform_device_count=2"
    assert run("-c", DISTRIBUTED, tiny_bert, engine="jax", XLA_FLAGS=flags) == [
        "True",
        "1 2 2 ('model', None)",
    ]


PRESETS = """
import sys
import keras_hub, numpy as np, safeload
source, target = sys.argv[1:]
models = keras_hub.models
model = safeload.load_bert(source, backend="keras-hub")
tokenizer = keras_hub.tokenizers.BertTokenizer(vocabulary=source + "/vocab.txt", lowercase=True)
wanted = [each.value.numpy() for each in model.weights]

def is_equal(other):
    return all(np.array_equal(one.value, two) for one, two in zip(other.weights, wanted, strict=True))

model.save_to_preset(target + "/tokenizer")
tokenizer.save_to_preset(target + "/tokenizer")
preprocessor = models.BertTextClassifierPreprocessor(tokenizer, sequence_length=8)
models.BertTextClassifier(backbone=model, num_classes=2, preprocessor=preprocessor).save_to_preset(target + "/classifier")
models.BertMaskedLM(backbone=model).save_to_preset(target + "/masked")
for name in ("tokenizer", "classifier", "masked"):
    folder = f"{target}/{name}"
    found = safeload.load_bert(folder, backend="keras-hub")
    roles = [file.role for file in safeload.report_of(found).files]
    print(name, is_equal(found), is_equal(models.BertBackbone.from_preset(folder)), "vocab" in roles)
model.save(target + "/model.keras")
model.save_weights(target + "/all.weights.h5")
for name in ("model.keras", "all.weights.h5"):
    print(name, is_equal(safeload.load_bert(source + "/bert_config.json", f"{target}/{name}", backend="keras-hub")))
"""


def test_each_kind_of_preset_comes_back(tiny_bert, tmp_path):
    assert run("-c", PRESETS, tiny_bert, tmp_path) == [
        "tokenizer True True True",
        "classifier True True True",
        "masked True True False",
        "model.keras True",
        "all.weights.h5 True",
    ]


def test_the_dropout_of_a_preset_is_translated(tmp_path, engine):
    preset = tmp_path / "preset"
    preset.mkdir()
    for path in (engine[0] / "preset").iterdir():
        (preset / path.name).write_bytes(path.read_bytes())
    config = json.loads((preset / "config.json").read_text())
    config["config"]["dropout"] = 0.25
    (preset / "config.json").write_text(json.dumps(config))
    model = safeload.load_bert(preset, backend="keras-hub")

    assert model.dropout == 0.25
    assert safeload.report_of(model).warnings == ()
    assert safeload.check_bert(preset, backend="transformers", activation="gelu_tanh").unused_keys == ()
    assert "hidden_dropout_prob" in safeload.check_bert(preset).unused_keys


PEAK = """
import pathlib, sys
import crc32c, keras_hub, numpy as np, safeload
from safeload._frameworks.keras_hub import require_keras_hub
require_keras_hub()
sizes = dict(num_heads=2, hidden_dim=8, intermediate_dim=16, max_sequence_length=10)
keras_hub.models.BertBackbone(vocabulary_size=30, num_layers=1, **sizes)  # what each process needs once

def peak():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

pathlib.Path("/proc/self/clear_refs").write_text("5")
before = peak()
model = safeload.load_bert(sys.argv[1], backend="keras-hub")
print((peak() - before) / sum(4 * int(np.prod(each.shape)) for each in model.weights))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is Linux's to tell")
@pytest.mark.parametrize("engine_name", ENGINES)
def test_no_second_copy_is_made(engine_name, tmp_path_factory):
    if importlib.util.find_spec(engine_name) is None:
        pytest.skip(f"{engine_name} is not installed")
    folder = tmp_path_factory.getbasetemp() / "bert_of_200_mb"
    if not folder.exists():
        testing.write_bert(folder, layers=2, hidden=768, attention_heads=12, intermediate=3072, vocab=45_000)
    (ratio,) = run("-c", PEAK, folder, engine=engine_name)

    assert float(ratio) < 1.2


OUTPUTS = """
import sys
import numpy as np
from tests.bert.keras_hub_engine import load, outputs_of
folder, target = sys.argv[1:]
np.savez(target, **outputs_of(load(folder), dict(np.load(folder + "/inputs.npz"))))
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Return the folder of random weights in BERT-Base's shapes, with inputs, and what keras-bert computes."""
    pytest.importorskip("keras_bert")
    sizes = {"hidden": 768, "attention_heads": 12, "intermediate": 3072, "vocab": 30522, "positions": 512}
    folder = testing.write_bert(tmp_path_factory.mktemp("base") / "bert", layers=12, **sizes)
    random = np.random.default_rng(0)
    tokens = random.integers(1, 30522, (2, 40))
    tokens[0, 25:] = 0
    segments = random.integers(0, 2, (2, 40))
    np.savez(folder / "inputs.npz", token_ids=tokens, segment_ids=segments, padding_mask=(tokens > 0).astype("int32"))
    model = safeload.load_bert(folder, training=True, seq_len=None)
    return folder, tokens > 0, keras_bert_outputs(model, tokens, segments)


@pytest.mark.parametrize("engine_name", ENGINES)
def test_the_outputs_of_bert_base_are_those_of_keras_bert(engine_name, base, tmp_path):
    if importlib.util.find_spec(engine_name) is None:
        pytest.skip(f"{engine_name} is not installed")
    folder, there, wanted = base
    run("-c", OUTPUTS, folder, tmp_path / "outputs.npz", engine=engine_name)

    assert len(wanted) == 14
    require_close(np.load(tmp_path / "outputs.npz"), wanted, there, 1e-4)
