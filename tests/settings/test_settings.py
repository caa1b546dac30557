"""`read_settings`: the same arguments from every format."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import safeload
from safeload import read_settings
from safeload.errors import ArgumentError
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
