"""Checkpoints in other types than float32: TensorFlow writes them, safeload reads float32 without loss."""

from __future__ import annotations

import numpy as np
import pytest

import safeload
from safeload._model_kind import Request
from safeload._steps import check
from safeload.bert._arguments import build_options
from safeload.bert._model import bert as bert_kind
from safeload.errors import CorruptFileError, VariableMismatchError
from tests.checkpoints import PREFIX, bert_tensors, write_checkpoint

WORD = "bert/embeddings/word_embeddings"


def values_of(folder):
    kind = bert_kind(build_options(training=False, seq_len=None))
    return check(kind, Request(config=folder), keep_values=True)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_every_value_is_kept(bert, dtype):
    tf = pytest.importorskip("tensorflow")
    tensors = {name: tf.cast(value, dtype) for name, value in bert_tensors().items()}
    write_checkpoint(bert / PREFIX, tensors)
    checked = values_of(bert)

    for name, value in checked.values.items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, tf.cast(tensors[name], "float32").numpy())
    assert checked.report.notes == (f"37 of 37 variables are stored as {dtype}; read as float32, without loss",)
    assert checked.report.warnings == ()
    assert safeload.check_bert(bert).notes == checked.report.notes


def test_a_model_in_float16_predicts_like_its_values(bert):
    pytest.importorskip("keras_bert")
    write_checkpoint(bert / PREFIX, {name: value.astype("float16") for name, value in bert_tensors().items()})
    model = safeload.load_bert(bert)

    np.testing.assert_array_equal(
        model.get_layer("Embedding-Token").get_weights()[0], bert_tensors()[WORD].astype("float16").astype("float32")
    )


@pytest.mark.parametrize("keep_values", [False, True])
def test_a_double_that_is_no_float_is_counted_and_named(bert, keep_values):
    tensors = {name: value.astype(np.float64) for name, value in bert_tensors().items()}
    tensors[WORD][2, 3] = tensors[WORD][5, 1] = 0.1
    tensors["bert/embeddings/LayerNorm/beta"][1] = 1e300
    write_checkpoint(bert / PREFIX, tensors)
    with pytest.raises(VariableMismatchError) as caught:
        check(bert_kind(build_options(training=False, seq_len=None)), Request(config=bert), keep_values=keep_values)

    problems = caught.value.report.problems
    assert [(problem.kind, problem.name, problem.found.dtype) for problem in problems] == [
        ("dtype", WORD, "float64"),
        ("dtype", "bert/embeddings/LayerNorm/beta", "float64"),
    ]
    assert caught.value.hints[0] == (f"{WORD}: 2 of 480 values are not exactly float32; the first is 0.1 at [2, 3]")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_nan_and_infinity_are_found_in_every_type(bert, dtype, value):
    tf = pytest.importorskip("tensorflow")
    tensors = {name: tf.cast(values, dtype) for name, values in bert_tensors().items()}
    spoilt = bert_tensors()[WORD]
    spoilt[0, 0] = value
    write_checkpoint(bert / PREFIX, {**tensors, WORD: tf.cast(spoilt, dtype)})
    with pytest.raises(CorruptFileError, match="1 of 480 values are NaN or infinite"):
        safeload.check_bert(bert)


def test_integers_are_no_weights(bert):
    write_checkpoint(bert / PREFIX, {name: value.astype(np.int32) for name, value in bert_tensors().items()})
    with pytest.raises(VariableMismatchError, match="37 wrong dtype"):
        safeload.check_bert(bert)
