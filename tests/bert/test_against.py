"""keras-bert against another runtime: the first layer that computes something else is found."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._frameworks.packages import missing_dependency
from safeload._model_kind import Request
from safeload._reports import remember
from safeload.bert import load
from safeload.bert._against import BOUND, compare, other_runtime
from safeload.bert._arguments import build_options
from safeload.bert._runtimes import KERAS_BERT, KERAS_HUB, TRANSFORMERS
from safeload.errors import ArgumentError
from tests.bert.bert_models import write_hugging_face, write_keras_hub

pytest.importorskip("keras_bert")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers", minversion="4.57")

ENCODER = ["embeddings", "layer 0", "layer 1", "layer 2"]


def compared(folder, *, theirs=None, change=None, activation=None, training=False, runtime=TRANSFORMERS):
    """Compare keras-bert with a model of the other library, which is `theirs` or what transformers loads itself."""
    report = safeload.check_bert(folder)
    options = build_options(training=training, seq_len=None)

    def load_either(asked):
        model, config = load(options, Request(config=folder))
        if asked is KERAS_BERT:
            return model, config
        kind = transformers.BertForPreTraining if training else transformers.BertModel
        model = kind.from_pretrained(folder) if theirs is None else theirs
        if change is not None:
            with torch.no_grad():
                change(getattr(model, model.base_model_prefix, model))
        remember(model, safeload.check_bert(folder, activation=activation))
        return model, config

    return compare(lambda: report, load_either, runtime)


def first_of(found):
    return next((each.layer for each in found.layers if each.is_beyond(BOUND)), None)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    write_hugging_face(folder)
    return folder


@pytest.mark.parametrize("training", [True, False])
def test_two_that_compute_the_same_do_not_differ(training, model):
    found = compared(model, training=training)
    heads = ["pooler", "mlm", "nsp"] if training else ["pooler"]

    assert found.at_fault == "nothing", str(found)
    assert [each.layer for each in found.layers] == [*ENCODER, *heads]
    assert all(each.max_abs < 1e-5 for each in found.layers if not each.only_in)
    assert found.differences == found.notes == ()
    assert found.bound == BOUND == 1e-4
    n_layers = 7 if training else 4
    assert found.verdict.startswith(
        f"nothing differs: keras-bert and transformers compute the same in {n_layers} layers, within 0.0001; "
        "the largest difference is "
    )
    assert [step.title for step in found.steps] == [
        "safeload's check of the files",
        "the model in keras-bert",
        "the model in transformers",
    ]
    finding = f"{n_layers} layers computed of 3 texts of at most 20 tokens; "
    assert found.steps[1].finding.startswith(finding)
    if not training:
        assert "  pooler      not compared: only transformers computes it" in str(found).splitlines()


def with_two_heads(model):
    for layer in model.encoder.layer:
        attention = layer.attention.self
        attention.num_attention_heads, attention.attention_head_size = 2, 8


def transposed(model):
    weight = model.encoder.layer[1].attention.self.query.weight
    weight.copy_(weight.T.clone())


def exchanged(norm):
    def change(model):
        layer = norm(model)
        gamma = layer.weight.clone()
        layer.weight.copy_(layer.bias)
        layer.bias.copy_(gamma)

    return change


def with_gelu_by_tanh(model):
    for layer in model.encoder.layer:
        layer.intermediate.intermediate_act_fn = transformers.activations.ACT2FN["gelu_new"]


def query_for_key(model):
    attention = model.encoder.layer[2].attention.self
    attention.query, attention.key = attention.key, attention.query


CHANGES = {
    "other heads": (with_two_heads, "layer 0"),
    "a transposed kernel": (transposed, "layer 1"),
    "gamma for beta": (exchanged(lambda model: model.encoder.layer[1].output.LayerNorm), "layer 1"),
    "gamma for beta in the embeddings": (exchanged(lambda model: model.embeddings.LayerNorm), "embeddings"),
    "another GELU": (with_gelu_by_tanh, "layer 0"),
    "query for key": (query_for_key, "layer 2"),
    "bfloat16": (lambda model: model.to(torch.bfloat16), "embeddings"),
    "NaN in layer 2": (lambda model: model.encoder.layer[2].output.dense.bias.fill_(torch.nan), "layer 2"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_first_layer_that_differs_is_found(name, model):
    change, first = CHANGES[name]
    found = compared(model, change=change)
    beyond = [each for each in found.layers if each.is_beyond(BOUND)]

    assert found.at_fault == "unknown"
    assert beyond[0].layer == first, str(found)
    assert found.verdict.startswith(
        "keras-bert and transformers compute something else: "
        f"the first layer that differs by more than 0.0001 is {first}, "
    )
    assert [each.variable for each in found.differences] == ENCODER[ENCODER.index(first) :]
    assert {each.between for each in found.differences} == {("keras-bert", "transformers")}
    assert f"  {first:<10}  {beyond[0].text(BOUND)}" in str(found).splitlines()
    largest = max((each for each in found.layers if each.max_abs is not None), key=lambda each: each.max_abs)
    if name != "NaN in layer 2":
        assert f"by up to {largest.max_abs:.3g}" in found.verdict


def test_heads_are_compared_too(model):
    def change(encoder):
        encoder.pooler.dense.bias += 0.01

    found = compared(model, change=change, training=True)
    assert [each.layer for each in found.layers if each.is_beyond(BOUND)] == ["pooler", "nsp"]


def test_an_epsilon_that_keras_bert_lacks_is_a_difference_with_its_warning(tmp_path):
    folder = testing.write_bert(tmp_path / "model", form="safetensors")
    assert compared(folder).at_fault == "nothing"
    testing.edit_config(folder, layer_norm_eps=1e-5)
    with pytest.warns(safeload.SafeLoadWarning, match="layer_norm_eps"):
        found = compared(folder)

    assert first_of(found) == "embeddings", str(found)
    assert "\n  warning layer_norm_eps is 1e-05" in str(found)


def test_another_gelu_is_said(tmp_path):
    with_erf, with_tanh = tmp_path / "erf", tmp_path / "tanh"
    for folder, act in ((with_erf, "gelu"), (with_tanh, "gelu_new")):
        folder.mkdir()
        write_hugging_face(folder, hidden_act=act)
    theirs = transformers.BertModel.from_pretrained(with_tanh)
    found = compared(with_erf, theirs=theirs, activation="gelu_tanh")

    assert first_of(found) == "layer 0"
    note = (
        "the activation is not the same: keras-bert computes GELU by the error function (gelu_erf), "
        "transformers computes GELU by tanh (gelu_tanh)"
    )
    assert found.notes == (note,)
    assert str(found).splitlines()[-1] == f"  note    {note}"


def test_keras_hub_is_compared_too(tmp_path):
    pytest.importorskip("keras_hub")
    theirs = write_keras_hub(tmp_path)
    found = compared(tmp_path, theirs=theirs, runtime=KERAS_HUB)

    assert found.at_fault == "nothing", str(found)
    assert "keras-bert and KerasHub compute the same in 4 layers" in found.verdict
    kernel = theirs.transformer_layers[1]._feedforward_output_dense.kernel
    kernel.assign(np.asarray(kernel)[::-1])
    assert first_of(compared(tmp_path, theirs=theirs, runtime=KERAS_HUB)) == "layer 1"


def test_one_model_is_held_at_a_time(model):
    alive = []

    def load_either(_runtime):
        gc.disable()
        assert [each for each in alive if each() is not None] == []
        found = load(build_options(training=False, seq_len=None), Request(config=model))
        alive.append(weakref.ref(found[0].layers[-1]))
        return found

    try:
        found = compare(lambda: safeload.check_bert(model), load_either, TRANSFORMERS)
    finally:
        gc.enable()
    assert len(alive) == 2
    assert found.steps[1].status == "ok"


def test_the_texts_are_no_longer_than_the_model_of_keras_bert(model):
    found = safeload.diagnose_bert(model, against="transformers", seq_len=8)

    assert "4 layers computed of 3 texts of at most 8 tokens; " in found.steps[1].finding


def failing(with_what, *, only=(KERAS_BERT, TRANSFORMERS)):
    def load_either(runtime):
        if runtime in only:
            raise with_what
        return load(build_options(training=False, seq_len=None), Request(config=failing.folder))

    return load_either


def test_a_load_that_fails_is_at_fault_and_the_other_runs(model):
    failing.folder = model
    found = compare(lambda: safeload.check_bert(model), failing(RuntimeError("no"), only=[TRANSFORMERS]), TRANSFORMERS)

    assert found.at_fault == "transformers"
    assert found.verdict == "the files are good, but transformers does not load the model: RuntimeError: no"
    assert [step.status for step in found.steps] == ["ok", "ok", "failed"]
    assert (found.layers, found.bound, found.differences) == ((), None, ())


def test_missing_packages_are_said_with_the_command(model):
    failing.folder = model
    missing = missing_dependency("it is not installed", package="x", wanted="==1", hints=["pip install 'x==1'"])
    found = compare(lambda: safeload.check_bert(model), failing(missing, only=[KERAS_BERT]), TRANSFORMERS)

    assert found.at_fault == "versions"
    assert found.verdict == "the files are good and the versions are at fault: it is not installed"
    assert "hint:    pip install 'x==1'" in str(found)


def test_bad_files_are_at_fault(bert):
    testing.edit_config(bert, num_hidden_layers=3)
    found = safeload.diagnose_bert(bert, against="transformers")

    assert found.at_fault == "files"
    assert found.verdict.startswith("the files are at fault: the BERT checkpoint does not fit its config")
    assert {step.status for step in found.steps} == {"failed"}


@pytest.mark.parametrize("against", ["keras-bert", "torch", "", 1, Path("transformers")])
def test_only_another_runtime_can_be_named(against, tiny_bert):
    with pytest.raises(ArgumentError, match="against") as caught:
        safeload.diagnose_bert(tiny_bert, against=against)
    assert caught.value.argument == "against"
    assert "'transformers', 'keras-hub'" in str(caught.value)
    assert other_runtime("keras-hub") is KERAS_HUB


def test_bad_arguments_are_not_diagnosed(tiny_bert):
    for options in ({"activation": "gelu"}, {"seq_len": 0}, {"training": 1}):
        with pytest.raises(ArgumentError):
            safeload.diagnose_bert(tiny_bert, against="transformers", **options)
