"""tf-models' full names of a BERT's variables."""

from __future__ import annotations

import pytest

from safeload.bert._parameters import HEAD
from safeload.bert.namings.tf_models import TfModels
from safeload.report import TensorSpec
from tests.bert.namings.laws import require_one_name_each

NAMING = TfModels()
WORDS = "word_embeddings/embeddings"
SCOPES = {"": "", "bert_encoder_v2/": "", "bert_model/": "", "module/bert_encoder_v2/": "module/"}


@pytest.mark.parametrize("scope", SCOPES)
def test_each_parameter_has_one_name_and_each_name_is_one_parameter(scope):
    require_one_name_each(NAMING, scope)
    assert NAMING.stored_as(HEAD, scope) == (f"{SCOPES[scope]}bert/cls/predictions/output_bias/bias", "same")
    query = ("transformer/layer_1/self_attention/query/kernel", "heads last")
    assert NAMING.stored_as("bert/encoder/layer_1/attention/self/query/kernel", scope) == (scope + query[0], query[1])


@pytest.mark.parametrize(
    ("parameter", "name", "change"),
    [
        ("bert/embeddings/position_embeddings", "embedding_postprocessor/position_embeddings", "same"),
        ("bert/encoder/layer_0/attention/output/dense/kernel", "encoder/layer_0/self_attention_output/kernel", "heads first"),
        ("bert/encoder/layer_0/output/LayerNorm/beta", "encoder/layer_0/output_layer_norm/beta", "same"),
        ("cls/predictions/output_bias", "cls/predictions/output_bias/bias", "same"),
        ("cls/predictions/output_bias", "cls/predictions/output_bias", "same"),
        ("cls/seq_relationship/output_weights", "predictions/transform/logits/kernel", "transposed"),
        ("cls/seq_relationship/output_weights", "cls/seq_relationship/output_weights", "same"),
    ],
)  # fmt: skip
def test_of_several_names_the_one_in_the_file_is_taken_with_its_change(parameter, name, change):
    assert NAMING.stored_as(parameter, "", [name]) == (name, change)
    assert NAMING.canonical(name, "") == parameter


@pytest.mark.parametrize("scope", SCOPES)
def test_the_scope_is_what_stands_before_the_word_embeddings(scope):
    assert NAMING.scopes([f"{scope}{WORDS}", f"{scope}{WORDS}/m", "x"]) == [scope]
    assert NAMING.scopes([f"x{WORDS}", "word_embeddings"]) == []


CLASSES = {
    "pooler": ["bert_encoder_v2/pooler_transform/kernel"],
    "heads": ["bert/cls/predictions/x", "bert/next_sentence/pooler_dense/kernel", "predictions/transform/logits/bias"],
    "task heads": ["sentence_prediction/logits/kernel", "classifier/bias"],
    "other encoders": ["bert_encoder_v2_1/transformer/layer_0/x", f"teacher/{WORDS}"],
    "": ["bert_encoder_v2/transformer/layer_9/output/bias", "bert_encoder_v2/x", "bert_encoder_v2/pooler_transform/x"],
}


@pytest.mark.parametrize(("what", "name"), [(what, name) for what, names in CLASSES.items() for name in names])
def test_variables_that_a_load_does_not_read(what, name):
    assert NAMING.class_of(name, TensorSpec(name=name, shape=(4,), dtype="float32"), "bert_encoder_v2/") == what


@pytest.mark.parametrize("name", ["save_counter", "Adam/iter", "do_lower_case", "bert_encoder_v2/x"])
def test_scalars_are_states(name):
    assert NAMING.class_of(name, TensorSpec(name=name, shape=(), dtype="int64"), "bert_encoder_v2/") == "training"


def test_the_head_s_own_pooler_is_a_copy_where_the_heads_are_read():
    name, parameter = "bert/next_sentence/pooler_dense/kernel", "bert/pooler/dense/kernel"

    assert NAMING.copy_of(name, "bert_encoder_v2/", [parameter, HEAD]) == parameter
    assert NAMING.copy_of(name, "bert_encoder_v2/", [parameter]) is None
