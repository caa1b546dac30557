"""Which GELU a model computes: that of the files' own library, or the one that is asked for."""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._frameworks.tensorflow import require_keras_bert
from safeload.bert.builders.keras_gelu import gelu_erf
from safeload.compat import keras_bert as drop_in
from safeload.errors import ArgumentError, ConfigError
from safeload.testing import edit_config

pytest.importorskip("keras_bert")
# the layers of keras-bert in a .keras file are read by tf-keras alone, not by Keras 2.15
SAVED = ["model.h5", "model.keras"] if importlib.util.find_spec("tf_keras") else ["model.h5"]
READ = """
import keras_bert
import tensorflow as tf
tf.keras.models.load_model("model.h5", custom_objects=keras_bert.get_custom_objects())
"""


def outputs(model):
    tokens = np.arange(14, dtype=np.int32).reshape(2, 7) % 10
    return model.predict([tokens, np.zeros_like(tokens)], verbose=0)


@pytest.fixture
def written(tmp_path):
    """Return the same model in Google's form and in Hugging Face's."""
    return {form: testing.write_bert(tmp_path / form, form=form) for form in ("tensorflow", "safetensors")}


def test_a_form_computes_what_its_library_does(written):
    found = {}
    for form, activation in (("tensorflow", "gelu_tanh"), ("safetensors", "gelu_erf")):
        model = safeload.load_bert(written[form], seq_len=None)
        found[activation] = outputs(model)
        assert safeload.report_of(model).activation == activation
        assert safeload.check_bert(written[form]).activation == activation
    for form in written:
        for activation, wanted in found.items():
            model = safeload.load_bert(written[form], seq_len=None, activation=activation)
            assert safeload.report_of(model).activation == activation
            np.testing.assert_array_equal(outputs(model), wanted)

    assert 0 < np.abs(found["gelu_erf"] - found["gelu_tanh"]).max() < 1e-2


def test_it_is_the_error_function():
    tf = require_keras_bert().tf
    values = np.linspace(-4, 4, 41, dtype=np.float32)
    wanted = [0.5 * value * (1 + math.erf(value / math.sqrt(2))) for value in values.tolist()]

    np.testing.assert_allclose(gelu_erf(tf)(values), wanted, atol=1e-6)
    assert np.abs(drop_in.gelu(values) - wanted).max() > 1e-4


@pytest.mark.parametrize(
    ("hidden_act", "activation"),
    [("gelu", "gelu_erf"), ("gelu_new", "gelu_tanh"), ("gelu_python", "gelu_erf"), ("silu", "swish"), ("relu", "relu")],
)
def test_the_names_of_transformers_are_understood(written, hidden_act, activation):
    edit_config(written["safetensors"], hidden_act=hidden_act)

    assert safeload.check_bert(written["safetensors"]).activation == activation
    safeload.load_bert(written["safetensors"], seq_len=None)


def test_an_activation_that_keras_bert_lacks_is_an_error_that_names_the_key(written):
    edit_config(written["safetensors"], hidden_act="mish")
    with pytest.raises(ConfigError) as caught:
        safeload.check_bert(written["safetensors"])

    assert [problem.key for problem in caught.value.problems] == ["hidden_act"]


@pytest.mark.parametrize("asked", ["gelu", "relu", True, 1, ["gelu_erf"]], ids=str)
def test_another_activation_cannot_be_asked_for(written, asked):
    with pytest.raises(ArgumentError) as caught:
        safeload.check_bert(written["tensorflow"], activation=asked)

    assert caught.value.argument == "activation"


def test_gelu_cannot_be_asked_of_a_model_without_it(written):
    edit_config(written["safetensors"], hidden_act="relu")
    with pytest.raises(ArgumentError) as caught:
        safeload.check_bert(written["safetensors"], activation="gelu_erf")

    assert (caught.value.argument, caught.value.hints) == ("activation", ("leave it out: hidden_act is relu",))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("name", SAVED)
def test_a_saved_model_keeps_its_gelu(written, tmp_path, name):
    keras = require_keras_bert().tf.keras
    model = safeload.load_bert(written["safetensors"], seq_len=None)
    model.save(tmp_path / name)

    again = keras.models.load_model(tmp_path / name, custom_objects=drop_in.get_custom_objects())
    np.testing.assert_array_equal(outputs(again), outputs(model))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_without_the_custom_object_a_saved_model_is_an_error_and_no_other_gelu(written, tmp_path, run_script):
    safeload.load_bert(written["safetensors"], seq_len=None).save(tmp_path / "model.h5")
    (tmp_path / "read.py").write_text(READ)
    done = run_script(tmp_path / "read.py", cwd=tmp_path)

    assert "Unknown activation function" in done.stderr.splitlines()[-1]
    assert "safeload_gelu_erf" in done.stderr
