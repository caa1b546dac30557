"""`safeload outputs`: save what a model computes, and compare another load with it."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from safeload import testing
from tests.bert.torch_berts import write_loud
from tests.command_line import safeload_cli
from tests.docs.test_json import require_published

pytest.importorskip("keras_bert")


@pytest.fixture
def model(tmp_path):
    return write_loud(tmp_path / "model")


@pytest.fixture
def saved(model, tmp_path):
    file = tmp_path / "outputs.json"
    assert safeload_cli("outputs", model, "--save", file).stdout.startswith(
        f"saved  {model}  BERT: the outputs of 3 layers"
    )
    return file


def test_the_same_model_is_as_expected(model, saved):
    found = json.loads(safeload_cli("outputs", model, "--compare", saved, "--json").stdout)

    require_published(found)
    assert [each["layer"] for each in found["report"]["layers"]] == ["embeddings", "layer 0", "layer 1"]
    assert max(each["max_abs"] for each in found["report"]["layers"]) < 1e-5
    shown = safeload_cli("outputs", model, "--compare", saved).stdout.splitlines()
    assert shown[0].startswith(
        f"as expected  {model}  BERT: 3 layers as expected, within 5e-05; the largest difference is "
    )
    assert shown[1] == "  layer       largest difference"


@pytest.mark.skipif(find_spec("keras_hub") is None, reason="transformers 5 does not install beside AllenNLP")
def test_another_library_is_compared(model, saved):
    found = json.loads(safeload_cli("outputs", model, "--compare", saved, "--backend", "transformers", "--json").stdout)

    assert (found["report"]["runtime"], found["report"]["notes"]) == ("transformers", [])


def test_another_gelu_is_1_with_the_layer_and_the_cause(model, saved):
    arguments = ["outputs", model, "--compare", saved, "--activation", "gelu_erf"]
    told = safeload_cli(*arguments, code=1).stderr

    said = "OutputMismatchError: the BERT computes something else than expected, from layer 0 on: 2 of 3 layers "
    assert said in told
    assert "\n  cause:    activation is gelu_erf; expected gelu_tanh\n" in told
    error = json.loads(safeload_cli(*arguments, "--json", code=1).stdout)
    require_published(error)
    assert error["error"]["type"] == "OutputMismatchError"


def test_a_bad_model_is_1(model, saved):
    testing.edit_config(model, num_hidden_layers=3)
    assert "VariableMismatchError" in safeload_cli("outputs", model, "--compare", saved, code=1).stderr


@pytest.mark.parametrize(
    "options", [[], ["--save", "a", "--compare", "b"], ["--compare", "none.json"], ["--save", "{saved}"]]
)
def test_wrong_usage_and_paths_are_2(options, model, saved):
    safeload_cli("outputs", model, *(each.format(saved=saved) for each in options), code=2)


def test_overwrite_is_of_save(model, saved):
    safeload_cli("outputs", model, "--save", saved, "--overwrite")
    assert (
        "--overwrite is of --save" in safeload_cli("outputs", model, "--compare", saved, "--overwrite", code=2).stderr
    )
