"""`safeload doctor bert FOLDER --against LIBRARY`, with safeload's own loads on both sides."""

from __future__ import annotations

import importlib
import importlib.util
import json

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._frameworks.packages import version_of
from tests.bert.bert_models import write_hugging_face
from tests.command_line import safeload_cli
from tests.docs.test_json import require_published

PACKAGES = {"transformers": "transformers", "keras-hub": "keras_hub"}
TITLES = {"transformers": "transformers", "keras-hub": "KerasHub"}
ENCODER = ["embeddings", "layer 0", "layer 1"]


def needs(against):
    """Skip where a library of the two, or safeload's builder of it, is not there."""
    pytest.importorskip("keras_bert")
    pytest.importorskip(PACKAGES[against], minversion="4.57" if against == "transformers" else None)
    pytest.importorskip(f"safeload.bert.builders.{PACKAGES[against]}")


def in_json(*arguments, code=0):
    found = json.loads(safeload_cli("doctor", "bert", *arguments, "--json", code=code).stdout)
    require_published(found)
    return found


@pytest.mark.parametrize("against", PACKAGES)
def test_the_same_model_does_not_differ(against, tiny_bert):
    needs(against)
    found = in_json(tiny_bert, "--against", against, "--training")
    heads = {"transformers": ["pooler", "mlm", "nsp"], "keras-hub": ["pooler"]}[against]

    assert found["verdict"].startswith(f"nothing differs: keras-bert and {TITLES[against]} compute the same in ")
    assert (found["at_fault"], found["bound"], found["differences"]) == ("nothing", 1e-4, [])
    far = {each["layer"]: each["max_abs"] for each in found["layers"] if not each["only_in"]}
    assert list(far) == [*ENCODER, *heads]
    assert max(far.values()) < 1e-5


@pytest.mark.parametrize("form", ["tensorflow", "tensorflow/tf-models", "torch", "hdf5/keras-bert"])
@pytest.mark.parametrize("against", PACKAGES)
def test_other_forms_and_models_without_heads_do_not_differ(against, form, tmp_path):
    needs(against)
    folder = testing.write_bert(tmp_path / "model", form=form)
    activation = {"activation": "gelu_tanh"} if (form, against) == ("torch", "keras-hub") else {}
    found = safeload.diagnose_bert(folder, against=against, **activation)

    assert found.at_fault == "nothing", str(found)
    assert [each.layer for each in found.layers if not each.only_in] == ENCODER


@pytest.mark.parametrize("against", PACKAGES)
def test_another_gelu_is_found_from_the_first_layer_on(against, tmp_path):
    needs(against)
    write_hugging_face(tmp_path)
    found = in_json(tmp_path, "--against", against, "--activation", "gelu_tanh", code=1)

    assert found["at_fault"] == "unknown"
    assert found["differences"][0]["variable"] == "layer 0"
    assert any(note.startswith("the activation is not the same: keras-bert computes ") for note in found["notes"])


def test_a_gelu_that_keras_hub_lacks_is_said(tmp_path):
    needs("keras-hub")
    write_hugging_face(tmp_path)
    found = safeload.diagnose_bert(tmp_path, against="keras-hub")

    assert found.at_fault == "keras-hub"
    assert found.verdict.startswith("the files are good, but KerasHub does not load the model: ")
    assert 'activation="gelu_tanh"' in str(found)
    told = safeload_cli("doctor", "bert", tmp_path, "--against", "keras-hub", "--activation", "gelu_erf", code=2).stderr
    assert "must be gelu_tanh for --backend keras-hub, not 'gelu_erf'" in told


def test_an_epsilon_that_keras_bert_lacks_is_found(tmp_path):
    needs("transformers")
    folder = testing.write_bert(tmp_path / "model", form="safetensors")
    testing.edit_config(folder, layer_norm_eps=1e-5)
    shown = safeload_cli("doctor", "bert", folder, "--against", "transformers", code=1).stdout

    assert "the first layer that differs by more than 0.0001 is embeddings, by up to " in shown.splitlines()[0]
    assert "\n  warning layer_norm_eps is 1e-05" in shown


def test_a_model_that_another_build_changes_is_found(tiny_bert, monkeypatch):
    needs("transformers")
    builder = importlib.import_module("safeload.bert.builders.transformers")
    make = builder.make

    def changed(*arguments):
        made = make(*arguments)
        weight = made.model.encoder.layer[1].attention.self.value.weight
        weight.data = weight.data.T.contiguous()
        return made

    monkeypatch.setattr(builder, "make", changed)
    found = safeload.diagnose_bert(tiny_bert, against="transformers")

    assert [each.variable for each in found.differences] == ["layer 1"], str(found)
    assert np.isfinite(found.differences[0].max_abs)


@pytest.mark.parametrize("against", PACKAGES)
def test_a_library_that_is_missing_is_named_with_its_command(against, tiny_bert):
    pytest.importorskip(f"safeload.bert.builders.{PACKAGES[against]}")
    package = PACKAGES[against]
    is_old = package == "transformers" and (version_of(package) or "").startswith("4.20")
    if importlib.util.find_spec("keras_bert") and importlib.util.find_spec(package) and not is_old:
        pytest.skip("both are installed")
    found = in_json(tiny_bert, "--against", against, code=1)

    assert found["at_fault"] == "versions"
    failed = [step for step in found["steps"] if step["status"] == "failed"]
    assert failed
    assert all("pip install " in step["error"] for step in failed)


def test_a_library_that_crashes_is_told_in_one_line(tiny_bert, tmp_path):
    pytest.importorskip("keras_bert")
    (tmp_path / "tensorflow.py").write_text("import os; os.abort()")
    environment = {"PYTHONPATH": str(tmp_path)}
    arguments = ["doctor", "bert", tiny_bert, "--against", "transformers"]
    (line,) = safeload_cli(*arguments, code=1, env=environment).stdout.splitlines()
    found = json.loads(safeload_cli(*arguments, "--json", code=1, env=environment).stdout)

    told = "the versions are at fault: diagnose_bert against transformers of a tiny model: the process ended with the signal"
    assert line.startswith(told)
    assert {step["name"]: step["status"] for step in found["steps"]} == {
        "check": "skipped",
        "backend": "failed",
        "keras-bert": "skipped",
        "transformers": "skipped",
    }


@pytest.mark.parametrize("options", [["--against", "torch"], ["--against"], ["--against", "keras-bert"]])
def test_wrong_usage_is_2(options, tiny_bert):
    assert "--against" in safeload_cli("doctor", "bert", tiny_bert, *options, code=2).stderr
