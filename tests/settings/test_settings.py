"""`read_settings`: the same arguments from every format."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import safeload
from safeload import read_settings
from safeload.errors import ArgumentError, ConfigError
from tests.settings.settings_file import ELMO, written


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


def test_a_section_is_named_by_text(tmp_path):
    with pytest.raises(ArgumentError, match="section must be"):
        read_settings(tmp_path / "c.ini", None)


def test_paths_start_at_the_settings_files_folder(tmp_path, monkeypatch):
    written(tmp_path, "[B]\nconfig_file = bert")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert read_settings("../config.ini", "B")["config_file"] == str(tmp_path / "bert")


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


@pytest.mark.parametrize("name", ["$HOME", "$LOST", "~", "x/$HOME"])
def test_a_folder_beside_the_settings_is_taken_as_it_is_named(name, tiny_elmo, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LOST", raising=False)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).symlink_to(tiny_elmo)
    (tmp_path / "s.ini").write_text(f"[ELMO]\noptions_file = {name}/options.json\nlock_file = none\n")

    settings = read_settings(tmp_path / "s.ini", "ELMO")
    assert settings["options_file"] == str(tmp_path / name / "options.json")
    assert safeload.check_elmo(**settings).files[0].path == settings["options_file"]


@pytest.mark.parametrize(
    ("ending", "text"), [("json", '{"A": {"options_file": %s}}'), ("toml", "[A]\noptions_file = %s")]
)
def test_a_value_is_shown_as_the_file_has_it(ending, text, tmp_path):
    for value in ("true", "false", *(["null"] if ending == "json" else [])):
        (tmp_path / f"s.{ending}").write_text(text % value)
        with pytest.raises(ConfigError, match=f"options_file: expected a path, found {value}"):
            read_settings(tmp_path / f"s.{ending}", "A")
