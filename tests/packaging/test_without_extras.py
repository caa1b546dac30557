"""An installation without extras: what works, and what the rest says. `nox -s bare` runs it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys

import pytest

import safeload
from safeload import testing
from safeload._frameworks.packages import install
from safeload.compat import allennlp, keras_bert
from safeload.errors import MissingDependencyError

EXTRAS = ("tensorflow", "tf_keras", "keras_bert", "torch", "allennlp", "yaml")

pytestmark = pytest.mark.skipif(
    any(map(importlib.util.find_spec, EXTRAS)), reason="extras are installed; `nox -s bare` runs it without"
)

BERT, ELMO, YAML = map(install, ("bert", "elmo", "yaml"))


def safeload_script(*arguments, code=0):
    """Run the script that the installation made."""
    command = [os.path.join(os.path.dirname(sys.executable), "safeload"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_the_installation_is_no_checkout():
    assert "site-packages" in safeload.__file__


def test_the_checks_work(tiny_bert, tiny_elmo):
    assert len(safeload.check_bert(tiny_bert).read) == 37
    assert len(safeload.check_elmo(tiny_elmo).read) == 29
    assert len(safeload.load_vocabulary(tiny_bert / "vocab.txt")) == 30


def test_every_fault_of_the_testing_kit_is_told(bert_faults):
    with pytest.raises(bert_faults.error):
        safeload.check_bert(bert_faults.folder)


def test_every_fault_of_an_elmo_is_told(elmo_faults):
    with pytest.raises(elmo_faults.error):
        safeload.check_elmo(elmo_faults.folder)


@pytest.mark.parametrize(
    ("call", "package", "remedy"),
    [
        (lambda bert, _: safeload.load_bert(bert), "tensorflow", BERT),
        (lambda bert, _: keras_bert.build_model_from_config(bert), "tensorflow", BERT),
        (lambda bert, _: keras_bert.load_trained_model_from_checkpoint(bert, bert), "tensorflow", BERT),
        (lambda _, elmo: safeload.load_elmo(elmo), "torch", ELMO),
        (lambda _, elmo: safeload.load_elmo(elmo, backend="torch"), "torch", ELMO),
        (lambda _, elmo: safeload.load_elmo(elmo, backend="keras"), "tensorflow", BERT),
        (lambda _, __: importlib.import_module("safeload.keras"), "tensorflow", BERT),
        (lambda _, elmo: allennlp.Elmo(elmo, elmo, 1), "torch", ELMO),
        (lambda _, __: safeload.character_ids([["A", "film"]]), "torch", ELMO),
    ],
)
def test_a_call_that_needs_an_extra_says_which(call, package, remedy, tiny_bert, tiny_elmo):
    with pytest.raises(MissingDependencyError) as caught:
        call(tiny_bert, tiny_elmo)
    assert (caught.value.package, caught.value.found) == (package, "none")
    assert remedy in caught.value.hints


def test_a_yaml_file_needs_an_extra(tmp_path):
    (tmp_path / "config.yaml").write_text("BERT:\n  config_file: model\n")
    with pytest.raises(MissingDependencyError) as caught:
        safeload.read_settings(tmp_path / "config.yaml", "BERT")
    assert YAML in caught.value.hints


def test_the_command_line_works(tiny_bert, tmp_path):
    model = testing.write_bert_checkpoint(tmp_path / "model")
    assert safeload_script("--version").strip() == f"safeload, version {safeload.__version__}"
    assert safeload_script("check", "bert", tiny_bert).startswith("ok ")
    assert safeload_script("inspect", tiny_bert).startswith("a TensorFlow checkpoint ")
    safeload_script("lock", model)
    assert safeload_script("check", "bert", model).startswith("ok ")


def test_the_doctor_says_what_to_install():
    found = json.loads(safeload_script("doctor", "--json", code=1))
    remedies = {call["call"]: call["remedy"] for call in found["calls"]}

    assert remedies["check_elmo"] == ""
    assert remedies["load_bert"] == BERT
    assert remedies["load_elmo torch"] == ELMO


def test_the_demo_says_what_to_install():
    assert BERT in safeload_script("demo")
