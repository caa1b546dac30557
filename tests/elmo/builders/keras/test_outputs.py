"""What the Keras layers compute is compared with outputs that were saved, under each Keras."""

from __future__ import annotations

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._outputs.report import BOUND
from safeload.errors import ArgumentError, OutputMismatchError
from safeload.keras import ElmoText


@pytest.fixture
def model(tmp_path):
    return testing.write_elmo(tmp_path / "model")


@pytest.fixture
def saved(model):
    file = model.parent / "outputs.json"
    safeload.save_outputs(safeload.load_elmo(model, backend="torch"), file)
    return file


def layer_of(model, **arguments):
    return safeload.load_elmo(model, backend="keras", **arguments)


def mismatch(layer, file):
    with pytest.raises(OutputMismatchError) as caught:
        safeload.compare_outputs(layer, file)
    return caught.value


def test_what_torch_saved_is_computed(keras, model, saved):
    report = safeload.compare_outputs(layer_of(model), saved)

    assert max(each.max_abs for each in report.layers) < BOUND / 10
    assert report.versions[keras.__name__.replace("_", "-")] == keras.__version__


def exchanged_directions(datasets):
    for name, variable in datasets.items():
        if name.startswith("RNN_0/"):
            other = datasets[name.replace("RNN_0/", "RNN_1/")]
            kept = np.array(variable)
            variable.assign(np.array(other))
            other.assign(kept)


def exchanged_layers(datasets):
    for name, variable in datasets.items():
        if "/Cell0/" in name:
            other = datasets[name.replace("/Cell0/", "/Cell1/")]
            kept = np.array(variable)
            variable.assign(np.array(other))
            other.assign(kept)


def forget_gate_with_another_1(datasets):
    bias = datasets["RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/B"]
    values = np.array(bias)
    values[2 * len(values) // 4 : 3 * len(values) // 4] += 1
    bias.assign(values)


CHANGES = {
    "directions": (exchanged_directions, "forward layer 0"),
    "layers": (exchanged_layers, "forward layer 0"),
    "forget gate": (forget_gate_with_another_1, "backward layer 0"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_layer_that_computes_something_else_is_found(name, keras, model, saved):  # noqa: ARG001
    change, first = CHANGES[name]
    layer = layer_of(model)
    change(layer.datasets)

    assert mismatch(layer, saved).first_layer == first


def test_bfloat16_is_found_and_not_saved(keras, model, saved):
    policy = keras.mixed_precision.set_global_policy
    policy("mixed_bfloat16")
    try:
        with pytest.raises(OutputMismatchError) as caught:
            layer_of(model, expected_outputs=saved)
        with pytest.raises(ArgumentError, match="the model computes in bfloat16"):
            safeload.save_outputs(layer_of(model), saved, overwrite=True)
    finally:
        policy("float32")
    assert caught.value.first_layer == "characters"
    assert caught.value.causes == ("dtype is bfloat16, half precision; expected float32",)


def test_a_state_is_left_as_it_is(model, ids, saved):
    layer, other = (layer_of(model, stateful=True, dropout=0.0) for _ in range(2))
    layer(ids), other(ids)
    safeload.compare_outputs(layer, saved)
    safeload.compare_outputs(layer, saved)

    np.testing.assert_array_equal(np.asarray(layer(ids)), np.asarray(other(ids)))


def test_the_layer_of_text_is_compared(keras, model, saved):  # noqa: ARG001
    report = safeload.compare_outputs(ElmoText(model, output="word_emb"), saved)
    assert [each.layer for each in report.layers if each.only_in] == ["sum 0"]
    assert safeload.compare_outputs(ElmoText(model, output="elmo"), saved).layers[-1].max_abs < BOUND / 10


def test_a_layer_without_weights_is_no_elmo(keras, model, saved):  # noqa: ARG001
    from safeload.keras import ElmoLayer

    layer = ElmoLayer.from_config(layer_of(model).get_config())
    with pytest.raises(ArgumentError, match="model must be a BERT or an ELMo"):
        safeload.compare_outputs(layer, saved)
