"""Google's names of a BERT's variables: their scope, what is not read, and what lacks positions."""

from __future__ import annotations

import pytest

from safeload.bert.namings.google import Google, lacks_positions

CLASSES = {
    "optimizer slots": ["x/adam_m", "x/adam_v", "x/Adam", "x/Adam_1", "x/LAMB", "x/LAMB_1", "x/lamb_m", "x/lamb_v",
                        "bert/x/Momentum", "x/Adagrad", "x/Ftrl", "x/Ftrl_1"],
    "optimizer state": ["beta1_power", "beta2_power", "a/loss_scale", "loss_scale", "current_loss_scale", "good_steps", "good_steps:0"],
    "steps": ["global_step", "a/global_step"],
    "pooler": ["bert/pooler/dense/kernel", "bert/pooler/dense/bias"],
    "heads": ["cls/predictions/x", "cls/seq_relationship/x"],
    "task heads": ["output_weights", "cls/other/x", "adam_m", "beta3_power", "x/adam_mm"],
}  # fmt: skip
UNEXPECTED = ["bert/encoder/layer_9/x", "bert/pooler/dense/kernels", "bert/x", "bert/adam_mm"]


def test_what_is_not_read_is_explained_or_unexpected():
    names = [name for row in CLASSES.values() for name in row]

    assert Google().sort_unused([*names, *UNEXPECTED]) == (CLASSES, UNEXPECTED)


WORDS, POSITIONS, LAYER = (
    "bert/embeddings/word_embeddings",
    "bert/embeddings/position_embeddings",
    "bert/encoder/layer_0/x",
)


def test_the_scope_is_what_stands_before_every_name():
    assert Google().scopes([WORDS, LAYER]) == [""]
    assert Google().scopes([f"module/{WORDS}"]) == ["module/"]
    assert Google().scopes([f"b/{WORDS}", f"a/{WORDS}"]) == ["a/", "b/"]
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
    assert lacks_positions(names, "") is yes
    assert lacks_positions([f"a/{name}" for name in names], "a/") is yes
