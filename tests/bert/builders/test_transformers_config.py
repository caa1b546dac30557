"""The config of a model of transformers, from the file's keys."""

from __future__ import annotations

import json

import pytest

import safeload
from safeload import errors, testing
from safeload.bert._runtimes import LEARNED, TRANSFORMERS
from tests.bert.torch_berts import edit_config, required

torch, transformers = required()


def load(folder, **given):
    return safeload.load_bert(folder, backend="transformers", **given)


def config_with(folder, *, model_class=None, **keys):
    """Return the config of a model whose file has these keys."""
    testing.write_bert(folder)
    edit_config(folder, **keys)
    return load(folder, model_class=model_class).config


def test_the_sizes_are_the_file_s_and_the_rest_is_google_s(tmp_path):
    config = config_with(tmp_path)

    found = (config.vocab_size, config.hidden_size, config.num_hidden_layers, config.num_attention_heads)
    assert found == (30, 16, 2, 4)
    assert (config.intermediate_size, config.max_position_embeddings, config.type_vocab_size) == (32, 20, 2)
    assert (config.hidden_act, config.layer_norm_eps, config.pad_token_id) == ("gelu_new", 1e-12, 0)
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.1, 0.1)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("layer_norm_eps", 1e-5),
        ("layer_norm_eps", 0),
        ("hidden_dropout_prob", 0.3),
        ("attention_probs_dropout_prob", 0),
        ("initializer_range", 0.5),
        ("classifier_dropout", 0.2),
        ("pad_token_id", 3),
        ("problem_type", "regression"),
        ("bos_token_id", 2),
    ],
)
def test_a_setting_of_the_file_is_the_model_s(tmp_path, key, value):
    assert getattr(config_with(tmp_path, **{key: value}), key) == value


def test_labels_are_the_file_s(tmp_path):
    labels = {"0": "no", "1": "yes", "2": "maybe"}
    config = config_with(
        tmp_path, id2label=labels, num_labels=3, model_class=transformers.BertForSequenceClassification
    )

    assert config.id2label == {0: "no", 1: "yes", 2: "maybe"}
    assert config.num_labels == 3


def test_a_null_is_the_default(tmp_path):
    config = config_with(tmp_path, layer_norm_eps=None, hidden_dropout_prob=None, initializer_range=None)

    assert (config.layer_norm_eps, config.hidden_dropout_prob, config.initializer_range) == (1e-12, 0.1, 0.02)


def test_padding_is_the_vocabulary_s_where_the_file_does_not_say_it(tmp_path):
    testing.write_bert(tmp_path)
    path = tmp_path / "vocab.txt"
    tokens = path.read_text().split("\n")
    tokens[0], tokens[5] = tokens[5], tokens[0]
    path.write_text("\n".join(tokens))
    model = load(tmp_path)

    assert (model.config.pad_token_id, model.embeddings.word_embeddings.padding_idx) == (5, 5)


ACTIVATIONS = sorted({*TRANSFORMERS.words} - {"gelu", *LEARNED})


@pytest.mark.parametrize("word", ACTIVATIONS)
def test_every_activation_of_the_table_is_one_of_transformers(tmp_path, word):
    if word not in transformers.activations.ACT2FN:
        with pytest.raises(
            errors.ConfigError, match=rf"hidden_act: transformers {transformers.__version__} has no {word}"
        ):
            load_with(tmp_path, word)
        return
    model = load_with(tmp_path, word)
    function = transformers.activations.ACT2FN[word]
    values = torch.linspace(-3, 3, 25)

    found = model.encoder.layer[0].intermediate.intermediate_act_fn(values)
    torch.testing.assert_close(found, function(values), rtol=0, atol=1e-3 if word == "gelu_fast" else 1e-6)


def load_with(folder, word):
    testing.write_bert(folder)
    edit_config(folder, hidden_act=word)
    return load(folder)


@pytest.mark.parametrize(
    ("form", "activation", "word"),
    [
        ("tensorflow", None, "gelu_new"),
        ("safetensors", None, "gelu"),
        ("tensorflow", "gelu_erf", "gelu"),
        ("safetensors", "gelu_tanh", "gelu_new"),
    ],
)
def test_gelu_is_that_of_the_writer_s_library(tmp_path, form, activation, word):
    model = load(testing.write_bert(tmp_path, form=form), activation=activation)

    assert model.config.hidden_act == word
    assert safeload.report_of(model).activation == ("gelu_erf" if word == "gelu" else "gelu_tanh")


HOSTILE = {
    "attn_implementation": "somebody/kernel",
    "_attn_implementation": "somebody/kernel",
    "_attn_implementation_internal": "somebody/kernel",
    "experts_implementation": "somebody/kernel",
    "auto_map": {"AutoModel": "somebody/code--modeling.Bert"},
    "quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True},
    "torch_dtype": "float16",
    "dtype": "float16",
    "transformers_version": "0.0.1",
    "_name_or_path": "somebody/bert",
    "name_or_path": "somebody/bert",
    "to_dict": 1,
    "save_pretrained": "x",
    "use_return_dict": False,
    "attribute_map": {"hidden_size": "vocab_size"},
    "base_model_tp_plan": {"a": "b"},
    "sub_configs": {},
    "output_attentions": True,
    "__class__": "x",
    "__dict__": {},
    "not an identifier": 1,
}


@pytest.mark.parametrize("own", [False, True])
def test_keys_that_name_code_or_shadow_methods_are_left_out(tmp_path, own):
    model_class = transformers.BertForTokenClassification if own else None
    plain = config_with(tmp_path / "a", model_class=model_class)
    config = config_with(tmp_path / "b", model_class=model_class, **HOSTILE)

    assert type(config) is transformers.BertConfig
    assert config.to_dict() == plain.to_dict()
    assert config._attn_implementation in ("sdpa", "eager")
    assert callable(config.save_pretrained)


def test_the_caller_s_class_has_the_other_keys(tmp_path):
    class Own(transformers.BertForTokenClassification):
        def __init__(self, config):
            super().__init__(config)
            self.margin = config.margin

    keys = {"margin": 0.25, "output_hidden_states": True, "chunk_size_feed_forward": 0, "empty": None}
    config = config_with(tmp_path, model_class=Own, use_cache=None, **keys)

    assert (config.margin, config.output_hidden_states, config.empty) == (0.25, True, None)
    assert config.use_cache in (True, None)


def test_a_class_of_configs_of_the_caller_s_is_used(tmp_path):
    class OwnConfig(transformers.BertConfig):
        model_type = "bert"

        def __init__(self, margin=1.0, **given):
            super().__init__(**given)
            self.margin = margin

    class Own(transformers.BertForTokenClassification):
        config_class = OwnConfig

    assert type(config_with(tmp_path / "a", model_class=Own)) is OwnConfig
    assert config_with(tmp_path / "b", model_class=Own, margin=0.5).margin == 0.5


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pad_token_id", 30),
        ("pad_token_id", -31),
        ("pad_token_id", "0"),
        ("problem_type", "guessing"),
        ("num_labels", 0),
        ("num_labels", 10**12),
        ("initializer_range", "wide"),
        ("classifier_dropout", 2),
        ("layer_norm_eps", -1),
    ],
)
def test_a_setting_out_of_range_is_a_config_error_of_the_check_too(tmp_path, key, value):
    testing.write_bert(tmp_path)
    edit_config(tmp_path, **{key: value})
    for call in (load, lambda folder: safeload.check_bert(folder, backend="transformers")):
        with pytest.raises(errors.ConfigError, match=key):
            call(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("chunk_size_feed_forward", "1", "an integer"),
        ("chunk_size_feed_forward", True, "an integer"),
        ("output_hidden_states", "x", "true or false"),
        ("return_dict", 1, "true or false"),
        ("use_cache", "x", "true or false"),
    ],
)
def test_a_setting_of_another_type_is_a_config_error_and_not_one_of_the_first_call(tmp_path, key, value, wanted):
    testing.write_bert(tmp_path)
    edit_config(tmp_path, **{key: value})
    with pytest.raises(errors.ConfigError, match=f"{key}: expected {wanted}, found"):
        load(tmp_path, model_class=transformers.BertForTokenClassification)


def test_every_setting_of_transformers_that_is_not_none_has_a_type_that_is_required():
    usual = vars(transformers.BertConfig())
    kinds = {type(value) for key, value in usual.items() if value is not None and not key.startswith("_")}

    assert kinds - {dict, list, tuple} <= {bool, int, float, str}


@pytest.mark.parametrize("keys", [{"id2label": {"a": "b"}}, {"id2label": 3}])
def test_what_transformers_refuses_is_a_config_error_with_its_reason(tmp_path, keys):
    testing.write_bert(tmp_path)
    edit_config(tmp_path, **keys)
    with pytest.raises(errors.ConfigError, match="transformers does not accept the BERT config") as caught:
        load(tmp_path, model_class=transformers.BertForSequenceClassification)
    assert caught.value.details
    assert caught.value.__cause__ is not None


def test_the_config_that_is_saved_says_what_was_loaded(tmp_path):
    model = load(testing.write_bert(tmp_path / "a"))
    (tmp_path / "b").mkdir()
    model.save_pretrained(tmp_path / "b")

    saved = json.loads((tmp_path / "b" / "config.json").read_text())
    assert (saved["hidden_act"], saved["architectures"], saved["model_type"]) == ("gelu_new", ["BertModel"], "bert")
