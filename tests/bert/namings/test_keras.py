"""The names that Keras, keras-bert, KerasHub and Hugging Face's TensorFlow models give a BERT's tensors."""

from __future__ import annotations

import pytest

from safeload.bert._parameters import FIRST_VARIABLE, HEAD, list_parameters
from safeload.bert.namings.hugging_face_tf import HuggingFaceTf
from safeload.bert.namings.keras_bert import KerasBert, KerasBertTf, NestedKerasBert, NumberedKerasBert
from safeload.bert.namings.keras_hub import KerasHub
from safeload.report import TensorSpec
from tests.bert.namings.laws import CONFIG

SCOPES = [
    (HuggingFaceTf(), "bert/tf_bert_model/bert/"),
    (HuggingFaceTf(), "bert/"),
    (HuggingFaceTf(), ""),
    (HuggingFaceTf(), "x/y/bert/"),
    (KerasBert(), ""),
    (KerasBert(), "model_weights/"),
    (NestedKerasBert(), "bert_0/"),
    (NestedKerasBert(), "model_weights/model/"),
    (KerasBertTf(), ""),
    (NumberedKerasBert(), "layers/"),
    (KerasHub(), "layers/"),
    (KerasHub(), "layers/bert_backbone/layers/"),
]
each_scope = pytest.mark.parametrize(("naming", "scope"), SCOPES, ids=lambda each: getattr(each, "id", each))
QUERY, NORM = "bert/encoder/layer_1/attention/self/query/kernel", "bert/encoder/layer_1/output/LayerNorm/gamma"
TRANSFORM = "cls/predictions/transform/LayerNorm/gamma"


def names_of(naming, scope, *, training=True):
    parameters = list_parameters(CONFIG, training=training and not isinstance(naming, KerasHub))
    names = {naming.stored_as(parameter, scope)[0] for parameter in parameters}
    return {parameter: naming.stored_as(parameter, scope, names)[0] for parameter in parameters}


@each_scope
def test_each_parameter_has_one_name_and_each_name_is_one_parameter(naming, scope):
    names = names_of(naming, scope)

    assert len(set(names.values())) == len(names)
    for parameter, name in names.items():
        is_by_place = isinstance(naming, NumberedKerasBert) and "LayerNorm" in parameter
        assert naming.canonical(name, scope) == (name if is_by_place else parameter)
    assert naming.scopes(names.values()) == [scope]
    assert naming.scopes(["x", "embeddings/word_embeddings"]) == []


EXAMPLES = [
    (HuggingFaceTf(), "bert/tf_bert_model/bert/", QUERY, "bert/tf_bert_model/bert/encoder/layer_._1/attention/self/query/kernel:0", "same"),
    (HuggingFaceTf(), "bert/tf_bert_model/bert/", HEAD, "mlm___cls/tf_bert_model/mlm___cls/predictions/bias:0", "same"),
    (HuggingFaceTf(), "bert/", HEAD, "mlm___cls/predictions/bias:0", "same"),
    (HuggingFaceTf(), "bert/", "cls/seq_relationship/output_weights", "nsp___cls/seq_relationship/kernel:0", "transposed"),
    (KerasBert(), "", QUERY, "Encoder-2-MultiHeadSelfAttention/Encoder-2-MultiHeadSelfAttention/Encoder-2-MultiHeadSelfAttention_Wq:0", "same"),
    (KerasBert(), "model_weights/", NORM, "model_weights/Encoder-2-FeedForward-Norm/Encoder-2-FeedForward-Norm/gamma:0", "same"),
    (NestedKerasBert(), "model/", QUERY, "model/Encoder-2-MultiHeadSelfAttention/Encoder-2-MultiHeadSelfAttention_Wq:0", "same"),
    (KerasBertTf(), "", QUERY, "Encoder-2-MultiHeadSelfAttention/Encoder-2-MultiHeadSelfAttention_Wq", "same"),
    (KerasBertTf(), "", NORM, "Encoder-2-FeedForward-Norm/gamma", "same"),
    (KerasBertTf(), "", "cls/seq_relationship/output_weights", "NSP/kernel", "transposed"),
    (NumberedKerasBert(), "layers/", QUERY, "layers/multi_head_attention_1/vars/0", "same"),
    (NumberedKerasBert(), "layers/", NORM, "layers/layer_normalization_4/vars/0", "same"),
    (NumberedKerasBert(), "layers/", TRANSFORM, "layers/layer_normalization_5/vars/0", "same"),
    (KerasHub(), "layers/", QUERY, "layers/transformer_encoder_1/_self_attention_layer/query_dense/vars/0", "heads last"),
    (KerasHub(), "layers/", "bert/encoder/layer_0/attention/output/dense/kernel", "layers/transformer_encoder/_self_attention_layer/output_dense/vars/0", "heads first"),
    (KerasHub(), "layers/", "bert/pooler/dense/bias", "layers/dense/vars/1", "same"),
]  # fmt: skip


@pytest.mark.parametrize(("naming", "scope", "parameter", "name", "change"), EXAMPLES)
def test_a_parameter_has_its_name_and_change(naming, scope, parameter, name, change):
    names = set(names_of(naming, scope).values())

    assert naming.stored_as(parameter, scope, names) == (name, change)
    if parameter != TRANSFORM:
        assert naming.shown(parameter, scope) == name
    assert naming.shown("x/y", scope) == "x/y"


CLASSES = [
    (HuggingFaceTf(), "bert/tf_bert_model/bert/", "pooler", "bert/tf_bert_model/bert/pooler/dense/bias:0"),
    (HuggingFaceTf(), "bert/tf_bert_model/bert/", "heads", "mlm___cls/tf_bert_model/mlm___cls/predictions/bias:0"),
    (HuggingFaceTf(), "bert/tf_bert_model/bert/", "heads", "mlm___cls/tf_bert_model/bert/embeddings/LayerNorm/beta:0"),
    (HuggingFaceTf(), "bert/tf_bert_model/bert/", "task heads", "classifier/tf_bert_model/classifier/bias:0"),
    (HuggingFaceTf(), "bert/tf_bert_model/bert/", "", "bert/tf_bert_model/bert/encoder/layer_._9/output/dense/bias:0"),
    (HuggingFaceTf(), "bert/tf_bert_model/bert/", "", "bert/tf_bert_model/bert/x"),
    (KerasBert(), "", "pooler", "NSP-Dense/NSP-Dense/bias:0"),
    (KerasBert(), "", "heads", "MLM-Sim/MLM-Sim/bias:0"),
    (KerasBert(), "", "task heads", "mine/mine/kernel:0"),
    (KerasBert(), "", "", "Encoder-9-FeedForward/Encoder-9-FeedForward/Encoder-9-FeedForward_W1:0"),
    (KerasBert(), "", "", "Encoder-1-FeedForward-Adapter/x/y:0"),
    (KerasBert(), "model_weights/", "training", "optimizer_weights/Adam/iter:0"),
    (KerasBert(), "model_weights/", "other encoders", "elsewhere/x"),
    (NestedKerasBert(), "model/", "heads", "model/MLM-Sim/bias:0"),
    (NestedKerasBert(), "model/", "", "model/Encoder-9-FeedForward/Encoder-9-FeedForward_W1:0"),
    (NestedKerasBert(), "model/", "training", "optimizer_weights/Adam/m/Embedding-Token/embeddings:0"),
    (KerasBertTf(), "", "pooler", "NSP-Dense/bias"),
    (KerasBertTf(), "", "heads", "MLM-Sim/bias"),
    (KerasBertTf(), "", "task heads", "mine/kernel"),
    (KerasBertTf(), "", "", "Encoder-9-FeedForward/Encoder-9-FeedForward_W1"),
    (NumberedKerasBert(), "layers/", "heads", "layers/layer_normalization_5/vars/0"),
    (NumberedKerasBert(), "layers/", "heads", "layers/dense/vars/0"),
    (NumberedKerasBert(), "layers/", "pooler", "layers/dense_1/vars/0"),
    (NumberedKerasBert(), "layers/", "task heads", "layers/dense_3/vars/0"),
    (NumberedKerasBert(), "layers/", "training", "optimizer/vars/0"),
    (NumberedKerasBert(), "layers/", "", "layers/multi_head_attention_9/vars/0"),
    (NumberedKerasBert(), "layers/", "", "layers/feed_forward/vars/4"),
    (NumberedKerasBert(), "layers/", "", "layers/task_embedding/vars/0"),
    (KerasHub(), "layers/", "pooler", "layers/dense/vars/0"),
    (KerasHub(), "layers/", "", "layers/transformer_encoder_7/_feedforward_layer_norm/vars/0"),
    (KerasHub(), "layers/", "task heads", "layers/dense_1/vars/0"),
]


@pytest.mark.parametrize(("naming", "scope", "what", "name"), CLASSES)
def test_what_is_not_read_is_explained_or_unexpected(naming, scope, what, name):
    assert naming.class_of(name, TensorSpec(name=name, shape=(3,), dtype="float32"), scope) == what


def test_scalars_of_a_tensorflow_checkpoint_are_of_training():
    for name in ("save_counter", "Adam/learning_rate", "Encoder-1-FeedForward/x"):
        assert KerasBertTf().class_of(name, TensorSpec(name=name, shape=(), dtype="float32"), "") == "training"


def test_the_names_of_h5_files_and_of_variables_are_told_apart():
    namings = {KerasBert(): "", KerasBertTf(): "", NestedKerasBert(): "model/"}
    for naming, scope in namings.items():
        for other in namings.keys() - {naming}:
            assert other.scopes(names_of(naming, scope).values()) == []


def test_what_an_optimizer_keeps_is_no_nested_model():
    assert NestedKerasBert().scopes(["optimizer_weights/Adam/m/Embedding-Token/embeddings:0"]) == []


def test_numbers_of_any_length_are_names_like_others():
    for naming, scope in SCOPES:
        name = f"{scope}Encoder-{'9' * 5000}-FeedForward/x_{'9' * 5000}"
        assert naming.canonical(name, scope) in (name, name.removeprefix(scope))


def test_the_copies_of_the_mlm_head_count_if_the_heads_are_read():
    naming, scope = HuggingFaceTf(), "bert/tf_bert_model/bert/"
    copy = "mlm___cls/tf_bert_model/bert/embeddings/word_embeddings/weight:0"

    assert naming.copy_of(copy, scope, [FIRST_VARIABLE]) is None
    assert naming.copy_of(copy, scope, [FIRST_VARIABLE, HEAD]) == FIRST_VARIABLE
    assert naming.copy_of(f"{scope}embeddings/word_embeddings/weight:0", scope, [FIRST_VARIABLE, HEAD]) is None
    assert naming.scopes([copy, f"{scope}embeddings/word_embeddings/weight:0"]) == [scope]


def test_the_layers_that_are_read_have_their_labels():
    naming, scope = NumberedKerasBert(), "layers/"
    names = set(names_of(naming, scope).values())
    labels = naming.labels([QUERY, NORM, TRANSFORM, "bert/pooler/dense/bias"], scope, names)

    assert labels == {
        "layers/multi_head_attention_1/vars": "Encoder-2-MultiHeadSelfAttention",
        "layers/layer_normalization_4/vars": "Encoder-2-FeedForward-Norm",
        "layers/layer_normalization_5/vars": "MLM-Norm",
        "layers/dense_1/vars": "NSP-Dense",
    }
    assert KerasBert().labels([QUERY], "", names) == {}
    assert KerasHub().labels([QUERY, HEAD], scope, ()) == {
        "layers/transformer_encoder_1/vars": "transformer_layer_1",
        "layers/transformer_encoder_1/_self_attention_layer/query_dense/vars": "query",
    }
