"""A BERT in transformers: filled, proven, and independent of what the caller set in torch."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import safeload
from safeload import errors, testing
from safeload.testing._bert import bert_tensors
from safeload.testing._forms import FORMS
from tests.bert.torch_berts import bits, edit_config, inputs, required, write_loud
from tests.frameworks.packages import write_distribution

torch, transformers = required()


def load(folder, **given):
    return safeload.load_bert(folder, backend="transformers", **given)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return testing.write_bert(tmp_path_factory.mktemp("bert") / "m")


@pytest.fixture(scope="module")
def wanted(folder):
    return {training: bits(load(folder, training=training)) for training in (False, True)}


def test_the_model_is_a_bert_model_with_the_values_of_the_file(folder):
    model = load(folder)

    assert type(model) is transformers.BertModel
    assert not model.training
    assert all(each.requires_grad and each.dtype == torch.float32 for each in model.parameters())
    values = bert_tensors()
    state = model.state_dict()
    assert len(state) == len(list(model.parameters())) == 39
    kernel = "encoder/layer_1/attention/self/key/kernel"
    np.testing.assert_array_equal(state["encoder.layer.1.attention.self.key.weight"].T, values[f"bert/{kernel}"])
    np.testing.assert_array_equal(state["embeddings.word_embeddings.weight"], values["bert/embeddings/word_embeddings"])
    np.testing.assert_array_equal(state["pooler.dense.weight"].T, values["bert/pooler/dense/kernel"])
    report = safeload.report_of(model)
    assert (report.backend, report.initialised, report.activation) == ("transformers", (), "gelu_tanh")
    assert report.versions["transformers"] == transformers.__version__
    assert report.versions["torch"] == torch.__version__


def test_training_is_the_whole_model_with_tied_weights(folder):
    model = load(folder, training=True)

    assert type(model) is transformers.BertForPreTraining
    assert not model.training
    head = model.cls.predictions
    assert head.decoder.weight is model.bert.embeddings.word_embeddings.weight
    assert head.decoder.bias is head.bias
    values = bert_tensors()
    np.testing.assert_array_equal(head.bias.detach(), values["cls/predictions/output_bias"])
    np.testing.assert_array_equal(
        model.cls.seq_relationship.weight.detach(), values["cls/seq_relationship/output_weights"]
    )


def test_without_a_pooler_in_the_file_the_model_has_none(tmp_path):
    model = load(testing.write_bert(tmp_path, heads=False))

    assert model.pooler is None
    assert len(safeload.report_of(model).read) == 37


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form_gives_the_same_bits(tmp_path, wanted, form, training):
    model = load(testing.write_bert(tmp_path / "m", form=form), training=training)

    assert bits(model) == wanted[training]


def test_the_buffers_are_those_that_the_class_makes(folder):
    ours = load(folder)
    theirs = transformers.BertModel(ours.config)

    for (name, found), (other, made) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
        assert (name, found.dtype, found.device) == (other, made.dtype, made.device)
        assert torch.equal(found, made)
    assert ours.state_dict().keys() == theirs.state_dict().keys()


SETTINGS = {
    "inference mode": torch.inference_mode,
    "no grad": torch.no_grad,
    "meta device": lambda: torch.device("meta"),
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("own", [False, True])
def test_settings_of_the_caller_change_nothing(folder, wanted, setting, own):
    options = {"model_class": transformers.BertForTokenClassification} if own else {"training": True}
    with SETTINGS[setting]():
        model = load(folder, **options)

    require_plain(model)
    if not own:
        assert bits(model) == wanted[True]


@pytest.mark.parametrize("own", [False, True])
def test_a_default_dtype_of_half_changes_nothing_and_stays(folder, own):
    options = {"model_class": transformers.BertForTokenClassification} if own else {"training": True}
    torch.set_default_dtype(torch.float16)
    try:
        model = load(folder, **options)
        assert torch.get_default_dtype() == torch.float16
    finally:
        torch.set_default_dtype(torch.float32)
    require_plain(model)


@pytest.mark.parametrize("own", [False, True])
def test_a_default_device_changes_nothing(folder, own):
    options = {"model_class": transformers.BertForTokenClassification} if own else {}
    torch.set_default_device("meta")
    try:
        model = load(folder, **options)
    finally:
        torch.set_default_device(None)
    require_plain(model)


def require_plain(model):
    """Require a model that can be trained."""
    for each in (*model.parameters(), *model.buffers()):
        assert each.device.type == "cpu"
        assert not each.is_inference()
    assert {each.dtype for each in model.parameters()} == {torch.float32}
    first = model(**inputs(torch))[0]
    first.sum().backward()
    assert next(model.parameters()).grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", torch.bfloat16])
def test_the_model_has_the_type_that_was_asked_for(folder, dtype):
    model, whole = load(folder, dtype=dtype, training=True), load(folder, training=True)

    found = getattr(torch, str(dtype).removeprefix("torch."))
    for (name, ours), (_, theirs) in zip(model.named_parameters(), whole.named_parameters(), strict=True):
        assert ours.dtype == found
        assert torch.equal(ours, theirs.to(found)), name
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    assert model.bert.embeddings.position_ids.dtype == torch.int64


@pytest.mark.filterwarnings("ignore::safeload.SafeLoadWarning")
def test_a_value_beyond_the_type_is_an_error_and_not_infinite(tmp_path):
    values = bert_tensors()["bert/pooler/dense/bias"]
    values[3] = 70_000
    folder = write_loud(tmp_path, more={"bert/pooler/dense/bias": values})
    with pytest.raises(errors.ArgumentError, match=r"dtype float16 is too small for pooler.dense.bias.* 70000"):
        load(folder, dtype="float16")

    assert load(folder, dtype="bfloat16").pooler.dense.bias.isfinite().all()


@pytest.mark.parametrize("device", ["cuda:0", "xpu", "nowhere"])
def test_a_device_that_is_not_there_is_an_argument_error(folder, device):
    with pytest.raises(errors.ArgumentError, match=f"device: torch cannot use '{device}' here") as caught:
        load(folder, device=device)

    assert (caught.value.argument, caught.value.given) == ("device", device)
    assert load(folder, device=torch.device("cpu")).device.type == "cpu"


def test_a_model_that_is_compiled_or_attends_in_another_way_gives_the_same(tmp_path):
    model = load(write_loud(tmp_path))
    with torch.no_grad():
        wanted = model(**inputs(torch)).last_hidden_state
        torch.testing.assert_close(torch.compile(model, backend="eager")(**inputs(torch)).last_hidden_state, wanted)
        for way in ("eager", "sdpa"):
            model.set_attn_implementation(way)
            found = model(**inputs(torch)).last_hidden_state
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("activation", ["gelu_erf", "gelu_tanh"])
@pytest.mark.parametrize("form", ["tensorflow", "safetensors"])
@pytest.mark.filterwarnings("ignore::safeload.SafeLoadWarning")
def test_what_transformers_saves_is_loaded_with_the_same_bits(tmp_path, form, activation):
    model = load(write_loud(tmp_path / "a", form), training=True, activation=activation)
    (tmp_path / "b").mkdir()
    model.save_pretrained(tmp_path / "b")

    again = load(tmp_path / "b", training=True)
    assert bits(again) == bits(model)
    assert safeload.report_of(again).activation == activation
    theirs = transformers.BertForPreTraining.from_pretrained(tmp_path / "b").eval()
    with torch.no_grad():
        ours, others = model(**inputs(torch)), theirs(**inputs(torch))
    assert torch.equal(ours.prediction_logits, others.prediction_logits)
    assert torch.equal(ours.seq_relationship_logits, others.seq_relationship_logits)


def test_a_model_around_the_loaded_one_leaves_its_values(folder):
    class Around(transformers.BertPreTrainedModel):
        def __init__(self, bert):
            super().__init__(bert.config)
            self.bert = bert
            self.post_init()

    model = load(folder)
    wanted = bits(model)

    assert bits(Around(model).bert) == wanted


@pytest.mark.parametrize("training", [False, True])
def test_a_tensor_that_no_table_explains_is_named(folder, monkeypatch, training):
    bert = transformers.models.bert.modeling_bert
    init = bert.BertEncoder.__init__
    for new in (torch.nn.Parameter(torch.zeros(2)), torch.nn.Buffer(torch.zeros(2), persistent=False)):

        def larger(self, config, new=new):
            init(self, config)
            self.extra = new

        monkeypatch.setattr(bert.BertEncoder, "__init__", larger)
        name = "bert.encoder.extra" if training else "encoder.extra"
        with pytest.raises(errors.BackendError, match=f"the model has {re.escape(name)}, which no BERT has"):
            load(folder, training=training)


def test_a_parameter_that_the_class_lacks_is_named(folder, monkeypatch):
    bert = transformers.models.bert.modeling_bert
    init = bert.BertEmbeddings.__init__

    def smaller(self, config):
        init(self, config)
        del self.token_type_embeddings

    monkeypatch.setattr(bert.BertEmbeddings, "__init__", smaller)
    with pytest.raises(
        errors.BackendError, match=r"embeddings.token_type_embeddings.weight is \(2, 16\) in the weights"
    ):
        load(folder)


@pytest.mark.parametrize("training", [False, True])
def test_a_class_that_changes_what_it_was_given_is_found(folder, monkeypatch, training):
    bert = transformers.models.bert.modeling_bert

    def exchanged(self, *_, **__):
        getattr(self, "bert", self).embeddings.LayerNorm.weight = torch.nn.Parameter(torch.ones(16))

    monkeypatch.setattr(bert.BertPreTrainedModel, "tie_weights", exchanged)
    with pytest.raises(errors.BackendError, match=r"the model exchanged the parameter .*embeddings\.LayerNorm\.weight"):
        load(folder, training=training)


def test_a_failure_of_transformers_is_a_backend_error(folder, monkeypatch):
    def broken(*_):
        message = "no such thing"
        raise KeyError(message)

    monkeypatch.setattr(transformers.models.bert.modeling_bert.BertEncoder, "__init__", broken)
    with pytest.raises(errors.BackendError, match="transformers could not build the model: KeyError") as caught:
        load(folder)
    assert isinstance(caught.value.__cause__, KeyError)


FRESH = """
import sys, safeload
model = safeload.load_bert(sys.argv[1], backend="transformers", training=True)
from transformers.utils import import_utils
print(getattr(import_utils, "_tf_available", True), *sorted({"tensorflow", "keras", "tf_keras", "keras_bert"} & set(sys.modules)))
"""


@pytest.mark.parametrize("broken", [False, True])
def test_no_other_framework_is_imported(folder, tmp_path, broken):
    """Also where transformers finds one, such as one that cannot be imported."""
    if broken:
        write_distribution(tmp_path, "tensorflow", "2.19.0")
        for name in ("tensorflow", "keras", "tf_keras"):
            (tmp_path / f"{name}.py").write_text("raise SystemExit('it was imported')")
    elif importlib.util.find_spec("tensorflow") is None:
        pytest.skip("there is no TensorFlow")
    path = os.pathsep.join([str(tmp_path), os.getcwd(), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", FRESH, folder]
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr


def test_a_key_that_transformers_refuses_is_a_config_error(tmp_path):
    folder = testing.write_bert(tmp_path)
    edit_config(folder, id2label={"one": "a"})
    with pytest.raises(errors.ConfigError, match="transformers does not accept the BERT config") as caught:
        load(folder)
    assert caught.value.resolved == str(folder / "bert_config.json")
