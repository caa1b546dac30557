"""The keys of a settings file: their types in each format, and every bad one at once, with its line."""

from __future__ import annotations

import inspect
import os

import pytest

import safeload
from safeload import read_settings
from safeload.bert._arguments import MODEL_OPTIONS
from safeload.errors import ConfigError
from safeload.settings._keys import BERT_KEYS, ELMO_KEYS
from tests.settings.settings_file import written


def test_the_keys_are_the_parameters_of_the_two_functions():
    def of(function):
        return {
            name
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD and name not in ("base_dir", "model_class")
        }

    assert set(ELMO_KEYS) == of(safeload.load_elmo)
    assert set(BERT_KEYS) == of(safeload.load_bert) | set(MODEL_OPTIONS)


def test_bert_keys_are_typed(tmp_path):
    path = written(
        tmp_path,
        """
        [base]
        config_file = $MODELS/bert_config.json
        checkpoint_file = ../ckpt/bert_model.ckpt
        training = off
        trainable = Encoder-12, NSP
        output_layer_num = [-1, -2]
        seq_len = none
        dropout_rate = 1e-1
        attention_activation = None
        vocab_file = none
        task_num = 3
        """,
    )
    os.environ["MODELS"] = "/models"
    try:
        found = read_settings(path, "base")
    finally:
        del os.environ["MODELS"]
    assert found == {
        "config_file": "/models/bert_config.json",
        "checkpoint_file": os.path.normpath(tmp_path / "../ckpt/bert_model.ckpt"),
        "training": False,
        "trainable": ["Encoder-12", "NSP"],
        "output_layer_num": [-1, -2],
        "seq_len": None,
        "dropout_rate": 0.1,
        "attention_activation": None,
        "vocab_file": None,
        "task_num": 3,
    }


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("4", ["4"]), ("a,b", ["a", "b"]), ("1", True)])
def test_trainable_is_a_flag_or_a_list(value, expected, tmp_path):
    path = written(tmp_path, f"[B]\nconfig_file = x\ntrainable = {value}")
    assert read_settings(path, "B")["trainable"] == expected


def test_an_integer_of_a_typed_format_serves_as_a_number(tmp_path):
    path = written(tmp_path, '[E]\noptions_file = "x"\ndropout = 0', "c.toml")
    dropout = read_settings(path, "E")["dropout"]
    assert (dropout, type(dropout)) == (0.0, float)


def test_an_address_is_left_to_the_loader(tmp_path):
    path = written(tmp_path, "[E]\noptions_file = https://example.org/options.json")
    assert read_settings(path, "E")["options_file"] == "https://example.org/options.json"


BAD = {
    "ini": """
        [BERT]
        config_file = "models/bert"
        seq_len = many
        training = maybe
        drop_rate = 0.1
        dropout_rate = 0.1  # low
        vocab_file =
        weight_file = w
        base_dir = /
        checkpoint_file = $NO_SUCH_VARIABLE/x
        """,
    "toml": """
        [BERT]
        config_file = 1
        seq_len = "many"
        training = "yes"
        drop_rate = 0.1
        dropout_rate = true
        vocab_file = []
        weight_file = "w"
        base_dir = "/"
        checkpoint_file = "$NO_SUCH_VARIABLE/x"
        """,
    "yaml": """
        BERT:
          config_file: 1
          seq_len: many
          training: "yes"
          drop_rate: 0.1
          dropout_rate: true
          vocab_file: []
          weight_file: w
          base_dir: /
          checkpoint_file: $NO_SUCH_VARIABLE/x
        """,
    "json": """
        { "BERT": {
          "config_file": 1,
          "seq_len": "many",
          "training": "yes",
          "drop_rate": 0.1,
          "dropout_rate": true,
          "vocab_file": [],
          "weight_file": "w",
          "base_dir": "/",
          "checkpoint_file": "$NO_SUCH_VARIABLE/x"
        } }
        """,
}


@pytest.mark.parametrize("ending", BAD)
def test_every_bad_key_is_told_with_its_line(ending, tmp_path):
    path = written(tmp_path, BAD[ending], f"config.{ending}")
    with pytest.raises(ConfigError) as caught:
        read_settings(path, "BERT")
    error = caught.value
    keys = ["config_file", "seq_len", "training", "drop_rate", "dropout_rate", "vocab_file", "weight_file", "base_dir"]

    assert [(problem.key, problem.line) for problem in error.problems] == [
        (key, number) for number, key in enumerate([*keys, "checkpoint_file"], 2)
    ]
    assert error.resolved == str(path)
    assert ("section", "BERT") in error.context
    problems = {problem.key: problem.problem for problem in error.problems}
    assert problems["drop_rate"] == "unknown; did you mean dropout_rate?"
    assert problems["weight_file"] == "unknown here; it belongs to load_elmo"
    assert "folder of the settings file" in problems["base_dir"]
    assert "NO_SUCH_VARIABLE is not set" in problems["checkpoint_file"]
    assert str(error).startswith("the settings cannot be used: 9 bad keys\n  settings: ")
    if ending == "ini":
        assert "remove them" in problems["config_file"]
        assert "on its own line" in problems["dropout_rate"]
        assert problems["vocab_file"] == "empty; expected a path, or none"


@pytest.mark.parametrize(("text", "key"), [("x = 1", "config_file"), ("dropout = 0\nbackend = torch", "options_file")])
def test_a_section_without_a_model_is_told(text, key, tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_settings(written(tmp_path, f"[S]\n{text}"), "S")
    assert caught.value.problems[-1].key == key or caught.value.problems[0].key == key
