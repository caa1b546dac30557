"""The pytest plugin, in projects of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from safeload.testing import BERT_FAULTS, ELMO_FAULTS, bert_faults

EXAMPLE = Path(__file__).parents[1] / "examples/unit_testing"


def run_pytest(folder, *arguments):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        "/dev/null",
        *arguments,
        str(folder),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_the_example_project_passes():
    pytest.importorskip("keras_bert")
    done = run_pytest(EXAMPLE)
    assert f"{len(BERT_FAULTS) + 1} passed" in done.stdout, done.stdout + done.stderr


def test_the_fixtures_are_there_without_being_imported(tmp_path):
    (tmp_path / "test_x.py").write_text(
        "import pytest, safeload\n"
        "def test_models(tiny_bert, tiny_elmo):\n"
        "    safeload.check_bert(tiny_bert), safeload.check_elmo(tiny_elmo)\n"
        "def test_faults(elmo_faults):\n"
        "    with pytest.raises(elmo_faults.error):\n"
        "        safeload.check_elmo(elmo_faults.folder)\n"
    )
    done = run_pytest(tmp_path)
    assert f"{len(ELMO_FAULTS) + 1} passed" in done.stdout, done.stdout
    assert "elmo_faults" in run_pytest(tmp_path, "--fixtures").stdout


def test_a_test_chooses_the_form(tmp_path):
    (tmp_path / "test_x.py").write_text(
        "import pytest, safeload\n"
        "in_both = pytest.mark.parametrize('bert_form', ['tensorflow', 'safetensors'], indirect=True)\n"
        "@in_both\n"
        "def test_model(tiny_bert, bert_form):\n"
        "    assert safeload.check_bert(tiny_bert).form == bert_form\n"
        "@in_both\n"
        "def test_faults(bert_faults):\n"
        "    with pytest.raises(bert_faults.error):\n"
        "        safeload.check_bert(bert_faults.folder, training=True)\n"
    )
    done = run_pytest(tmp_path)
    n_faults = [len(bert_faults(form)) for form in ("tensorflow", "safetensors")]
    assert f"{2 + sum(n_faults)} passed, {n_faults[0] - n_faults[1]} skipped" in done.stdout, done.stdout


def test_the_plugin_costs_nothing_until_it_is_used(tmp_path):
    (tmp_path / "test_x.py").write_text(
        "import sys\n"
        "def test_nothing():\n"
        "    heavy = {'numpy', 'h5py', 'tensorflow', 'torch', 'safeload.testing', 'safeload.bert._model'}\n"
        "    assert 'safeload.pytest_plugin' in sys.modules\n"
        "    assert not heavy & set(sys.modules)\n"
    )
    done = run_pytest(tmp_path, "-p", "no:hypothesispytest", "-p", "no:xdist")
    assert "1 passed" in done.stdout, done.stdout


def test_the_session_models_are_read_only(tiny_bert, tiny_elmo):
    for folder in (tiny_bert, tiny_elmo):
        assert all(path.stat().st_mode & 0o222 == 0 for path in folder.iterdir())


def test_a_session_whose_model_was_changed_fails_at_its_end(tmp_path):
    """Root may write to files that are read-only, and so may a test that changes their mode."""
    (tmp_path / "test_x.py").write_text(
        "def test_spoils(tiny_bert):\n"
        "    path = tiny_bert / 'vocab.txt'\n"
        "    path.chmod(0o644)\n"
        "    path.write_text('spoilt')\n"
    )
    done = run_pytest(tmp_path)
    assert "1 passed, 1 error" in done.stdout, done.stdout
    assert "a test changed tiny_bert, which the tests of a session share" in done.stdout
