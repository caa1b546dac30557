"""Arguments that are not paths, whatever the model."""

from __future__ import annotations

import enum
import json
import math
from pathlib import Path

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._arguments import as_python, as_python_tree, bad_argument, is_int, is_number, require_patterns
from safeload.errors import ArgumentError, ConfigError
from safeload.lock import make_lock, read_lock
from tests.elmos import OPTIONS


@pytest.mark.parametrize(
    ("value", "integer", "number"),
    [
        (0, True, True),
        (10**30, True, True),
        (True, False, False),
        (1.0, False, True),
        (math.nan, False, False),
        (-math.inf, False, False),
        ("1", False, False),
        (None, False, False),
        (np.float64(2), False, True),
    ],
)
def test_a_bool_is_no_number_and_neither_is_nan(value, integer, number):
    assert (is_int(value), is_number(value)) == (integer, number)


def test_the_error_names_argument_value_and_the_file_that_contradicts_it():
    error = bad_argument("seq_len", 9, "at most 8", ["pass 8"], label="config", resolved="/c")

    assert error.message == "seq_len must be at most 8, not 9"
    assert (error.argument, error.given, error.hints) == ("seq_len", 9, ("pass 8",))
    assert (error.label, error.resolved) == ("config", "/c")


@pytest.mark.parametrize("patterns", [["a/*", "b"], ("a/*", "b"), iter(["a/*", "b"]), {"a/*": 1, "b": 2}])
def test_patterns_are_of_any_collection(patterns):
    assert require_patterns(patterns, example="x") == ("a/*", "b")


@pytest.mark.parametrize(
    ("given", "shown", "hint"),
    [
        ("a/*", "'a/*'", "write a list: ['x/*']"),
        (b"a", "b'a'", "write a list: ['x/*']"),
        (None, "None", "write a list: ['x/*']"),
        (["a", 1], "1", "each pattern is a str"),
    ],
)
def test_what_is_no_list_of_patterns_is_told(given, shown, hint):
    with pytest.raises(ArgumentError) as caught:
        require_patterns(given, example="x/*")
    assert caught.value.message == f"ignore_unused must be a list of patterns, not {shown}"
    assert (caught.value.argument, caught.value.hints) == ("ignore_unused", (hint,))


class Word(str, enum.Enum):
    AUTO = "auto"
    TORCH = "torch"
    SECTION = "BERT"


class Number(enum.IntEnum):
    ONE = 1
    TWO = 2


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.bool_(True), True),
        (np.float16(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.longdouble(0.5), 0.5),
        (np.str_("a"), "a"),
        (np.array(3), 3),
        (np.array("a"), "a"),
        (np.array(False), False),
        (Word.TORCH, "torch"),
        (Number.TWO, 2),
        (True, True),
        (None, None),
    ],
    ids=repr,
)
def test_a_scalar_of_any_class_is_pythons_own(value, wanted):
    found = as_python(value)

    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    "value", [np.array([1]), np.datetime64("2020"), np.complex64(1), np.array(None), b"a"], ids=repr
)
def test_what_is_no_scalar_of_python_is_left(value):
    assert as_python(value) is value


def test_a_tree_is_as_a_json_file_holds_it():
    given = {
        Word.AUTO: (np.int64(1), {"b": np.array([[1, 2]])}),
        "p": Path("a") / "b",
        "o": np.array(["a", None], object),
    }

    assert json.dumps(as_python_tree(given)) == '{"auto": [1, {"b": [[1, 2]]}], "p": "a/b", "o": ["a", null]}'


def accepted(report):
    """Require a report of Python's own values."""
    assert json.dumps(report.to_dict())
    assert type(report.given) is str
    return report


def test_a_check_of_a_bert_takes_scalars_and_paths_of_any_class(bert):
    lock = bert / "safeload.lock"
    testing.write_bert_checkpoint(bert, scope=np.str_("a/"), slots=np.bool_(True))
    report = accepted(
        safeload.check_bert(
            np.str_("bert_config.json"),
            np.array("bert_model.ckpt"),
            Path("vocab.txt"),
            training=np.bool_(True),
            seq_len=np.int64(8),
            base_dir=np.str_(bert),
            ignore_unused=np.array(["x/*"]),
            scope=np.str_("a/bert"),
        )
    )

    assert report.scope == "a/bert/"
    lock.write_text("")
    lock.write_bytes(locked(report, lock))
    accepted(safeload.check_bert(bert, lock_file=np.str_(lock)))
    assert read_lock(Path(lock)).path == str(lock)
    assert safeload.load_vocabulary(np.str_("vocab.txt"), base_dir=bert)["[PAD]"] == 0


def locked(report, lock):
    from safeload.lock import lock_text

    return lock_text(make_lock(report, lock)).encode()


@pytest.mark.parametrize(
    "given",
    [
        {"training": np.bool_(True), "trainable": np.array(["NSP", "Encoder-1"]), "dropout_rate": np.float32(0.25)},
        {"output_layer_num": np.int64(2), "seq_len": np.int64(8), "trainable": np.bool_(True)},
        {"output_layer_num": Number.TWO, "seq_len": Number.TWO, "attention_activation": np.str_("relu")},
        {"output_layer_num": np.array([0, -1]), "use_task_embed": np.bool_(False), "task_num": np.int64(1)},
    ],
    ids=str,
)
def test_a_load_of_a_bert_takes_scalars_of_any_class(given, tiny_bert):
    model = safeload.load_bert(tiny_bert, **given)

    accepted(safeload.report_of(model))
    assert json.loads(model.to_json())


@pytest.mark.parametrize("backend", [np.str_("torch"), Word.TORCH, np.array("torch")], ids=repr)
def test_a_load_of_an_elmo_takes_scalars_of_any_class(backend, tiny_elmo):
    module = safeload.load_elmo(
        tiny_elmo,
        num_output_representations=np.int64(2),
        requires_grad=np.bool_(True),
        do_layer_norm=np.bool_(True),
        dropout=np.float32(0.25),
        vocab_to_cache=np.array(["@@PADDING@@", "good"]),
        keep_sentence_boundaries=np.bool_(False),
        scalar_mix_parameters=np.float32([0, 1, 2]),
        stateful=np.bool_(True),
        backend=backend,
    )

    assert accepted(safeload.report_of(module)).backend == "torch"
    assert module._dropout.p == 0.25
    assert len(module._scalar_mixes) == 2
    assert accepted(safeload.check_elmo(np.str_(tiny_elmo))).model == "ELMo"


@pytest.mark.parametrize("number", [True, np.bool_(True), np.float64(2), np.array([2])], ids=repr)
@pytest.mark.parametrize("argument", ["num_output_representations", "seq_len", "task_num"])
def test_a_flag_is_no_number_in_numpy_either(argument, number, tiny_bert, tiny_elmo):
    load, model = (safeload.load_elmo, tiny_elmo) if argument.startswith("num") else (safeload.load_bert, tiny_bert)
    with pytest.raises(ArgumentError) as caught:
        load(model, **{argument: number})
    assert caught.value.argument == argument


@pytest.mark.parametrize("value", [1, np.int64(1), np.float32(1)], ids=repr)
@pytest.mark.parametrize("argument", ["requires_grad", "keep_sentence_boundaries", "stateful"])
def test_a_number_is_no_flag_in_numpy_either(argument, value, tiny_elmo):
    with pytest.raises(ArgumentError, match=argument):
        safeload.load_elmo(tiny_elmo, **{argument: value})


def test_words_of_any_class_have_character_ids():
    plain = safeload.character_ids([["torch", "b"]])

    for sentences in (np.array([["torch", "b"]]), [[Word.TORCH, np.str_("b")]], np.array([["torch", "b"]], object)):
        assert safeload.character_ids(sentences).equal(plain)


def test_a_section_of_any_class_is_read(tmp_path):
    (tmp_path / "s.ini").write_text("[BERT]\nconfig_file = a\n")

    for section in (np.str_("BERT"), Word.SECTION):
        assert safeload.read_settings(np.str_(tmp_path / "s.ini"), section) == {"config_file": str(tmp_path / "a")}


def test_the_models_of_the_testing_kit_take_scalars_of_any_class(tmp_path):
    sizes = {"layers": np.int64(1), "vocab": np.int32(12), "hidden": Number.TWO * 8, "shards": np.int64(2)}
    testing.write_bert_checkpoint(np.str_(tmp_path / "b"), heads=np.bool_(False), seed=np.int64(3), **sizes)
    accepted(safeload.check_bert(tmp_path / "b"))
    testing.write_elmo(
        tmp_path / "e", layers=np.int64(1), filters=np.array([[1, 4], [2, 6]]), skip_connections=np.bool_(False)
    )
    accepted(safeload.check_elmo(tmp_path / "e"))
    testing.edit_config(tmp_path / "b", vocab_size=np.int64(13), x=np.float32(0.5), y=tmp_path)
    testing.reshape_variable(tmp_path / "b", np.str_("bert/embeddings/word_embeddings"), np.array([13, 16]))
    testing.edit_vocabulary(tmp_path / "b", lambda lines: np.array([*lines, "new"]))
    testing.poison(tmp_path / "b", value=np.float32(0.5))
    testing.remove_shard(tmp_path / "b", np.int64(1))


def test_a_config_dict_takes_values_of_any_class(tiny_bert):
    from safeload.compat import keras_bert

    model, config = keras_bert.build_model_from_config(
        str(tiny_bert / "bert_config.json"), training=np.bool_(True), seq_len=np.int64(8)
    )
    assert type(config["max_position_embeddings"]) is int
    odd = {key: np.int64(value) if isinstance(value, int) else np.str_(value) for key, value in config.items()}
    odd |= {"hidden_dropout_prob": np.float32(0.1), "is_decoder": np.bool_(False), "_name_or_path": tiny_bert}
    keras_bert.load_model_weights_from_checkpoint(model, odd, tiny_bert / "bert_model.ckpt", training=np.bool_(True))
    with pytest.raises(ConfigError, match="is_decoder: true"):
        keras_bert.load_model_weights_from_checkpoint(model, odd | {"is_decoder": np.bool_(True)}, tiny_bert)
    with pytest.raises(ConfigError, match="hidden_size: expected an integer, found true"):
        keras_bert.load_model_weights_from_checkpoint(model, odd | {"hidden_size": np.bool_(True)}, tiny_bert)


def test_the_options_of_a_keras_layer_take_values_of_any_class():
    from safeload.keras import ElmoLayer

    lstm = {
        key: np.bool_(value) if isinstance(value, bool) else np.int64(value) for key, value in OPTIONS["lstm"].items()
    }
    cnn = {**OPTIONS["char_cnn"], "filters": np.array(OPTIONS["char_cnn"]["filters"]), "activation": np.str_("relu")}
    layer = ElmoLayer({"lstm": lstm, "char_cnn": cnn}, np.int64(1), dropout=np.float32(0.25), stateful=np.bool_(False))

    assert json.loads(json.dumps(layer.get_config()["options"], default=dict)) == {
        "lstm": OPTIONS["lstm"],
        "char_cnn": OPTIONS["char_cnn"],
    }
    assert json.dumps({key: layer.get_config()[key] for key in ("dropout", "num_output_representations", "stateful")})
