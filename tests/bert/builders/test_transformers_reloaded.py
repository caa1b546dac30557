"""What transformers saved of a class, read again: decoders of their own, two encoders, names of activations."""

from __future__ import annotations

import ast

import pytest

import safeload
from safeload import errors, testing
from tests.bert.torch_berts import edit_config, inputs, required

torch, transformers = required()


class Two(transformers.BertPreTrainedModel):
    """A class with an encoder for each side."""

    base_model_prefix = "query"

    def __init__(self, config):
        super().__init__(config)
        self.query = transformers.BertModel(config)
        self.context = transformers.BertModel(config)
        self.post_init()


def load(folder, model_class, **given):
    return safeload.load_bert(folder, backend="transformers", model_class=model_class, **given)


def require_equal(model, saved):
    for name, value in saved.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    assert safeload.report_of(model).initialised == ()


@pytest.fixture(scope="module")
def untied(tmp_path_factory):
    """A model whose decoder has other values than its embeddings, and its folder."""
    folder = tmp_path_factory.mktemp("untied")
    start = testing.write_bert(folder / "start", form="safetensors")
    edit_config(start, tie_word_embeddings=False)
    saved = load(start, transformers.BertForPreTraining)
    torch.manual_seed(0)
    with torch.no_grad():
        saved.cls.predictions.decoder.weight.normal_()
        saved.cls.predictions.decoder.bias.normal_()
    saved.save_pretrained(folder / "saved")
    return saved, folder / "saved"


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    saved = load(testing.write_bert(folder / "start"), Two)
    torch.manual_seed(0)
    with torch.no_grad():
        for each in saved.context.parameters():
            each.normal_()
    saved.save_pretrained(folder / "saved")
    return saved, folder / "saved"


def test_a_decoder_that_is_not_tied_keeps_its_own_values(untied):
    saved, folder = untied
    require_equal(load(folder, transformers.BertForPreTraining), saved)


def test_the_hint_on_a_decoder_that_is_not_tied_is_true(untied):
    _, folder = untied
    with pytest.raises(errors.VariableMismatchError) as caught:
        safeload.load_bert(folder, backend="transformers", training=True)
    pattern = caught.value.hints[-1].partition("ignore_unused=")[2]
    assert pattern in (
        "['cls.predictions.decoder.*']",
        "['cls.predictions.decoder.weight']",
    )  # 4.57 saves the weight alone

    assert safeload.load_bert(folder, backend="transformers", training=True, ignore_unused=ast.literal_eval(pattern))


def test_of_two_encoders_a_class_gets_its_own(two):
    saved, folder = two
    with pytest.warns(safeload.SafeLoadWarning, match="other encoders"):
        require_equal(load(folder, Two), saved)
    require_equal(load(folder, Two, scope="query"), saved)


def test_an_encoder_that_is_read_twice_is_in_two_memories(two):
    saved, folder = two
    model = load(folder, Two, scope="context")

    theirs = saved.context.state_dict()
    for encoder in (model.query, model.context):
        for name, value in encoder.state_dict().items():
            assert torch.equal(value, theirs[name]), name
    with torch.no_grad():
        model.query.embeddings.word_embeddings.weight.zero_()
    assert torch.equal(model.context.embeddings.word_embeddings.weight, theirs["embeddings.word_embeddings.weight"])


@pytest.mark.parametrize("word", ["gelu_fast", "gelu_pytorch_tanh", "gelu_accurate", "gelu_python", "silu"])
def test_an_activation_keeps_the_name_that_has_one_meaning(tmp_path, word):
    folder = testing.write_bert(tmp_path, form="safetensors")
    edit_config(folder, hidden_act=word)
    model = safeload.load_bert(folder, backend="transformers")
    theirs = transformers.BertModel.from_pretrained(folder).eval()

    assert model.config.hidden_act == word
    with torch.no_grad():
        assert torch.equal(model(**inputs(torch))[0], theirs(**inputs(torch))[0])


def test_an_activation_that_is_chosen_is_the_one_that_is_built(tmp_path):
    folder = testing.write_bert(tmp_path, form="safetensors")
    edit_config(folder, hidden_act="gelu_fast")
    model = safeload.load_bert(folder, backend="transformers", activation="gelu_erf")
    assert model.config.hidden_act == "gelu"
