"""`safeload outputs`: save what a model computes, and compare another load with it."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from safeload import testing
from safeload.bert._runtimes import RUNTIMES
from safeload.cli import _outputting
from safeload.elmo._arguments import BACKENDS
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


@pytest.fixture
def elmo(tmp_path):
    return testing.write_elmo(tmp_path / "elmo")


@pytest.fixture
def elmo_saved(elmo, tmp_path):
    pytest.importorskip("torch")
    file = tmp_path / "elmo.json"
    done = safeload_cli("outputs", elmo, "--save", file, "--backend", "torch")
    assert done.stdout.startswith(f"saved  {elmo}  ELMo: the outputs of 6 layers")
    return file


@pytest.mark.parametrize("options", [[], ["--backend", "torch"], ["--backend", "keras"]])
def test_an_elmo_is_found_out(options, elmo, elmo_saved):
    found = json.loads(safeload_cli("outputs", elmo, "--compare", elmo_saved, "--json", *options).stdout)

    require_published(found)
    assert (found["report"]["model"], found["report"]["notes"]) == ("ELMo", [])
    assert max(each["max_abs"] for each in found["report"]["layers"]) < 1e-5
    assert [each["layer"] for each in found["report"]["layers"]][-1] == "sum 0"


def test_an_elmo_of_other_settings_is_1_with_the_cause(elmo, elmo_saved):
    options = json.loads((elmo / "options.json").read_text())
    options["char_cnn"]["activation"] = "tanh"
    (elmo / "options.json").write_text(json.dumps(options))
    told = safeload_cli("outputs", elmo, "--compare", elmo_saved, "--backend", "torch", code=1).stderr

    assert "the ELMo computes something else than expected, from characters on: 6 of 6 layers" in told
    assert "\n  cause:    char_cnn.activation is tanh; expected relu\n" in told


def test_the_sum_that_the_files_store_is_saved(tmp_path):
    pytest.importorskip("torch")
    module, file = testing.write_elmo(tmp_path / "module", form="tensorflow/tf-hub"), tmp_path / "module.json"
    safeload_cli("outputs", module, "--save", file, "--backend", "torch")

    assert json.loads(file.read_text())["settings"]["sum 0"].endswith("times 1.5")
    safeload_cli("outputs", module, "--compare", file, "--backend", "keras")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--training"], "--training is of a BERT, and the model is an ELMo"),
        (["--vocab", "vocab.txt"], "--vocab is of a BERT, and the model is an ELMo"),
        (["--backend", "transformers"], "backend must be one of auto, allennlp, torch, keras"),
    ],
)
def test_what_is_of_a_bert_is_2(options, said, elmo):
    assert said in safeload_cli("outputs", elmo, "--save", "x.json", *options, code=2).stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--weights", "weights.hdf5"], "--weights is of an ELMo, and the model is a BERT"),
        (["--backend", "allennlp"], "backend must be one of 'keras-bert', 'transformers', 'keras-hub'"),
    ],
)
def test_what_is_of_an_elmo_is_2(options, said, model):
    assert said in safeload_cli("outputs", model, "--save", "x.json", *options, code=2).stderr


def test_the_outputs_of_the_other_model_are_1(elmo, saved):
    assert "WrongFileKindError" in safeload_cli("outputs", elmo, "--compare", saved, code=1).stderr


def test_a_folder_without_a_model_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    told = safeload_cli("outputs", tmp_path / "empty", "--save", tmp_path / "x.json", code=1).stderr
    assert "the folder contains no BERT or ELMo" in told


def test_every_backend_can_be_asked_for():
    told = safeload_cli("outputs", "--help").stdout.replace("\n", "")
    for backend in (*RUNTIMES, *BACKENDS):
        assert backend in told


def test_a_model_at_an_address_is_a_bert(model):
    fsspec = pytest.importorskip("fsspec")
    for path in model.iterdir():
        fsspec.filesystem("memory").pipe(f"/outputs/{path.name}", path.read_bytes())
    options = dict.fromkeys(
        ("checkpoint", "vocab", "training", "activation", "weights", "scope", "backend", "overwrite"), None
    )
    options["training"] = False
    file = model.parent / "remote.json"
    assert _outputting._run("memory://outputs", _outputting.Wanted(str(file), is_saved=True), options).model == "BERT"
    report = _outputting._run(str(model), _outputting.Wanted(str(file), is_saved=False), options)
    assert max(each.max_abs for each in report.layers) == 0
