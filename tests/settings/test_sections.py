"""One section of a settings file: its keys and their lines in every format, and what is said of a file that has none."""

from __future__ import annotations

import sys

import pytest

from safeload import read_settings
from safeload.errors import (
    ConfigError,
    MissingDependencyError,
    MissingFileError,
    UnsafeFileError,
    WrongFileKindError,
)
from safeload.settings._sections import read_section
from tests.opened import ref
from tests.settings.settings_file import ELMO, problems_of, written


@pytest.mark.parametrize(
    ("name", "text", "values", "lines"),
    [
        ("c.ini", "[A]\na = 1\nB : x\n", {"a": "1", "b": "x"}, {"a": 2, "b": 3}),
        ("c.cfg", "# a\n\n[A]\na =\n", {"a": ""}, {"a": 4}),
        ("c.toml", "[A]\na = 1\n'b' = [\n1]\n", {"a": 1, "b": [1]}, {"a": 2, "b": 3}),
        ("c.json", '{"A": {"a": 1,\n"b": null}}', {"a": 1, "b": None}, {"a": 1, "b": 2}),
        ("c.yaml", "A:\n  a: 1\n  b: ~\n", {"a": 1, "b": None}, {"a": 2, "b": 3}),
        ("c.YML", "\ufeffA: {a: yes}\n", {"a": True}, {"a": 1}),
    ],
)
def test_a_section_has_values_and_lines(name, text, values, lines, tmp_path):
    (tmp_path / name).write_text(text, encoding="utf-8")
    section = read_section(ref(tmp_path / name, "settings"), "A")

    assert (section.path, section.name) == (str(tmp_path / name), "A")
    assert (section.values, section.lines) == (values, lines)
    assert section.is_text == name.endswith(("ini", "cfg"))


def test_keys_of_all_sections_are_shared_unless_a_section_has_its_own(tmp_path):
    (tmp_path / "c.ini").write_text("[DEFAULT]\na = 1\nb = 2\n[A]\nb = 3\n")
    section = read_section(ref(tmp_path / "c.ini", "settings"), "A")

    assert section.values == {"a": "1", "b": "3"}
    assert section.lines == {"a": 2, "b": 5}
    assert section.shared == {"a"}


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
    "json": ("c.json", "[1]", "a JSON array, not an object", ""),
    "no_section": ("c.ini", "# x", "no section 'A'", "\n  sections: none"),
    "sections": (
        "c.ini",
        "".join(f"[s{n}]\n" for n in range(9)),
        "no section 'A'",
        "\n  sections: s0, s1, s2, s3, s4, s5, s6, s7",
    ),
    "value": ("c.toml", "A = 1", "'A' is not a section of the settings file but a value of type number", ""),
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
    with pytest.raises(ConfigError, match=r"no section 'A\.x\.x'"):
        read_settings(written(tmp_path, text, "c.toml"), "A.x.x")


def test_yaml_without_pyyaml_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingDependencyError, match="needs PyYAML") as caught:
        read_settings(written(tmp_path, "A: {}", "c.yaml"), "A")
    assert (caught.value.package, caught.value.wanted) == ("PyYAML", ">=6")
