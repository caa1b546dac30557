"""What the layer takes as character ids, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from safeload.errors import ArgumentError


@pytest.mark.parametrize("shape", [(4, 50), (2, 4, 49), (2, 3, 4, 50)], ids=str)
def test_other_inputs_are_refused(load, shape):
    with pytest.raises(ArgumentError, match=r"inputs must be character ids \(batch, tokens, 50\), not of the shape"):
        load()(np.zeros(shape, "int32"))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint16", "int64", "uint64"])
def test_ids_of_any_integer_dtype(load, ids, dtype):
    layer, given = load(), np.minimum(ids, 127)

    np.testing.assert_array_equal(layer(given.astype(dtype)), layer(given))


def test_ids_that_a_half_precision_policy_would_round_are_refused(keras, load, ids):
    with pytest.raises(ArgumentError, match="of an integer dtype, not float32"):
        load()(ids.astype("float32"))
    with pytest.raises(ArgumentError, match="of an integer dtype, not float32"):
        load()(keras.Input((None, 50)))


def test_lists_and_ragged_ids(load, ids):
    layer = load()
    ragged = tf.RaggedTensor.from_tensor(tf.constant(ids), lengths=ids.any(axis=-1).sum(axis=1))

    np.testing.assert_array_equal(layer(ids.tolist()), layer(ids))
    np.testing.assert_array_equal(layer(ragged), layer(ids))
    np.testing.assert_array_equal(layer.compute_mask(ragged), layer.compute_mask(ids))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "but a NoneType cannot be converted to a tensor"),
        ([[[1], [2, 3]]], "but a list cannot be converted to a tensor"),
        (tf.sparse.from_dense(np.ones((1, 1, 50), "int32")), "not a sparse tensor"),
    ],
    ids=["none", "ragged list", "sparse"],
)
def test_what_is_no_tensor_is_refused(load, given, message):
    with pytest.raises(ArgumentError, match=rf"inputs must be character ids \(batch, tokens, 50\), {message}"):
        load()(given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda ids: ids.astype("float32"),
            "inputs must be character ids (batch, tokens, 50) of an integer dtype, not float32",
        ),
        (lambda ids: ids > 0, "inputs must be character ids (batch, tokens, 50) of an integer dtype, not bool"),
        (lambda ids: ids[..., :49], "inputs must be character ids (batch, tokens, 50), not of the shape"),
        (lambda ids: ids[0], "inputs must be character ids (batch, tokens, 50), not of the shape"),
        (lambda ids: ids - 1000, "inputs[0, 0, 0] is -741, but character ids are 0 to 261"),
        (lambda ids: ids + 262, "inputs[0, 0, 0] is 521, but character ids are 0 to 261"),
        (lambda ids: tf.RaggedTensor.from_tensor(ids - 1000), "an id is -741, but character ids are 0 to 261"),
    ],
    ids=["floats", "bool", "49 characters", "one sentence", "below 0", "above 261", "ragged"],
)
def test_what_is_no_id_of_a_character_is_refused(load, ids, change, message):
    with pytest.raises(ArgumentError) as caught:
        load()(change(ids))

    assert caught.value.message.startswith(message)
    assert caught.value.argument == "inputs"
