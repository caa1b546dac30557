"""Google's names of a BERT's variables: their scope, what is not read, and what lacks positions."""

from __future__ import annotations

import pytest

from safeload.bert._model import lacks_positions
from safeload.bert.namings.google import Google
from safeload.report import TensorSpec

WORDS, POSITIONS, LAYER = (
    "bert/embeddings/word_embeddings",
    "bert/embeddings/position_embeddings",
    "bert/encoder/layer_0/x",
)
CLASSES = {
    "training": ["beta1_power", "a/loss_scale", "current_loss_scale", "good_steps:0", "global_step", "a/global_step", "bert/global_step"],
    "pooler": ["bert/pooler/dense/kernel", "bert/pooler/dense/bias"],
    "heads": ["cls/predictions/x", "cls/seq_relationship/x"],
    "task heads": ["output_weights", "cls/other/x", "adam_m", "beta3_power"],
    "other encoders": ["bert_1/encoder/layer_0/x", "x/bert/embeddings/y", "encoder/layer_0/x"],
    "buffers": ["bert/embeddings/position_ids", "bert/embeddings/token_type_ids"],
    "": ["bert/encoder/layer_9/x", "bert/pooler/dense/kernels", "bert/x", "bert/encoder/layer_9/x/adam_m"],
}  # fmt: skip


@pytest.mark.parametrize("what", CLASSES)
def test_what_is_not_read_is_explained_or_unexpected(what):
    for name in CLASSES[what]:
        assert Google().class_of(name, TensorSpec(name=name, shape=(3,), dtype="float32"), "bert/") == what


def test_a_scalar_beside_the_encoder_belongs_to_training():
    for name, what in (
        ("x", "training"),
        ("cls/predictions/x", "heads"),
        ("bert/x", ""),
        ("bert_1/encoder/x", "other encoders"),
    ):
        assert Google().class_of(name, TensorSpec(name=name, shape=(), dtype="float32"), "bert/") == what


@pytest.mark.parametrize(
    ("scope", "stored"),
    [
        ("bert/", {"bert/a": "bert/a", "cls/b": "cls/b"}),
        ("module/bert/", {"bert/a": "module/bert/a", "cls/b": "module/cls/b"}),
        ("bert_1/", {"bert/a": "bert_1/a", "cls/b": "cls/b"}),
        ("", {"bert/embeddings/a": "embeddings/a", "cls/b": "cls/b"}),
    ],
)
def test_the_heads_stand_beside_the_encoder(scope, stored):
    naming = Google()
    for parameter, name in stored.items():
        assert naming.stored_as(parameter, scope) == (name, "same")
        assert naming.canonical(name, scope) == parameter


def test_the_scope_is_what_stands_before_the_embeddings():
    assert Google().scopes([WORDS, LAYER]) == ["bert/"]
    assert Google().scopes([f"module/{WORDS}"]) == ["module/bert/"]
    assert Google().scopes([f"b/{WORDS}", f"a/{WORDS}"]) == ["a/bert/", "b/bert/"]
    assert Google().scopes([WORDS.removeprefix("bert/"), "my_embeddings/word_embeddings"]) == [""]
    assert Google().scopes([LAYER]) == []


@pytest.mark.parametrize(
    ("names", "yes"),
    [
        ([WORDS, LAYER], True),
        ([WORDS, LAYER, POSITIONS], False),
        ([WORDS], False),
        ([LAYER], False),
        ([WORDS, "bert/encoder/layer_1/x"], False),
        ([WORDS, LAYER, f"other/{POSITIONS}"], True),
    ],
    ids=str,
)
def test_nezha_is_a_bert_without_positions(names, yes):
    assert lacks_positions(names, Google(), "bert/") is yes
    assert lacks_positions([f"a/{name}" for name in names], Google(), "a/bert/") is yes
