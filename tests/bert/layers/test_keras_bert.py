"""The layers of keras-bert's models are those that the model computes."""

from __future__ import annotations

import numpy as np
import pytest

import safeload
from safeload.bert.layers import LOWEST, Inputs, fixed_inputs
from safeload.bert.layers.keras_bert import compute

keras_bert = pytest.importorskip("keras_bert")

ENCODER = ["embeddings", "layer 0", "layer 1"]
HEADS = ["pooler", "mlm", "nsp"]


@pytest.mark.parametrize("seq_len", [20, None])
def test_the_last_layer_is_the_output(seq_len, tiny_bert):
    model = safeload.load_bert(tiny_bert, seq_len=seq_len)
    inputs = fixed_inputs(30, 20)
    found = compute(model, inputs)

    assert list(found) == ENCODER
    assert {each.shape for each in found.values()} == {(3, 20, 16)}
    assert {each.dtype for each in found.values()} == {np.dtype("float32")}
    wanted = np.asarray(model([inputs.tokens, inputs.segments], training=False))
    words = inputs.mask == 1
    np.testing.assert_allclose(found["layer 1"][words], wanted[words], rtol=0, atol=1e-6)
    assert not found["layer 1"][~words].any()


def test_the_heads_are_logarithms_of_the_outputs(tiny_bert):
    model = safeload.load_bert(tiny_bert, seq_len=20, training=True)
    inputs = fixed_inputs(30, 20)
    found = compute(model, inputs)

    assert list(found) == [*ENCODER, *HEADS]
    assert [found[name].shape for name in HEADS] == [(3, 16), (3, 20, 30), (3, 2)]
    mlm, nsp = model([inputs.tokens, inputs.segments, np.ones_like(inputs.tokens)], training=False)
    words = inputs.mask == 1
    np.testing.assert_allclose(np.exp(found["mlm"][words]), np.asarray(mlm)[words], rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.exp(found["nsp"]), np.asarray(nsp), rtol=0, atol=1e-6)


def test_a_graph_for_more_tokens_computes_as_few_as_it_is_given(tiny_bert):
    inputs = fixed_inputs(30, 8)
    long, any_length = (compute(safeload.load_bert(tiny_bert, seq_len=n), inputs) for n in (20, None))

    assert {each.shape for each in long.values()} == {(3, 8, 16)}
    assert all(np.array_equal(long[name], any_length[name]) for name in ENCODER)


def test_dropout_is_off_and_what_a_model_has_besides_does_not_matter(tiny_bert):
    inputs = fixed_inputs(30, 20)
    plain = compute(safeload.load_bert(tiny_bert), inputs)
    model = safeload.load_bert(tiny_bert, dropout_rate=0.5, output_layer_num=2, trainable=True)

    assert any("Dropout" in layer.name for layer in model.layers)
    assert all(np.array_equal(found, plain[name]) for name, found in compute(model, inputs).items())


def test_an_embedding_of_tasks_gets_task_0(tiny_bert):
    import tensorflow as tf

    inputs = fixed_inputs(30, 20)
    model = safeload.load_bert(tiny_bert, use_task_embed=True, task_num=3)
    wanted = model([inputs.tokens, inputs.segments, tf.zeros((3, 1))], training=False)

    words = inputs.mask == 1
    np.testing.assert_allclose(compute(model, inputs)["layer 1"][words], np.asarray(wanted)[words], rtol=0, atol=1e-6)


def test_a_probability_that_is_lost_is_the_lowest(tiny_bert):
    model = safeload.load_bert(tiny_bert, training=True, seq_len=None)
    layer = model.get_layer("NSP")
    layer.set_weights([layer.get_weights()[0], np.array([0, 500], np.float32)])

    assert compute(model, Inputs(*fixed_inputs(30, 20)))["nsp"].tolist() == [[LOWEST, 0]] * 3
