"""What transformers saved of a class, read again: decoders of their own, two encoders, names of activations."""

from __future__ import annotations

import ast
import shutil

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


class One(transformers.BertPreTrainedModel):
    """A class with one encoder under the same name."""

    base_model_prefix = "query"

    def __init__(self, config):
        super().__init__(config)
        self.query = transformers.BertModel(config)
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

    tied = safeload.load_bert(folder, backend="transformers", training=True, ignore_unused=ast.literal_eval(pattern))
    assert tied.cls.predictions.decoder.weight is tied.bert.embeddings.word_embeddings.weight


@pytest.mark.parametrize("is_said", [True, False])
def test_the_hint_names_what_keeps_the_values_of_a_decoder(untied, tmp_path, is_said):
    saved, folder = untied
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    if not is_said:
        edit_config(tmp_path, tie_word_embeddings=True)
    for options in ({"training": True}, {"training": True, "backend": "transformers"}):
        with pytest.raises(errors.VariableMismatchError) as caught:
            safeload.load_bert(tmp_path, **options)
        hint = next(hint for hint in caught.value.hints if hint.startswith("the decoder has values of its own"))
        assert "model_class=transformers.BertForPreTraining, of the backend transformers" in hint
        assert ('"tie_word_embeddings": false in ' in hint) is not is_said

    edit_config(tmp_path, tie_word_embeddings=False)
    require_equal(load(tmp_path, transformers.BertForPreTraining), saved)


@pytest.mark.parametrize("name", ["BertModel", "BertForPreTraining"])
@pytest.mark.parametrize("word", ["prelu", "xielu"])
def test_an_activation_with_values_of_its_own_is_loaded(tmp_path, word, name):
    torch.manual_seed(0)
    keys = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}
    config = transformers.BertConfig(vocab_size=30, max_position_embeddings=20, hidden_act=word, **keys)
    saved = getattr(transformers, name)(config).float().eval()
    with torch.no_grad():
        for each in saved.parameters():
            each.uniform_(0.3, 0.9)
    saved.save_pretrained(tmp_path)
    model = safeload.load_bert(tmp_path, backend="transformers", training=name != "BertModel")

    for part, value in saved.state_dict().items():
        assert torch.equal(model.state_dict()[part], value), part
    assert sum("_act_fn." in part for part in model.state_dict()) == (2 if name == "BertModel" else 3) * (
        1 if word == "prelu" else 4
    )
    theirs = getattr(transformers, name).from_pretrained(tmp_path).eval()
    with torch.no_grad():
        torch.testing.assert_close(model(**inputs(torch))[0], theirs(**inputs(torch))[0], rtol=1e-4, atol=1e-4)


def test_a_file_without_the_values_of_its_activation_is_a_mismatch(tmp_path):
    testing.write_bert(tmp_path, form="safetensors")
    edit_config(tmp_path, hidden_act="prelu")
    with pytest.raises(errors.VariableMismatchError) as caught:
        safeload.check_bert(tmp_path, backend="transformers")
    assert [(each.kind, each.name) for each in caught.value.report.problems] == [
        ("missing", f"bert.encoder.layer.{number}.intermediate.intermediate_act_fn.weight") for number in range(2)
    ]


def test_a_padding_that_counts_from_the_end_is_loaded_with_a_warning(tmp_path):
    testing.write_bert(tmp_path, form="safetensors")
    edit_config(tmp_path, pad_token_id=-1)
    with pytest.warns(safeload.SafeLoadWarning, match="pad_token_id is -1, which is no token; torch takes it for 29"):
        model = safeload.load_bert(tmp_path, backend="transformers")
    theirs = transformers.BertModel.from_pretrained(tmp_path).eval()

    assert model.embeddings.word_embeddings.padding_idx == theirs.embeddings.word_embeddings.padding_idx == 29
    with torch.no_grad():
        assert torch.equal(model(**inputs(torch))[0], theirs(**inputs(torch))[0])


def test_of_two_encoders_a_class_gets_its_own(two):
    saved, folder = two
    require_equal(load(folder, Two), saved)
    require_equal(load(folder, Two, scope="query"), saved)


def test_an_encoder_that_a_class_lacks_is_warned_of(two):
    with pytest.warns(safeload.SafeLoadWarning, match=r"other encoders, under 'context\.'"):
        safeload.load_bert(two[1], backend="transformers", model_class=One)


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
