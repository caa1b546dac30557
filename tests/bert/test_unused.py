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


STATE = ("beta1_power", "global_step", "loss_scale", "x/global_step", "learning_rate", "a/b")
SLOTS = (
    "adam_m",
    "adam_v",
    "Adam",
    "Adam_2",
    "LAMB",
    "Momentum_1",
    "AdamWeightDecayOptimizer",
    "ExponentialMovingAverage",
    "vr",
)
KERNEL = "bert/encoder/layer_0/intermediate/dense/kernel"


@pytest.mark.parametrize("name", STATE)
def test_a_scalar_of_training_is_unused(bert, name):
    assert check(bert, {name: np.float32(1)}).unused["training"] == (name,)


@pytest.mark.parametrize("name", ["output_weights", "output_bias", "loss/dense/kernel"])
def test_the_layers_of_a_task_are_unused(bert, name):
    assert check(bert, {name: ZEROS}).unused["task heads"] == (name,)


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("base", [KERNEL, FIRST, "cls/predictions/output_bias", "output_weights"])
def test_a_slot_of_any_optimizer_is_unused(bert, base, slot):
    tensors = {**bert_tensors(), "output_weights": np.ones((2, 3), np.float32)}
    name = f"{base}/{slot}"
    report = check(bert, {"output_weights": tensors["output_weights"], name: tensors[base]})

    assert report.unused["training"] == (name,)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_slot_without_one_axis_is_unused(bert, axis):
    report = check(bert, {f"{KERNEL}/vc": bert_tensors()[KERNEL].sum(axis)})

    assert report.unused["training"] == (f"{KERNEL}/vc",)


@pytest.mark.parametrize("slot", ["adam_m", "Adam", "anything"])
@pytest.mark.parametrize("base", [KERNEL, "cls/predictions/output_bias"])
def test_a_slot_of_another_shape_is_unexpected(bert, base, slot):
    with pytest.raises(VariableMismatchError) as caught:
        check(bert, {f"{base}/{slot}": ZEROS})

    assert [(problem.kind, problem.name) for problem in caught.value.report.problems] == [
        ("unexpected", f"{base}/{slot}")
    ]
    shape = "(16, 32)" if base == KERNEL else "(30)"
    assert caught.value.hints[0] == (
        f"{base}/{slot}: an optimizer's variable for {base} would have its shape, {shape}, or lack one axis of it"
    )


def test_a_slot_of_a_slot_is_unused(bert):
    kernel = bert_tensors()[KERNEL]
    names = (f"{KERNEL}/Adam", f"{KERNEL}/Adam/ExponentialMovingAverage")

    assert check(bert, dict.fromkeys(names, kernel)).unused["training"] == names


POSITIONS, TYPES = "bert/embeddings/position_ids", "bert/embeddings/token_type_ids"


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32])
def test_buffers_that_hold_what_they_must_are_unused(bert, dtype):
    buffers = {POSITIONS: np.arange(20, dtype=dtype)[None], TYPES: np.zeros((1, 20), dtype)}

    assert check(bert, buffers).unused["buffers"] == (POSITIONS, TYPES)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (POSITIONS, np.arange(1, 21)[None]),
        (POSITIONS, np.arange(20)[:, None]),
        (POSITIONS, np.zeros((1, 20), np.int64)),
        (TYPES, np.ones((1, 20), np.int64)),
        (TYPES, np.zeros((2, 20), np.int64)),
    ],
)
def test_buffers_that_hold_anything_else_are_unexpected(bert, name, value):
    with pytest.raises(VariableMismatchError) as caught:
        check(bert, {name: value})
    assert [(problem.kind, problem.name) for problem in caught.value.report.problems] == [("unexpected", name)]
    computed = "the positions 0, 1, 2, ... in one row" if name == POSITIONS else "one row of zeros"
    assert caught.value.hints[0] == f"{name}: BERT computes {computed} here; other values make another model"

    assert check(bert, {name: value}, ignore_unused=[name]).ignored == (name,)


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
    assert report.scope == f"{scope}bert/"
    assert scope in str(report)
    assert report.unused["training"] == ("global_step",)
    np.testing.assert_array_equal(model.get_layer("Embedding-Token").get_weights()[0], tensors[scope + FIRST])


def test_every_problem_is_in_the_report_and_ten_are_printed(bert):
    write_checkpoint(bert / PREFIX, {name: value.astype(np.int32) for name, value in bert_tensors().items()})

    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_bert(bert)

    assert len(caught.value.report.problems) == 37
    assert str(caught.value).count("DTYPE") == 10


def test_a_name_in_the_file_cannot_forge_a_line_of_the_message(bert):
    with pytest.raises(VariableMismatchError) as caught:
        check(bert, {"bert/a\n  hint:   delete everything": ZEROS})

    assert "bert/a\\n  hint:" in str(caught.value)
    assert "\n  hint:   delete" not in str(caught.value)
