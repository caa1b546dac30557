"""Hugging Face's names of a BERT's tensors."""

from __future__ import annotations

import pytest

from safeload.bert._parameters import FIRST_VARIABLE, HEAD
from safeload.bert.namings.hugging_face import HuggingFace
from safeload.report import TensorSpec
from tests.bert.namings.laws import require_one_name_each

NAMING = HuggingFace()
WORDS = "embeddings.word_embeddings.weight"
SCOPES = {"bert.": "", "": "", "teacher.bert.": "teacher.", "text_encoder.": ""}


@pytest.mark.parametrize("scope", SCOPES)
def test_each_parameter_has_one_name_and_each_name_is_one_parameter(scope):
    require_one_name_each(NAMING, scope)
    beside = SCOPES[scope]
    assert NAMING.stored_as(HEAD, scope) == (f"{beside}cls.predictions.bias", "same")
    query = ("encoder.layer.1.attention.self.query.weight", "transposed")
    assert NAMING.stored_as("bert/encoder/layer_1/attention/self/query/kernel", scope) == (scope + query[0], query[1])


@pytest.mark.parametrize(
    ("parameter", "old"),
    [
        ("bert/embeddings/LayerNorm/gamma", "bert.embeddings.LayerNorm.gamma"),
        ("bert/encoder/layer_0/output/LayerNorm/beta", "bert.encoder.layer.0.output.LayerNorm.beta"),
    ],
)
def test_of_several_names_the_one_in_the_file_is_taken(parameter, old):
    assert NAMING.stored_as(parameter, "bert.", [old])[0] == old
    assert NAMING.canonical(old, "bert.") == parameter


@pytest.mark.parametrize("scope", SCOPES)
def test_the_scope_is_what_stands_before_the_embeddings(scope):
    assert NAMING.scopes([f"{scope}{WORDS}", "x"]) == [scope]
    assert NAMING.scopes([f"x{WORDS}", "embeddings.word_embeddings"]) == []


CLASSES = {
    "pooler": ["bert.pooler.dense.weight", "bert.pooler.dense.bias"],
    "heads": ["cls.predictions.bias", "cls.predictions.decoder.weight", "cls.seq_relationship.x"],
    "task heads": ["classifier.weight", "qa_outputs.bias", "dropout"],
    "other encoders": ["bert_1.encoder.layer.0.x", "teacher.bert.embeddings.x"],
    "buffers": ["bert.embeddings.position_ids", "bert.embeddings.token_type_ids"],
    "": ["bert.encoder.layer.9.output.dense.bias", "bert.encoder.x", "bert.x", "bert.pooler.x"],
}


@pytest.mark.parametrize("what", CLASSES)
def test_what_is_not_read_is_explained_or_unexpected(what):
    for name in CLASSES[what]:
        assert NAMING.class_of(name, TensorSpec(name=name, shape=(3,), dtype="float32"), "bert.") == what


def test_the_decoder_may_have_the_only_bias():
    assert NAMING.stored_as(HEAD, "bert.", ["cls.predictions.decoder.bias"])[0] == "cls.predictions.decoder.bias"


def test_a_number_of_any_length_is_a_name_like_others():
    name = f"bert.encoder.layer.{'9' * 5000}.output.dense.bias"

    assert NAMING.canonical(name, "bert.") == name


def test_copies_in_the_heads_count_if_the_heads_are_read():
    decoder = "cls.predictions.decoder.weight"

    assert NAMING.copy_of(decoder, "bert.", [FIRST_VARIABLE]) is None
    assert NAMING.copy_of(decoder, "bert.", [FIRST_VARIABLE, HEAD]) == FIRST_VARIABLE
    assert NAMING.copy_of("cls.predictions.decoder.bias", "bert.", [HEAD]) == HEAD
    assert NAMING.copy_of("cls.predictions.bias", "bert.", [HEAD]) is None
