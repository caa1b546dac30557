"""`read_settings`: the same arguments from every format, and every bad key at once with its line."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import textwrap

import pytest

import safeload
from safeload import read_settings
from safeload.bert._arguments import MODEL_OPTIONS
from safeload.errors import (
    ArgumentError,
    ConfigError,
    MissingDependencyError,
    MissingFileError,
    UnsafeFileError,
    WrongFileKindError,
)
from safeload.settings._keys import BERT_KEYS, ELMO_KEYS

ELMO = {
    "ini": """
        [DEFAULT]
        dropout = 0.25
        author = someone

        [ELMO]
        options_file = models/options.json
        Weight_File: ~/weights.hdf5
        num_output_representations = 2
        requires_grad = yes
        scalar_mix_parameters = 0.5, 0.5, -1
        vocab_to_cache = the
            cat
        ignore_unused = ["extra/*", "more"]
        backend = torch

        [OTHER]
        anything = 50%
        """,
    "toml": """
        [ELMO]
        options_file = "models/options.json"
        weight_file = "~/weights.hdf5"
        num_output_representations = 2
        requires_grad = true
        scalar_mix_parameters = [0.5, 0.5, -1]
        vocab_to_cache = ["the", "cat"]
        ignore_unused = ["extra/*", "more"]
        backend = "torch"
        dropout = 0.25
        """,
    "yaml": """
        ELMO:
            options_file: models/options.json
            weight_file: ~/weights.hdf5
            num_output_representations: 2
            requires_grad: true
            scalar_mix_parameters: [0.5, 0.5, -1]
            vocab_to_cache: [the, cat]
            ignore_unused: ["extra/*", more]
            backend: torch
            dropout: 0.25
        """,
}
ELMO["cfg"] = ELMO["ini"]
ELMO["yml"] = ELMO["yaml"]


def written(tmp_path, text, name="config.ini"):
    path = tmp_path / name
    path.write_text(textwrap.dedent(text).strip() + "\n")
    return path


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


def problems_of(path, section):
    with pytest.raises(ConfigError) as caught:
        read_settings(path, section)
    return [(problem.key, problem.line) for problem in caught.value.problems]


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
    assert problems["drop_rate"] == "unknown; did you mean dropout_rate ?"
    assert problems["weight_file"] == "unknown here; it belongs to load_elmo"
    assert "its own folder" in problems["base_dir"]
    assert "NO_SUCH_VARIABLE is not set" in problems["checkpoint_file"]
    assert str(error).startswith("the settings cannot be used: 9 bad keys\n  settings: ")
    if ending == "ini":
        assert "remove them" in problems["config_file"]
        assert "line of its own" in problems["dropout_rate"]
        assert problems["vocab_file"] == "empty; expected a path, or none"


@pytest.mark.parametrize(("text", "key"), [("x = 1", "config_file"), ("dropout = 0\nbackend = torch", "options_file")])
def test_a_section_without_a_model_is_told(text, key, tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_settings(written(tmp_path, f"[S]\n{text}"), "S")
    assert caught.value.problems[-1].key == key or caught.value.problems[0].key == key


@pytest.mark.parametrize("ending", ["ini", "toml", "yaml"])
def test_a_missing_section_is_told_with_those_that_are_there(ending, tmp_path):
    with pytest.raises(ConfigError, match="no section 'ELM0'") as caught:
        read_settings(written(tmp_path, ELMO[ending], f"c.{ending}"), "ELM0")
    assert caught.value.hints == ("did you mean 'ELMO' ?",)
    assert dict(caught.value.context)["sections"].startswith("ELMO")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("c.ini", "config_file = x", "no section headers"),
        ("c.ini", "[A]\nconfig_file = x\nconfig_file = y", "line  3.*already exists|already exists"),
        ("c.ini", "[A]\n[A]", "already exists"),
        ("c.toml", "[A]\nconfig_file = x", "not TOML.*line 2"),
        ("c.toml", "[A]\na = 1\na = 2", "not TOML"),
        ("c.toml", "a = " + "[" * 10_000, "not TOML"),
        ("c.json", '{"A": {"x": 1, "x": 2}}', "more than once"),
        ("c.json", "{", "not JSON"),
        ("c.yaml", "A:\n  x: 1\n  x: 2", "'x' is there more than once, at line 3"),
        ("c.yaml", "B: 1\nA:\n  x:\n  - 1\n  - {y: 1, y: 2}", "'y' is there more than once, at line 5"),
        ("c.yaml", "A:\n  x: {y: 1, y: 2}\nB: 1", "'y' is there more than once, at line 2"),
        ("c.yaml", "A: &a\n- 1\n- *a", "is no section"),
        ("c.yaml", "A: [", "not YAML"),
        ("c.yaml", "A: !!python/object/apply:os.system [ls]", "not YAML"),
        ("c.yaml", "[" * 5_000, "not YAML"),
        ("c.yaml", "# nothing", "no section"),
        ("c.yaml", "- 1", "no section"),
        ("c.toml", "A = 1", "is no section"),
        ("c.yaml", "A: x", "is no section"),
    ],
)
def test_a_file_that_breaks_its_format_is_told(name, text, told, tmp_path):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError, match=told) as caught:
        read_settings(path, "A")
    assert caught.value.resolved == str(path)


def test_another_kind_of_file_is_told(tmp_path):
    for name, data in {
        "c.txt": b"[A]\n",
        "config": b"[A]\n",
        "c.ini": b"\x89HDF\r\n\x1a\n",
        "d.ini": b"<html>",
        "e.ini": b"",
    }.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(WrongFileKindError, match="not INI, TOML, JSON or YAML"):
            read_settings(tmp_path / name, "A")
    (tmp_path / "c.cfg").write_bytes(b"[A]\nx = \xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_settings(tmp_path / "c.cfg", "A")
    (tmp_path / "big.ini").write_bytes(b" " * (1 << 21))
    with pytest.raises(UnsafeFileError):
        read_settings(tmp_path / "big.ini", "A")
    with pytest.raises(MissingFileError, match="there is no settings file") as caught:
        read_settings(tmp_path / "none.ini", "A")
    assert (caught.value.given, caught.value.label) == (tmp_path / "none.ini", "settings")


NO_ENDING = "\n  hint:     the ending tells the format: .ini, .cfg, .toml, .json, .yaml, .yml"
SAID = {
    "another_ending": ("c.txt", "[A]", "not INI, TOML, JSON or YAML: it ends in '.txt'", NO_ENDING),
    "no_ending": ("config", "[A]", "not INI, TOML, JSON or YAML: its name has no ending", NO_ENDING),
    "another_kind_and_ending": (
        "c.txt",
        "<html>",
        "not INI, TOML, JSON or YAML: HTML page",
        "\n  hint:     download the file again; what was saved is not the file",
    ),
    "another_kind": ("c.ini", "\x89HDF\r\n\x1a\n", "not INI, TOML, JSON or YAML: HDF5 file", ""),
    "no_text": ("c.ini", "[A]\nx=\xff", "not UTF-8 text: byte 0xff at offset 6", "\n  hint:     save it as UTF-8"),
    "ini": ("c.ini", "x", "not INI: File contains no section headers. file: 'c.ini', line: 1 'x'", ""),
    "long": ("c.ini", "x" * 300, f"not INI: File contains no section headers. file: 'c.ini', line: 1 '{'x' * 142}", ""),
    "json": ("c.json", "[1]", "a JSON list, not an object", ""),
    "no_section": ("c.ini", "# x", "no section 'A'", "\n  sections: none"),
    "sections": (
        "c.ini",
        "".join(f"[s{n}]\n" for n in range(9)),
        "no section 'A'",
        "\n  sections: s0, s1, s2, s3, s4, s5, s6, s7",
    ),
    "value": ("c.toml", "A = 1", "'A' is no section of the settings file but a value of type int", ""),
}


@pytest.mark.parametrize(("name", "text", "what", "rest"), SAID.values(), ids=SAID)
def test_what_is_said_of_a_file_that_cannot_be_read(name, text, what, rest, tmp_path, monkeypatch):
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ConfigError, WrongFileKindError)) as caught:
        read_settings(name, "A")

    first, _, others = str(caught.value).partition("\n")
    assert first.endswith(what)
    assert others == f"  settings: {tmp_path}/{name}\n  given:    {name!r}{rest}"


@pytest.mark.parametrize("text", ["A = 'x'", "[A]\nx = 1", "[A.B]\nx = 1"])
def test_a_name_leads_no_further_than_tables_do(text, tmp_path):
    with pytest.raises(ConfigError, match=r"no section 'A\.x\.y'|no section"):
        read_settings(written(tmp_path, text, "c.toml"), "A.x.x")


def test_a_section_is_named_by_text(tmp_path):
    with pytest.raises(ArgumentError, match="section must be"):
        read_settings(tmp_path / "c.ini", None)


def test_yaml_without_pyyaml_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingDependencyError, match="needs PyYAML") as caught:
        read_settings(written(tmp_path, "A: {}", "c.yaml"), "A")
    assert (caught.value.package, caught.value.wanted) == ("PyYAML", ">=6")


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
