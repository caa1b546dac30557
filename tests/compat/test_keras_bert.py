from __future__ import annotations

import inspect
import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import safeload
from safeload._frameworks.tensorflow import require_keras_bert
from safeload.compat import keras_bert as drop_in
from safeload.errors import (
    ArgumentError,
    CorruptFileError,
    InvalidPathError,
    LockError,
    MissingFileError,
    SafeLoadWarning,
    VariableMismatchError,
    VocabularyError,
)
from safeload.testing._bundle import write_checkpoint as write_bundle
from tests.checkpoints import PREFIX, bert_tensors
from tests.command_line import safeload_cli
from tests.precision import keras_in


@pytest.fixture(scope="module")
def keras_bert():
    return require_keras_bert().keras_bert


def files(folder):
    return str(folder / "bert_config.json"), str(folder / PREFIX)


REPLACED = (
    "build_model_from_config",
    "extract_embeddings",
    "extract_embeddings_generator",
    "load_model_weights_from_checkpoint",
    "load_trained_model_from_checkpoint",
    "load_vocabulary",
)


@pytest.mark.parametrize("name", REPLACED)
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
    assert safeload.report_of(ours).place == "checkpoint prefix"


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


def test_every_other_public_name_is_keras_berts_own(keras_bert):
    names = {name for name in vars(keras_bert) if not name.startswith("_")}

    assert set(drop_in.__all__) == names
    assert names <= set(dir(drop_in))
    assert {"Tokenizer", "get_custom_objects", "AdamWarmup", "POOL_NSP", "TOKEN_CLS", "get_model", "bert"} <= names
    for name in names - {*REPLACED, "get_custom_objects", "loader", "util"}:
        assert getattr(drop_in, name) is getattr(keras_bert, name), name
    assert drop_in.__version__ == keras_bert.__version__


def test_the_modules_of_replaced_functions_are_the_drop_in_itself(keras_bert):
    for module in (keras_bert.loader, keras_bert.util):
        assert set(module.__all__) <= set(dir(drop_in))
    assert drop_in.loader is drop_in.util is drop_in


def test_everything_can_be_imported_with_one_line():
    code = """if True:
        import sys
        import safeload.compat.keras_bert
        print(*{"tensorflow", "keras", "tf_keras", "keras_bert"} & set(sys.modules))
        from safeload.compat.keras_bert import *
        print(load_trained_model_from_checkpoint.__module__, Tokenizer.__module__, len(get_custom_objects()) > 10)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["", "safeload.compat.keras_bert keras_bert.tokenizer True"]


def test_a_name_that_keras_bert_does_not_have_is_not_found():
    with pytest.raises(AttributeError, match=r"module 'safeload\.compat\.keras_bert' has no attribute 'get_modle'"):
        _ = drop_in.get_modle
    with pytest.raises(ImportError, match="cannot import name 'get_modle'"):
        from safeload.compat.keras_bert import get_modle  # noqa: F401
    assert not hasattr(drop_in, "_hidden")


@pytest.mark.parametrize(
    ("given", "warned"),
    [
        ({"output_layer_num": 3}, "output_layer_num=3 is clipped to num_hidden_layers=2, as keras-bert does"),
        ({"seq_len": 21}, "seq_len=21 is clipped to max_position_embeddings=20, as keras-bert does"),
        (
            {"output_layer_num": 12, "seq_len": 512},
            (
                "output_layer_num=12 is clipped to num_hidden_layers=2; "
                "seq_len=512 is clipped to max_position_embeddings=20, as keras-bert does"
            ),
        ),
    ],
    ids=str,
)
@pytest.mark.usefixtures("untraced")
def test_what_keras_bert_clips_is_clipped_with_a_warning(keras_bert, tiny_bert, given, warned):
    config, checkpoint = files(tiny_bert)
    theirs = keras_bert.load_trained_model_from_checkpoint(config, checkpoint, **given)
    with pytest.warns(SafeLoadWarning) as of_load:
        ours = drop_in.load_trained_model_from_checkpoint(config, checkpoint, **given)
    with pytest.warns(SafeLoadWarning) as of_build:
        _, built = drop_in.build_model_from_config(config, **given)

    for caught in (of_load, of_build):
        told = [(str(each.message), each.filename) for each in caught if each.category is SafeLoadWarning]
        assert told == [(warned, __file__)]
    assert [tuple(each.shape) for each in ours.outputs] == [tuple(each.shape) for each in theirs.outputs]
    ids = [np.full((1, theirs.input_shape[0][1]), 7), np.zeros((1, theirs.input_shape[0][1]))]
    np.testing.assert_array_equal(ours.predict(ids, verbose=0), theirs.predict(ids, verbose=0))
    assert built["max_position_embeddings"] == 20
    with pytest.raises(ArgumentError):
        safeload.load_bert(tiny_bert, **given)


def test_output_layers_that_a_model_with_heads_does_not_use_warn_of_nothing(tiny_bert, recwarn):
    drop_in.load_trained_model_from_checkpoint(*files(tiny_bert), training=True, output_layer_num=4, seq_len=None)

    assert not [each for each in recwarn if issubclass(each.category, SafeLoadWarning)]


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("poolings", [None, ["POOL_NSP", "POOL_MAX"]])
def test_embeddings_of_a_folder_equal_keras_berts(keras_bert, tiny_bert, poolings):
    texts = ["good film", ("bad plot", "a film"), "a"]
    theirs = keras_bert.extract_embeddings(str(tiny_bert), texts, poolings, batch_size=2, output_layer_num=2)
    ours = drop_in.extract_embeddings(str(tiny_bert), texts, poolings, batch_size=2, output_layer_num=2)
    generated = drop_in.extract_embeddings_generator(Path(tiny_bert), texts, poolings, output_layer_num=2)

    assert isinstance(generated, types.GeneratorType)
    for one, other, third in zip(theirs, ours, generated, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(one, third, atol=1e-6)


@pytest.mark.usefixtures("untraced")
def test_embeddings_of_a_model_equal_keras_berts(keras_bert, tiny_bert):
    model, vocabulary = safeload.load_bert(tiny_bert), safeload.load_vocabulary(tiny_bert / "vocab.txt")

    for cut in (True, False):
        one, other = (
            package.extract_embeddings(model, ["Good film"], vocabs=vocabulary, cased=True, cut_embed=cut)
            for package in (keras_bert, drop_in)
        )
        np.testing.assert_array_equal(one, other)


def test_a_fault_of_the_folder_is_told_before_the_first_text_is_asked_for(bert):
    from safeload import testing

    (bert / "vocab.txt").write_text("[PAD]\na\na\n", encoding="utf-8")
    with pytest.raises(VocabularyError):
        drop_in.extract_embeddings_generator(bert, iter(()))
    with pytest.raises(MissingFileError):
        drop_in.extract_embeddings_generator(bert / "nowhere", iter(()))
    testing.flip_bit(bert)
    (bert / "vocab.txt").unlink()
    with pytest.raises((CorruptFileError, MissingFileError)):
        drop_in.extract_embeddings_generator(bert, iter(()))


def config_of(folder, **changes):
    return {**json.loads((folder / "bert_config.json").read_text(encoding="utf-8")), **changes}


@pytest.mark.parametrize("change", [{"vocab_size": 31}, {"hidden_size": 24, "intermediate_size": 8}], ids=str)
def test_a_model_of_other_sizes_is_the_callers_fault(keras_bert, tiny_bert, tmp_path, change):
    (tmp_path / "other.json").write_text(json.dumps(config_of(tiny_bert, **change)), encoding="utf-8")
    model, _ = keras_bert.build_model_from_config(str(tmp_path / "other.json"))
    before = model.get_weights()
    with pytest.raises(ArgumentError) as caught:
        drop_in.load_model_weights_from_checkpoint(model, config_of(tiny_bert), files(tiny_bert)[1])

    assert caught.value.argument == "model"
    assert "in the model graph, (30, 16) float32 in the checkpoint" in caught.value.details[0]
    assert "please report" not in str(caught.value)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_encoders_of_the_model_that_the_config_does_not_describe_are_told(keras_bert, tiny_bert, tmp_path):
    from safeload import testing

    small = testing.write_bert_checkpoint(tmp_path, layers=1)
    model, _ = keras_bert.build_model_from_config(files(tiny_bert)[0])
    with pytest.raises(ArgumentError, match="16 variables cannot be filled") as caught:
        drop_in.load_model_weights_from_checkpoint(model, config_of(small), files(small)[1])

    assert caught.value.hints == ("pass the config of this model; in the one that was passed, num_hidden_layers is 1",)
    assert all("is in no layer of the config" in row for row in caught.value.details[:10])


def test_a_model_of_float64_is_filled(keras_bert, tiny_bert):
    with keras_in("float64", require_keras_bert().tf.keras):
        model, config = keras_bert.build_model_from_config(files(tiny_bert)[0])
    drop_in.load_model_weights_from_checkpoint(model, config, files(tiny_bert)[1])

    for one, other in zip(model.get_weights(), safeload.load_bert(tiny_bert).get_weights(), strict=True):
        assert one.dtype == np.float64
        np.testing.assert_array_equal(one, other)


def test_a_lock_applies_to_the_drop_ins_vocabulary_too(bert):
    safeload_cli("lock", bert)
    assert drop_in.load_vocabulary(bert / "vocab.txt")["[PAD]"] == 0
    with (bert / "vocab.txt").open("a", encoding="utf-8") as file:
        file.write("other\n")
    for load in (drop_in.load_vocabulary, safeload.load_vocabulary):
        with pytest.raises(LockError):
            load(bert / "vocab.txt")


@pytest.mark.usefixtures("untraced")
def test_the_vocabulary_of_a_folder_is_read_once(tiny_bert, monkeypatch):
    from safeload._bytes import files as disk

    opened = []
    open_file = disk.Source.open
    monkeypatch.setattr(disk.Source, "open", lambda self, path: opened.append(path) or open_file(self, path))
    drop_in.extract_embeddings(str(tiny_bert), ["good film"])

    assert opened.count(str(tiny_bert / "vocab.txt")) == 1


def test_a_vocabulary_is_given_by_keras_berts_name():
    with pytest.raises(InvalidPathError, match="vocab_path is None"):
        drop_in.load_vocabulary(None)
