"""Other models: each row of each table recognises its example, and answers for one model alone."""

from __future__ import annotations

import pytest

from safeload import _recognise
from safeload._recognise import (
    BERT,
    ELMO,
    models_of_folder,
    other_config,
    other_folder,
    other_tensors,
    what_config,
)

EITHER = _recognise._EITHER
ROWS = (
    ("a TensorFlow 2 checkpoint of an object that had no variables when it was saved", BERT, ["save_counter"]),
    (
        "a TensorFlow 2 checkpoint whose variables have no full names of their own",
        BERT,
        ["a/.ATTRIBUTES/VARIABLE_VALUE"],
    ),
    ("ALBERT", BERT, ["bert/encoder/transformer/group_0/inner_group_0/x"]),
    ("ELECTRA", BERT, ["electra/embeddings/word_embeddings"]),
    ("a model of bert4keras", BERT, ["Transformer-0-FeedForward/dense/kernel"]),
    ("an ELMo", BERT, ["char_embed"]),
    ("an ELMo", BERT, ["token_embedder_elmo._elmo._elmo_lstm._token_embedder._char_embedding_weights"]),
    ("a training checkpoint of bilm-tf", BERT, ["lm/char_embed"]),
    ("RoBERTa", BERT, ["module/roberta/x"]),
    ("a checkpoint saved by Keras, with layer names", BERT, ["Encoder-1-MultiHeadSelfAttention/x"]),
    ("a PEFT adapter, without the weights of the model that it adapts", BERT, ["base_model.model.query.lora_A.weight"]),
    ("another model, with PyTorch's names", BERT, ["embeddings.LayerNorm.weight"]),
    ("a file of computed embeddings", EITHER, ["0", "1", "sentence_to_index"]),
    ("the weights of a word-level biLM", EITHER, ["embedding", "RNN_0/RNN/x"]),
    ("a BERT", ELMO, ["bert/tf_bert_model/bert/embeddings/word_embeddings/weight:0"]),
    ("a BERT", ELMO, ["bert.embeddings.word_embeddings.weight"]),
    (
        "a transformer-ELMo, another architecture",
        ELMO,
        ["_contextualizer._forward_transformer.layers.0.self_attn.linears.0.weight"],
    ),
    ("an OpenAI transformer, such as GPT", ELMO, ["transformer.h.0.attn.c_attn.weight"]),
    ("ELMoForManyLangs, another architecture", ELMO, ["forward_layer_0.input_linearity.weight"]),
    ("a model saved by Keras", EITHER, ["model_weights/dense/kernel:0"]),
    ("weights saved by Keras", EITHER, ["dense/kernel:0", "top_level_model_weights"]),
)
CONFIGS = {
    "ELMoForManyLangs, another architecture": {"encoder": {}, "token_embedder": {}},
    "a transformer such as BERT": {"hidden_size": 8, "num_hidden_layers": 2},
    "an AllenNLP training run": {"dataset_reader": {}, "model": {}},
    "a word-level biLM (there is no char_cnn)": {"lstm": {}},
}
FOLDERS = {
    "an ELMoForManyLangs model": ["encoder.pkl", "token_embedder.pkl"],
    "a TensorFlow model or TF-Hub module": ["saved_model.pb"],
    "a TF-Hub module": ["tfhub_module.pb"],
    "a BERT model": ["bert_config.json"],
}


def test_every_row_has_an_example():
    assert [other.name for _, other, _ in _recognise._BY_TENSORS] == [name for name, _, _ in ROWS]
    assert [other.name for _, other, _ in _recognise._BY_KEYS] == list(CONFIGS)[:-1]
    assert [other.name for _, other, _ in _recognise._BY_FILES] == list(FOLDERS)


@pytest.mark.parametrize(("name", "owner", "names"), ROWS, ids=[f"{owner}-{name}" for name, owner, _ in ROWS])
def test_tensors_are_recognised_for_their_models_alone(name, owner, names):
    for model in (BERT, ELMO):
        if owner in (model, EITHER):
            assert other_tensors(model, names).name == name
            assert other_tensors(model, names).hint
        else:
            assert (other := other_tensors(model, names)) is None or other.name == "another model, with PyTorch's names"


@pytest.mark.parametrize(
    "name",
    [
        "Embedding-Token/Embedding-Token/embeddings:0",
        "model_weights/Embedding-Token/Embedding-Token/embeddings:0",
        "layers/token_embedding/vars/0",
        "layers/reversible_embedding/vars/0",
    ],
)
def test_a_bert_of_keras_is_no_elmo(name):
    assert other_tensors(ELMO, [name]).name == "a BERT"


@pytest.mark.parametrize("name", ["discriminator/dense/kernel", "generator/conv1/kernel", "my_electra/x"])
def test_names_of_other_networks_are_not_electra_s(name):
    assert other_tensors(BERT, [name]) is None


@pytest.mark.parametrize(
    "name",
    [
        "electra/x",
        "discriminator_predictions/dense/kernel",
        "generator_predictions/output_bias",
        "generator/encoder/layer_0/x",
    ],
)
def test_names_of_electra_s_own_parts_are(name):
    assert other_tensors(BERT, ["bert/x", name]).name == "ELECTRA"


SIGNS = {
    "a TensorFlow 2 checkpoint whose variables have no full names of their own": ["a/.ATTRIBUTES/VARIABLE_VALUE"],
    "ALBERT": ["bert/encoder/transformer/group_0/x", "bert/encoder/embedding_hidden_mapping_in/x"],
    "ELECTRA": ["electra/x", "discriminator_predictions/x"],
    "a model of bert4keras": ["Transformer-11-MultiHeadSelfAttention/x", "model_weights/Transformer-0-FeedForward/x"],
    "RoBERTa": ["roberta/x", "a/roberta/x"],
    "a checkpoint saved by Keras, with layer names": ["Embedding-Token/x", "Embedding-Position/x", "Encoder-12-Norm/x"],
    "a PEFT adapter, without the weights of the model that it adapts": [
        "a.lora_A.weight",
        "a.lora_embedding_B",
        "a.ia3_l",
    ],
    "another model, with PyTorch's names": ["a.weight", "a.b.bias"],
}


@pytest.mark.parametrize(("what", "name"), [(what, name) for what, names in SIGNS.items() for name in names])
def test_one_name_among_others_is_a_sign(what, name):
    found = other_tensors(BERT, ["global_step", name])

    assert found.name == what
    assert found.hint.startswith(("load it with", "it has several models", "merge it"))


@pytest.mark.parametrize(
    "name", ["bert/x", "my_electra/x", "robertas/x", "Encoder-x/y", "a.weights", "weight", "x.bias/a"]
)
def test_other_names_are_of_no_model_that_is_known(name):
    assert other_tensors(BERT, [name]) is None


def test_groups_are_signs_too():
    assert other_tensors(ELMO, [], ["layers"]).name == "weights saved by Keras"
    assert other_tensors(ELMO, [], []) is None


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_of_another_model_is_recognised(name):
    assert other_config(ELMO, CONFIGS[name]).name == name


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"model_type": "RoBERTa"}, "roberta (model_type)"),
        ({"model_type": 3}, "another model (model_type 3)"),
        ({"model_type": ""}, 'another model (model_type "")'),
        ({"model_type": " "}, 'another model (model_type " ")'),
        ({"embedding_size": 128, "hidden_size": 768}, "albert (embedding_size)"),
        ({"num_hidden_groups": 1}, "albert (num_hidden_groups)"),
        ({"use_relative_position": True}, "nezha (use_relative_position)"),
        ({"use_relative_position": False}, None),
        ({"embedding_size": 768, "hidden_size": 768}, None),
        ({"model_type": "BERT"}, None),
        ({}, None),
    ],
)
def test_a_config_of_kin_of_bert_is_recognised(data, name):
    other = other_config(BERT, data)

    assert (other and other.name) == name
    library = "that model" if name and name.startswith("another") else name and name.split()[0]
    assert other is None or other.hint == f"load it with a library for {library}"


@pytest.mark.parametrize("keys", [row for row in _recognise._BY_KEYS if len(row[2]) > 1], ids=lambda row: row[1].name)
def test_one_key_of_several_is_no_sign(keys):
    for key in keys[2]:
        assert other_config(ELMO, {key: {}}) is None


@pytest.mark.parametrize("files", [row for row in _recognise._BY_FILES if len(row[2]) > 1], ids=lambda row: row[1].name)
def test_one_file_of_several_is_no_sign(files):
    for name in files[2]:
        assert other_folder(ELMO, "m", [name]) is None


@pytest.mark.parametrize(("key", "model"), [("inner_group_num", "albert"), ("max_relative_position", "nezha")])
def test_each_key_of_a_variant_of_bert_is_a_sign(key, model):
    assert other_config(BERT, {key: 1}).name == f"{model} ({key})"


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_another_model_is_recognised(name):
    assert other_folder(ELMO, "m", FOLDERS[name]).name == name
    assert other_folder(BERT, "m", FOLDERS[name]) is None
    assert other_folder(ELMO, "m", ["options.json"]) is None


@pytest.mark.parametrize(
    ("names", "models"),
    [
        (["bert_model.ckpt.index"], [BERT]),
        (["uncased_bert_config.json"], [BERT]),
        (["weights.hdf5"], [ELMO]),
        (["a.h5", "b.hdf"], [ELMO]),
        (["elmo_options.json"], [ELMO]),
        (["bert_config.json", "weights.hdf5"], [BERT, ELMO]),
        (["tf_model.h5"], [BERT]),
        (["tf_model.h5", "weights.hdf5"], [BERT, ELMO]),
        (["config.json", "model.bin"], []),
    ],
)
def test_the_models_of_a_folder(names, models):
    assert models_of_folder(names) == models


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ({"lstm": {}, "char_cnn": {}}, "the options of an ELMo"),
        ({"num_hidden_layers": 2, "hidden_size": 4}, "the config of a BERT"),
        ({"num_hidden_layers": 2, "hidden_size": 4, "model_type": "Albert"}, "the config of another model: albert"),
        ({"num_hidden_layers": 2}, "a JSON file that is neither the config of a BERT nor the options of an ELMo"),
        ({"hidden_size": 4}, "a JSON file that is neither the config of a BERT nor the options of an ELMo"),
        ({"a": 1}, "a JSON file that is neither the config of a BERT nor the options of an ELMo"),
    ],
)
def test_what_a_json_object_is(data, what):
    assert what_config(data) == what
