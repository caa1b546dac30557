"""What `read_settings` says of settings that are wrong: every bad key at once, with its line."""

from __future__ import annotations

import sys

import pytest

from safeload import read_settings
from safeload.errors import (
    ArgumentError,
    ConfigError,
    MissingDependencyError,
    MissingFileError,
    UnsafeFileError,
    WrongFileKindError,
)
from tests.settings.settings_file import ELMO, written

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


@pytest.mark.parametrize("ending", ["ini", "toml", "yaml"])
def test_a_missing_section_is_told_with_those_that_are_there(ending, tmp_path):
    with pytest.raises(ConfigError, match="no section 'ELM0'") as caught:
        read_settings(written(tmp_path, ELMO[ending], f"c.{ending}"), "ELM0")
    assert caught.value.hints == ("did you mean 'ELMO'?",)
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
        ("c.yaml", "A:\n  x: 1\n  x: 2", "'x' appears more than once, at line 3"),
        ("c.yaml", "B: 1\nA:\n  x:\n  - 1\n  - {y: 1, y: 2}", "'y' appears more than once, at line 5"),
        ("c.yaml", "A:\n  x: {y: 1, y: 2}\nB: 1", "'y' appears more than once, at line 2"),
        ("c.yaml", "A: &a\n- 1\n- *a", "is not a section"),
        ("c.yaml", "A: [", "not YAML"),
        ("c.yaml", "A: !!python/object/apply:os.system [ls]", "not YAML"),
        ("c.yaml", "[" * 5_000, "not YAML"),
        ("c.yaml", "# nothing", "no section"),
        ("c.yaml", "- 1", "no section"),
        ("c.toml", "A = 1", "is not a section"),
        ("c.yaml", "A: x", "is not a section"),
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


NO_ENDING = "\n  hint:     the extension selects the format: .ini, .cfg, .toml, .json, .yaml, .yml"
SAID = {
    "another_ending": ("c.txt", "[A]", "not INI, TOML, JSON or YAML: it ends in '.txt'", NO_ENDING),
    "no_ending": ("config", "[A]", "not INI, TOML, JSON or YAML: its name has no extension", NO_ENDING),
    "another_kind_and_ending": (
        "c.txt",
        "<html>",
        "not INI, TOML, JSON or YAML: HTML page",
        "\n  hint:     download the file again; something else was saved in its place",
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
    "value": ("c.toml", "A = 1", "'A' is not a section of the settings file but a value of type int", ""),
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
