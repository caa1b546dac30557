"""Settings of TensorFlow and Keras that a process or thread has: each load is right, or names the setting."""

from __future__ import annotations

import json

import pytest

import safeload

SCRIPT = """
import json, sys
import numpy as np
import tensorflow as tf
import safeload
from safeload._frameworks.tensorflow import require_keras_bert
from safeload.elmo._characters import ids_of

setting, bert, elmo = sys.argv[1:]
require_keras_bert()
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
loads = {
    "bert": lambda: safeload.load_bert(bert, seq_len=4),
    "elmo": lambda: safeload.load_elmo(elmo, backend="keras", dropout=0.0),
}

def outcome(kind, around=lambda call: call()):
    try:
        model = around(loads[kind])
    except safeload.SafeLoadError as error:
        return {"error": type(error).__name__, "message": error.message, "text": str(error)}
    if kind == "bert":
        found = model([np.array([[2, 5, 6, 3]]), np.zeros((1, 4))]).numpy()
    else:
        found = np.asarray(model(ids_of([["A", "good", "film"]])))
    dtype = model.get_weights()[0].dtype.name
    return {"dtype": dtype, "values": np.asarray(found, "float64").ravel()[:40].tolist()}

def in_function(call):
    found = []
    tf.function(lambda: found.append(call()), autograph=False)()
    return found[0]

def in_graph(call):
    with tf.Graph().as_default():
        return call()

def mirrored(call):
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        return call()

around = eval(setting) or (lambda call: call())
print(json.dumps({kind: outcome(kind, around) for kind in loads}))
"""
LOADED = {
    "float64": "tf.keras.backend.set_floatx('float64')",
    "check_numerics": "tf.debugging.enable_check_numerics()",
    "numpy_behavior": "tf.experimental.numpy.experimental_enable_numpy_behavior()",
    "determinism": "tf.config.experimental.enable_op_determinism()",
    "mirrored": "mirrored",
}
GRAPH_MODE = "TensorFlow is in graph mode, but a model is loaded eagerly"
EAGER_OFF = (GRAPH_MODE, "eager execution is disabled", "remove tf.compat.v1.disable_eager_execution()")
TOLD = {
    "tf.compat.v1.disable_eager_execution()": EAGER_OFF,
    "tf.compat.v1.disable_v2_behavior()": EAGER_OFF,
    "in_function": (GRAPH_MODE, "the code runs inside a tf.function", "load the model before the function is called"),
    "in_graph": (GRAPH_MODE, "a tf.Graph is the default graph", "load the model outside `with graph.as_default():`"),
}
HALF = {
    "tf.keras.backend.set_floatx('float16')": (
        "Keras's default dtype is float16, which would round the weights",
        "tf.keras.backend.floatx() is 'float16'",
        "call tf.keras.backend.set_floatx('float32') before the load",
    ),
    "tf.keras.mixed_precision.set_global_policy('mixed_float16')": (
        "keras-bert cannot build with the dtype policy mixed_float16",
        "tf.keras.mixed_precision.global_policy() is 'mixed_float16', and the default dtype 'float32'",
        "call tf.keras.mixed_precision.set_global_policy('float32') before the load",
    ),
}


@pytest.fixture(scope="module")
def run(one_layer_bert, tiny_elmo, run_script, tmp_path_factory):
    """Return a function that loads both models in a process with a setting."""
    script = tmp_path_factory.mktemp("state") / "load.py"
    script.write_text(SCRIPT, encoding="utf-8")

    def outcomes(setting):
        done = run_script(script, setting, one_layer_bert, tiny_elmo)
        assert done.returncode == 0, done.stderr[-3000:]
        assert "please report" not in done.stdout
        return json.loads(done.stdout.splitlines()[-1])

    return outcomes


@pytest.fixture(scope="module")
def plain(run):
    return run("None")


@pytest.mark.parametrize("setting", LOADED)
def test_a_model_is_loaded_rightly(run, plain, setting):
    found = run(LOADED[setting])

    for kind in ("bert", "elmo"):
        assert found[kind]["values"] == pytest.approx(plain[kind]["values"], abs=1e-5)
        assert found[kind]["dtype"] == ("float64" if (setting, kind) == ("float64", "bert") else "float32")


def require_told(outcome, told):
    message, setting, hint = told
    assert (outcome["error"], outcome["message"]) == ("BackendError", message)
    assert f"setting: {setting}" in outcome["text"]
    assert f"hint:    {hint}" in outcome["text"]


@pytest.mark.parametrize("setting", TOLD)
def test_a_setting_that_rules_a_load_out_is_named(run, setting):
    found = run(setting)

    require_told(found["bert"], TOLD[setting])
    require_told(found["elmo"], TOLD[setting])


@pytest.mark.parametrize("setting", HALF)
def test_half_precision_is_for_the_elmo_alone_which_keeps_its_weights_whole(run, plain, setting):
    found = run(setting)

    require_told(found["bert"], HALF[setting])
    assert found["elmo"]["dtype"] == "float32"
    assert found["elmo"]["values"] == pytest.approx(plain["elmo"]["values"], abs=0.01)


def test_an_error_leaves_a_function_of_tensorflow_as_it_is():
    assert safeload.SafeLoadError("a fact").ag_pass_through
