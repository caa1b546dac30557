"""The files that Keras writes of keras-bert's models: the same values again, and nothing in them is run."""

from __future__ import annotations

import json
import zipfile

import h5py
import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._frameworks.tensorflow import require_keras_bert
from safeload._model_kind import Request
from safeload._steps import check
from safeload.bert._arguments import build_options
from safeload.bert._model import bert
from safeload.errors import ConfigError, CorruptFileError, SafeLoadWarning, VariableMismatchError
from safeload.testing._bert import bert_tensors

pytest.importorskip("keras_bert")
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")

NAMINGS = {
    "weights.h5": ("hdf5", "keras-bert", ""),
    "model.h5": ("hdf5", "keras-bert", "model_weights/"),
    "all.weights.h5": ("hdf5", "keras-bert-numbered", "layers/"),
    "model.keras": ("keras", "keras-bert-numbered", "layers/"),
    "tf_weights": ("tensorflow", "keras-bert-tf", ""),
    "saved_model": ("tensorflow", "keras-bert-tf", ""),
}


def save(model, path):
    (model.save_weights if "weights" in path.name else model.save)(str(path))


def checked(config, path, *, training):
    kind = bert(build_options(training=training, seq_len=None))
    return check(kind, Request(config, path), keep_values=True)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return the folder with a config, and the files of a model with heads and of one without."""
    folder = testing.write_bert(tmp_path_factory.mktemp("keras") / "source")
    for training in (True, False):
        (folder / str(training)).mkdir()
        model = safeload.load_bert(folder, training=training)
        for name in NAMINGS:
            save(model, folder / str(training) / name)
    return folder


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", NAMINGS)
def test_the_values_come_back(name, training, saved):
    found = checked(saved / "bert_config.json", saved / str(training) / name, training=training)

    wanted = bert_tensors()
    assert len(found.values) == (46 if training else 37)
    for parameter, values in found.values.items():
        np.testing.assert_array_equal(values, wanted[parameter], err_msg=parameter)
    report = found.report
    assert (report.form, report.naming, report.scope) == NAMINGS[name]
    assert report.activation == "gelu_tanh"


@pytest.mark.parametrize("name", NAMINGS)
def test_heads_that_are_not_read_are_explained(name, saved):
    report = safeload.check_bert(saved / "bert_config.json", saved / "True" / name)

    assert {what: len(names) for what, names in report.unused.items()} == {"heads": 7, "pooler": 2}


@pytest.mark.parametrize("name", NAMINGS)
def test_a_head_of_one_s_own_and_an_optimizer_are_explained(name, saved, tmp_path):
    keras = require_keras_bert().tf.keras
    keras.backend.clear_session()
    source = safeload.load_bert(saved, training=True)
    output = keras.layers.Dense(2, name="mine")(source.get_layer("NSP-Dense").output)
    model = keras.Model(source.inputs[:2], output)
    model.compile("adam", "mse")
    model.train_on_batch([np.ones((1, 20)), np.zeros((1, 20))], np.ones((1, 2)))
    save(model, tmp_path / name)
    found = checked(saved / "bert_config.json", tmp_path / name, training=False)

    assert len(found.values) == 37
    assert set(found.report.unused) <= {"pooler", "heads", "task heads", "training"}
    assert not found.report.problems


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_the_heads_of_a_saved_model_must_be_those_of_the_config(name, saved, tmp_path):
    config = json.loads((saved / "bert_config.json").read_text())
    (tmp_path / "bert_config.json").write_text(json.dumps({**config, "num_attention_heads": 2}))

    with pytest.raises(ConfigError) as caught:
        safeload.check_bert(tmp_path / "bert_config.json", saved / "False" / name)
    assert [problem.key for problem in caught.value.problems] == ["num_attention_heads"]
    assert "2, but the saved model has 4" in str(caught.value)


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_the_activation_of_a_saved_model_must_be_that_of_the_config(name, saved, tmp_path):
    config = json.loads((saved / "bert_config.json").read_text())
    save(safeload.load_bert(saved, activation="gelu_erf"), tmp_path / name)

    for hidden_act, built in (("gelu_new", "gelu_tanh"), ("relu", "relu")):
        (tmp_path / "bert_config.json").write_text(json.dumps({**config, "hidden_act": hidden_act}))
        with pytest.raises(ConfigError) as caught:
            safeload.check_bert(tmp_path / "bert_config.json", tmp_path / name)
        assert f"{built}, but the saved model has gelu_erf" in str(caught.value)
        assert "or pass activation to choose on purpose" in caught.value.hints
    for activation in ("gelu_erf", "gelu_tanh"):
        report = safeload.check_bert(saved / "bert_config.json", tmp_path / name, activation=activation)
        assert report.activation == activation


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
@pytest.mark.parametrize("form", ["tensorflow", "safetensors"])
@pytest.mark.parametrize("activation", ["gelu_erf", "gelu_tanh"])
def test_a_saved_model_says_which_gelu_the_config_means(activation, form, name, tmp_path):
    folder = testing.write_bert(tmp_path / "source", form=form)
    model = safeload.load_bert(folder, seq_len=None, activation=activation)
    save(model, tmp_path / name)
    again = safeload.load_bert(folder, tmp_path / name, seq_len=None)

    report = safeload.report_of(again)
    assert (report.activation, report.warnings) == (activation, ())
    inputs = [np.arange(14).reshape(2, 7), np.zeros((2, 7))]
    np.testing.assert_array_equal(again.predict(inputs, verbose=0), model.predict(inputs, verbose=0))


def test_layers_of_a_saved_model_with_both_gelus_are_no_answer(saved, tmp_path):
    def change(data):
        return data.replace(b'"activation": "gelu"', b'"activation": "safeload_gelu_erf"', 1)

    path = edited(saved / "False" / "model.keras", tmp_path / "model.keras", change)
    with pytest.raises(ConfigError) as caught:
        safeload.check_bert(saved / "bert_config.json", path)
    assert [problem.key for problem in caught.value.problems] == ["hidden_act"]


@pytest.mark.parametrize("name", ["weights.h5", "all.weights.h5", "tf_weights", "saved_model"])
def test_the_gelu_of_another_library_s_config_is_a_warning(name, saved):
    theirs = testing.write_bert(saved / "transformers", form="safetensors") / "config.json"
    path = saved / "False" / name

    with pytest.warns(SafeLoadWarning, match="gelu"):
        report = safeload.check_bert(theirs, path)
    assert report.activation == "gelu_tanh"
    (warning,) = report.warnings
    assert "built with gelu_tanh" in warning
    assert 'pass activation="gelu_erf" for the other' in warning
    for activation in ("gelu_erf", "gelu_tanh"):
        report = safeload.check_bert(theirs, path, activation=activation)
        assert (report.activation, report.warnings) == (activation, ())
    assert safeload.check_bert(saved / "bert_config.json", path).warnings == ()
    assert safeload.check_bert(theirs.parent).warnings == ()


@pytest.mark.parametrize("hidden_act", ["gelu_new", "gelu_python", "relu"])
def test_an_activation_with_one_meaning_is_no_warning(hidden_act, saved, tmp_path):
    folder = testing.write_bert(tmp_path, form="safetensors")
    testing.edit_config(folder, hidden_act=hidden_act)

    assert safeload.check_bert(folder / "config.json", saved / "False" / "weights.h5").warnings == ()


def test_layers_of_an_h5_file_that_were_exchanged_are_found(saved, tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes((saved / "False" / "weights.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        file.move("Encoder-1-FeedForward", "between")
        file.move("Encoder-2-FeedForward", "Encoder-1-FeedForward")
        file.move("between", "Encoder-2-FeedForward")

    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_bert(saved / "bert_config.json", path)
    assert [problem.kind for problem in caught.value.report.problems] == ["missing"] * 8 + ["unexpected"] * 8


def edited(source, target, change):
    """Copy a `.keras` file with another config."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():
            data = old.read(member)
            new.writestr(zipfile.ZipInfo(member.filename), change(data) if member.filename == "config.json" else data)
    return target


def test_layers_of_a_keras_file_that_were_exchanged_are_found(saved, tmp_path):
    def exchange(data):
        return (
            data.replace(b"MLM-Dense", b"between").replace(b"NSP-Dense", b"MLM-Dense").replace(b"between", b"NSP-Dense")
        )

    path = edited(saved / "True" / "model.keras", tmp_path / "model.keras", exchange)
    with pytest.raises(CorruptFileError) as caught:
        safeload.check_bert(saved / "bert_config.json", path, training=True)
    assert "2 layers of the weight file were renamed or exchanged" in caught.value.message
    assert "the place of the layer MLM-Dense, but the layer is 'NSP-Dense'" in str(caught.value)
    safeload.check_bert(saved / "bert_config.json", path)


@pytest.mark.parametrize(
    "activation",
    ['{"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}', '"my_package>mine"', "null", "[1]"],
)
def test_an_activation_that_is_code_is_not_run(activation, saved, tmp_path):
    path = edited(
        saved / "False" / "model.keras",
        tmp_path / "model.keras",
        lambda data: data.replace(b'"activation": "gelu"', b'"activation": ' + activation.encode()),
    )
    with pytest.raises(ConfigError) as caught:
        safeload.check_bert(saved / "bert_config.json", path)
    assert [problem.key for problem in caught.value.problems] == ["hidden_act"]
    assert safeload.check_bert(saved / "bert_config.json", path, activation="gelu_tanh").activation == "gelu_tanh"


@pytest.mark.parametrize("config", [b"\xff", b"[1]", b"{", b'{"a":1,"a":1}'])
def test_a_config_that_is_no_object_is_told(config, saved, tmp_path):
    path = edited(saved / "False" / "model.keras", tmp_path / "model.keras", lambda _: config)

    with pytest.raises(ConfigError):
        safeload.check_bert(saved / "bert_config.json", path)


def test_a_changed_byte_of_the_weights_has_another_crc(saved, tmp_path):
    path = tmp_path / "model.keras"
    data = bytearray((saved / "False" / "model.keras").read_bytes())
    data[data.index(b"\x89HDF") + 30_000] ^= 1
    path.write_bytes(data)

    with pytest.raises(CorruptFileError) as caught:
        safeload.check_bert(saved / "bert_config.json", path)
    assert caught.value.message.startswith("the model.weights.h5 file in the archive is damaged: its CRC-32 is ")


def test_a_file_of_keras_for_elmo_is_a_bert(saved, tiny_elmo):
    with pytest.raises(safeload.errors.WrongFileKindError) as caught:
        safeload.check_elmo(tiny_elmo / "options.json", saved / "False" / "weights.h5")
    assert caught.value.found == "a BERT"
    with pytest.raises(safeload.errors.WrongFileKindError):
        safeload.check_elmo(tiny_elmo / "options.json", saved / "False" / "model.keras")
