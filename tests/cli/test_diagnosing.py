"""`safeload doctor bert` and `elmo`, also where a library crashes or stops the process that loads a tiny model."""

from __future__ import annotations

import importlib.util
import json

import h5py
import pytest

import safeload
from safeload import testing
from safeload.cli import _diagnosing, _doctoring
from tests.command_line import safeload_cli
from tests.elmos import WEIGHTS_NAME

VERDICT = "the versions are at fault: load_bert of a tiny model: the process ended with the signal SIGABRT"


@pytest.fixture
def diagnosed(tiny_bert, tmp_path):
    """Return a function that runs `safeload doctor bert` beside a TensorFlow that aborts, and returns what it prints."""
    pytest.importorskip("keras_bert")
    (tmp_path / "tensorflow.py").write_text("import os; os.abort()")
    environment = {"PYTHONPATH": str(tmp_path)}
    return lambda *options: safeload_cli("doctor", "bert", tiny_bert, *options, code=1, env=environment).stdout


def test_a_crash_is_told_in_one_line(diagnosed):
    (line,) = diagnosed().splitlines()

    assert line.startswith(VERDICT)


def test_a_crash_is_a_diagnosis_in_json(diagnosed):
    found = json.loads(diagnosed("--json"))

    assert (found["schema"], found["at_fault"]) == ("safeload-diagnosis/1", "versions")
    assert found["verdict"].startswith(VERDICT)
    assert {step["name"]: step["status"] for step in found["steps"]} == {
        "check": "skipped",
        "backend": "failed",
        "keras-bert": "skipped",
        "direct": "skipped",
        "safeload": "skipped",
    }
    assert (found["differences"], found["report"]) == ([], None)


def test_a_load_that_never_ends_is_a_diagnosis_too(tiny_bert, tmp_path, monkeypatch, capsys):
    pytest.importorskip("keras_bert")
    (tmp_path / "tensorflow.py").write_text("import time; time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(_doctoring, "TIMEOUT_SECONDS", 2)

    assert _diagnosing.run("bert", str(tiny_bert), {}, as_json=True) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "the versions are at fault: load_bert of a tiny model: it did not finish within 2 s"
    assert found["steps"][0]["finding"] == "not run, because load_bert of a tiny model did not return"


def test_the_problems_of_a_step_are_printed_once_as_check_prints_them(bert):
    pytest.importorskip("keras_bert")
    testing.edit_config(bert, num_hidden_layers=3)
    checked = safeload_cli("check", "bert", bert, code=1).stdout.splitlines()
    shown = safeload_cli("doctor", "bert", bert, code=1).stdout
    steps = {step["name"]: step for step in safeload.diagnose_bert(bert).to_dict()["steps"]}

    assert shown.startswith("the files are at fault: ")
    assert [line.strip() for line in shown.splitlines()[2:] if line.startswith(" " * 9)] == [
        line.strip() for line in checked[2:]
    ]
    assert shown.count("MISSING ") == 10
    assert "... and 6 more with --json" in shown
    assert "error." not in shown
    assert "step." not in shown
    assert [problem.split()[0] for problem in steps["check"]["problems"]] == ["MISSING"] * 16
    assert steps["backend"]["problems"] == []


def test_only_what_safeload_says_to_pass_is_said_in_options(bert, tmp_path):
    pytest.importorskip("keras_bert")
    folder = bert.rename(tmp_path / "with training=True")
    testing.edit_config(folder, num_hidden_layers=3)
    shown = safeload_cli("doctor", "bert", folder, code=1).stdout

    assert str(folder / "bert_config.json") in shown
    assert "--training" not in shown


def test_an_elmo_is_diagnosed(elmo):
    pytest.importorskip("torch")
    shown = safeload_cli("doctor", "elmo", elmo, code=0).stdout
    steps = json.loads(safeload_cli("doctor", "elmo", elmo, "--json", code=0).stdout)["steps"]
    has_keras = bool(importlib.util.find_spec("tensorflow"))

    assert shown.startswith("nothing is at fault: ")
    assert f"  {'ok     ' if has_keras else 'skipped'} safeload's load in Keras: " in shown
    assert {step["name"]: step["title"] for step in steps}["safeload-torch"] == "safeload's load in torch"
    assert all(f"  {step['status']:<8}{step['title']}: {step['finding']} (" in shown for step in steps)


def test_the_weights_and_the_scope_reach_the_diagnosis_of_an_elmo(elmo, tmp_path):
    pytest.importorskip("torch")
    weights = (elmo / WEIGHTS_NAME).rename(tmp_path / "w.hdf5")
    assert safeload_cli("doctor", "elmo", elmo, code=1).stdout.startswith("the files are at fault: there is no ")
    assert safeload_cli("doctor", "elmo", elmo, "--weights", weights, code=0).stdout.startswith("nothing is at fault")

    told = safeload_cli("doctor", "elmo", elmo, "--weights", weights, "--scope", "lm", code=2).stderr
    assert "ArgumentError: scope is 'lm', but" in told
    assert "--weights" in safeload_cli("doctor", "elmo", "--help", code=0).stdout


def test_a_bad_elmo_is_an_exit_code_of_one(elmo):
    pytest.importorskip("torch")
    with h5py.File(elmo / WEIGHTS_NAME, "a") as file:
        del file["char_embed"]
    shown = safeload_cli("doctor", "elmo", elmo, code=1).stdout

    assert shown.startswith("the files are at fault: ")
    assert shown.count("MISSING    char_embed") == 1


def test_a_torch_that_crashes_is_told_in_one_line(tiny_elmo, tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "torch.py").write_text("import os; os.abort()")
    (line,) = safeload_cli("doctor", "elmo", tiny_elmo, code=1, env={"PYTHONPATH": str(tmp_path)}).stdout.splitlines()

    assert line == (
        "the versions are at fault: diagnose_elmo of a tiny model: the process ended with the signal SIGABRT"
    )


@pytest.mark.skipif(importlib.util.find_spec("allennlp") is not None, reason="AllenNLP imports TensorFlow")
def test_a_keras_that_crashes_is_left_out(tiny_elmo, tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "tensorflow.py").write_text("import os; os.abort()")
    shown = safeload_cli("doctor", "elmo", tiny_elmo, code=0, env={"PYTHONPATH": str(tmp_path)}).stdout

    assert shown.startswith("nothing is at fault: ")
    assert "skipped safeload's load in Keras: this process has not imported safeload.keras" in shown
