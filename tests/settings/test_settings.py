"""`read_settings`: the same arguments from every format."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys

import pytest

import safeload
from safeload import read_settings
from safeload.bert._arguments import MODEL_OPTIONS
from safeload.settings._keys import BERT_KEYS, ELMO_KEYS
from tests.settings.settings_file import ELMO, problems_of, written


@pytest.mark.parametrize("ending", [*ELMO, "json"])
def test_every_format_gives_the_same_arguments(ending, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    expected = {
        "options_file": str(tmp_path / "models/options.json"),
        "weight_file": "/home/someone/weights.hdf5",
        "num_output_representations": 2,
        "requires_grad": True,
        "scalar_mix_parameters": [0.5, 0.5, -1],
        "vocab_to_cache": ["the", "cat"],
        "ignore_unused": ["extra/*", "more"],
        "backend": "torch",
        "dropout": 0.25,
    }
    if ending == "json":
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"ELMO": {**expected, "options_file": "models/options.json"}}))
    else:
        path = written(tmp_path, ELMO[ending], f"config.{ending}")
    assert read_settings(path, "ELMO") == expected


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


def test_paths_start_at_the_settings_files_folder(tmp_path, monkeypatch):
    written(tmp_path, "[B]\nconfig_file = bert")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert read_settings("../config.ini", "B")["config_file"] == str(tmp_path / "bert")


def test_an_address_is_left_to_the_loader(tmp_path):
    path = written(tmp_path, "[E]\noptions_file = https://example.org/options.json")
    assert read_settings(path, "E")["options_file"] == "https://example.org/options.json"


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        ("toml", '[models]\nx = 1\n[models.elmo]\noptions_file = "x"\ndrop = 1'),
        ("json", '{"models": {"x": 1,\n\n"elmo": {\n"options_file": "x",\n"drop": 1}}}'),
        ("json", '{"elmo": {"drop": 1}, "x": 2,\n\n"models.elmo": {\n"options_file": "x",\n"drop": 1}}'),
        ("yaml", "models:\n  x: 1\n  elmo:\n    options_file: x\n    drop: 1"),
        ("yaml", "models:\n  elmo: 1\nmodels.elmo:\n  options_file: x\n  drop: 1"),
    ],
)
def test_a_dotted_name_leads_into_tables_unless_it_is_a_name_itself(ending, text, tmp_path):
    assert problems_of(written(tmp_path, text, f"c.{ending}"), "models.elmo") == [("drop", 5)]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("c.toml", '\n\n[A]\noptions_file = "x"\ndrop = 1', 5),
        ("c.json", '\n\n{"A": {"options_file": "x",\n"drop": 1}}', 4),
        ("c.toml", 'A = {options_file = "x", drop = 1}', None),
        ("c.toml", '[A]\noptions_file = "x"\ndrop.a = 1\n[B]\ndrop = 1', None),
        ("c.json", '{"A": {"options_file": "x", "dro\\u0070": 1},\n"B": {"drop": 1}}', None),
        ("c.yaml", "B: &b\n  options_file: x\nA:\n  <<: *b\n  drop: 1", 5),
        ("c.yaml", "B: &b\n  options_file: x\n  drop: 1\nA:\n  <<: *b", None),
        ("c.ini", "[B]\ndrop = 1\n[A]\noptions_file = x\ndrop = 1", 5),
    ],
)
def test_a_key_s_line_is_that_of_the_file_and_left_out_where_it_is_not_known(name, text, line, tmp_path):
    (tmp_path / name).write_text(text)

    assert problems_of(tmp_path / name, "A") == [("drop", line)]


def test_a_percent_sign_is_itself(tmp_path):
    path = written(tmp_path, "[E]\noptions_file = 100%/%(x)s")
    assert read_settings(path, "E") == {"options_file": str(tmp_path / "100%/%(x)s")}


def test_what_all_sections_share_is_a_section_too(tmp_path):
    path = written(tmp_path, "[DEFAULT]\noptions_file = x")
    assert read_settings(path, "DEFAULT") == {"options_file": str(tmp_path / "x")}


def test_the_keys_are_the_parameters_of_the_two_functions():
    def of(function):
        return {
            name
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD and name != "base_dir"
        }

    assert set(ELMO_KEYS) == of(safeload.load_elmo)
    assert set(BERT_KEYS) == of(safeload.load_bert) | set(MODEL_OPTIONS)


def test_the_settings_of_both_models_check_them(tiny_bert, tiny_elmo, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/bert").symlink_to(tiny_bert)
    (tmp_path / "models/elmo").symlink_to(tiny_elmo)
    written(tmp_path, "[BERT]\nconfig_file = models/bert\nseq_len = 8\n[ELMO]\noptions_file = models/elmo")

    assert len(safeload.check_bert(**read_settings(tmp_path / "config.ini", "BERT")).read) == 37
    assert len(safeload.check_elmo(**read_settings(tmp_path / "config.ini", "ELMO")).read) == 29


def test_reading_settings_imports_nothing_heavy(tmp_path):
    path = written(tmp_path, "[E]\noptions_file = x")
    code = f"import sys, safeload; safeload.read_settings({str(path)!r}, 'E'); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
