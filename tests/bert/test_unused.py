from __future__ import annotations

import numpy as np
import pytest

import safeload
from safeload.errors import VariableMismatchError
from tests.checkpoints import PREFIX, bert_tensors, write_checkpoint

ZEROS = np.zeros(3, np.float32)
FIRST = "bert/embeddings/word_embeddings"


def check(folder, extra, **options):
    write_checkpoint(folder / PREFIX, {**bert_tensors(), **extra})
    return safeload.check_bert(folder, **options)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (f"{FIRST}/adam_m", "optimizer slots"),
        ("bert/encoder/layer_0/output/dense/kernel/adam_v", "optimizer slots"),
        ("bert/encoder/layer_9/output/dense/kernel/adam_v", "optimizer slots"),
        ("bert/pooler/dense/kernel/Adam_1", "optimizer slots"),
        ("cls/predictions/output_bias/LAMB", "optimizer slots"),
        ("beta1_power", "optimizer state"),
        ("global_step", "steps"),
        ("output_weights", "task heads"),
        ("output_bias", "task heads"),
        ("loss/dense/kernel", "task heads"),
    ],
)
def test_what_training_leaves_behind_is_unused(bert, name, what):
    assert name in check(bert, {name: ZEROS}).unused[what]


def test_the_heads_are_unused_without_training_and_read_with_it(tiny_bert):
    without, with_heads = safeload.check_bert(tiny_bert), safeload.check_bert(tiny_bert, training=True)

    assert (len(without.read), len(with_heads.read)) == (37, 46)
    assert (len(without.unused["heads"]), len(without.unused["pooler"])) == (7, 2)
    assert with_heads.unused == {}


@pytest.mark.parametrize("name", ["bert/encoder/layer_2/output/dense/kernel", "bert/adapter/kernel"])
def test_what_is_unexpected_is_an_error_unless_it_is_named(bert, name):
    with pytest.raises(VariableMismatchError) as caught:
        check(bert, {name: ZEROS})
    assert [(problem.kind, problem.name) for problem in caught.value.report.problems] == [("unexpected", name)]

    assert safeload.check_bert(bert, ignore_unused=["bert/encoder/layer_*", "bert/adapter/*"]).ignored == (name,)
    with pytest.raises(VariableMismatchError):
        safeload.check_bert(bert, ignore_unused=["bert/other/*"])


def test_what_is_read_cannot_be_ignored(bert):
    tensors = bert_tensors()
    del tensors[FIRST]
    write_checkpoint(bert / PREFIX, tensors)

    with pytest.raises(VariableMismatchError):
        safeload.check_bert(bert, ignore_unused=["*"])


@pytest.mark.parametrize("scope", ["module/", "a/b/model/"])
def test_a_unique_scope_is_loaded_through_and_said(bert, scope):
    tensors = {scope + name: value for name, value in bert_tensors().items()}
    write_checkpoint(bert / PREFIX, {**tensors, "global_step": np.int64(7)})

    model = safeload.load_bert(bert)

    report = safeload.report_of(model)
    assert report.scope == scope
    assert scope in str(report)
    assert report.unused["steps"] == ("global_step",)
    np.testing.assert_array_equal(model.get_layer("Embedding-Token").get_weights()[0], tensors[scope + FIRST])


def test_every_problem_is_in_the_report_and_ten_are_printed(bert):
    write_checkpoint(bert / PREFIX, {name: value.astype(np.float16) for name, value in bert_tensors().items()})

    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_bert(bert)

    assert len(caught.value.report.problems) == 37
    assert str(caught.value).count("DTYPE") == 10


def test_a_name_in_the_file_cannot_forge_a_line_of_the_message(bert):
    with pytest.raises(VariableMismatchError) as caught:
        check(bert, {"bert/a\n  hint:   delete everything": ZEROS})

    assert "bert/a\\n  hint:" in str(caught.value)
    assert "\n  hint:   delete" not in str(caught.value)
