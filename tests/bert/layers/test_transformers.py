"""The layers of transformers' models: equal to keras-bert's, and those that the model computes."""

from __future__ import annotations

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload.bert.layers import fixed_inputs, keras_bert
from safeload.bert.layers.transformers import compute
from tests.bert.bert_models import write_hugging_face

transformers = pytest.importorskip("transformers", minversion="4.57")
torch = pytest.importorskip("torch")

INPUTS = fixed_inputs(30, 20)
NAMES = ["embeddings", "layer 0", "layer 1", "layer 2", "pooler", "mlm", "nsp"]


@pytest.mark.parametrize("act", ["gelu", "gelu_new", "relu"])
def test_each_layer_equals_keras_bert_s(act, tmp_path):
    pytest.importorskip("keras_bert")
    judge = compute(write_hugging_face(tmp_path, hidden_act=act), INPUTS)
    found = keras_bert.compute(safeload.load_bert(tmp_path, training=True), INPUTS)

    assert list(found) == list(judge) == NAMES
    for name, layer in found.items():
        assert layer.dtype == judge[name].dtype == np.float32
        np.testing.assert_allclose(layer, judge[name], rtol=0, atol=1e-5, err_msg=name)


def test_a_folder_of_the_testing_kit_equals_too(tmp_path):
    pytest.importorskip("keras_bert")
    folder = testing.write_bert(tmp_path / "model", form="safetensors")
    model = transformers.BertForPreTraining.from_pretrained(folder)
    judge, found = compute(model, INPUTS), keras_bert.compute(safeload.load_bert(folder, training=True), INPUTS)

    assert list(found) == list(judge)
    assert max(np.abs(found[name] - judge[name]).max() for name in judge) < 1e-5


def test_they_are_what_the_model_gives(tmp_path):
    model = write_hugging_face(tmp_path)
    found = compute(model, INPUTS)
    tokens, segments, mask = (torch.tensor(each) for each in (*INPUTS, INPUTS.mask))
    with torch.no_grad():
        wanted = model(tokens, mask, segments, output_hidden_states=True)
    words = INPUTS.mask == 1

    assert len(wanted.hidden_states) == 4
    for name, layer in zip(NAMES, wanted.hidden_states, strict=False):
        assert np.array_equal(found[name][words], layer.numpy()[words])
        assert not found[name][~words].any()
    assert np.array_equal(found["mlm"][words], wanted.prediction_logits.log_softmax(-1).numpy()[words])
    assert np.array_equal(found["nsp"], wanted.seq_relationship_logits.log_softmax(-1).numpy())


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("BertModel", NAMES[:5]),
        ("BertForMaskedLM", [*NAMES[:4], "mlm"]),
        ("BertForTokenClassification", NAMES[:4]),
        ("BertForSequenceClassification", NAMES[:5]),
        ("BertForNextSentencePrediction", [*NAMES[:5], "nsp"]),
    ],
)
def test_a_class_has_the_layers_that_it_has(kind, names, tmp_path):
    whole = compute(write_hugging_face(tmp_path), INPUTS)
    found = compute(getattr(transformers, kind).from_pretrained(tmp_path), INPUTS)

    assert list(found) == names
    for name in names:
        assert np.array_equal(found[name], whole[name]), name


def test_each_module_keeps_its_mode_and_dropout_is_off(tmp_path):
    model = write_hugging_face(tmp_path)
    wanted = compute(model, INPUTS)
    model.train()
    model.bert.embeddings.eval()
    before = {name: each.training for name, each in model.named_modules()}
    found = compute(model, INPUTS)

    assert {name: each.training for name, each in model.named_modules()} == before
    assert set(before.values()) == {True, False}
    assert all(np.array_equal(found[name], wanted[name]) for name in NAMES)
    assert all(each.grad_fn is None for each in model.parameters())


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_other_types_are_given_as_float32(dtype, tmp_path):
    wanted = compute(write_hugging_face(tmp_path), INPUTS)
    found = compute(transformers.BertForPreTraining.from_pretrained(tmp_path).to(getattr(torch, dtype)), INPUTS)

    assert {each.dtype for each in found.values()} == {np.dtype("float32")}
    far = max(np.abs(found[name] - wanted[name]).max() for name in NAMES)
    assert (far > 1e-3) == (dtype == "bfloat16")


def test_a_default_device_and_type_of_torch_do_not_matter(tmp_path):
    model = write_hugging_face(tmp_path)
    wanted = compute(model, INPUTS)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"), torch.inference_mode():
            found = compute(model, INPUTS)
    finally:
        torch.set_default_dtype(torch.float32)

    assert all(np.array_equal(found[name], wanted[name]) for name in NAMES)
