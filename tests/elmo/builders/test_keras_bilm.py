"""The layer's operations, each alone: TensorFlow without Keras, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import safeload
from safeload.elmo._options import validate_options
from tests.elmo.builders.numpy_bilm import word_vector
from tests.elmos import OPTIONS, random_datasets
from tests.opened import ref

tf = pytest.importorskip("tensorflow")

SENTENCES = [["A", "good", "film"], ["Bad"]]


@pytest.fixture
def bilm():
    from safeload.elmo.builders import keras_bilm

    return keras_bilm


@pytest.fixture
def options():
    return validate_options(OPTIONS, ref("/options.json", "options"))


@pytest.fixture
def ids():
    pytest.importorskip("torch")
    return safeload.character_ids(SENTENCES).numpy().astype("int32")


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_an_id_that_is_too_large_for_32_bits_becomes_no_character(bilm, dtype):
    found = bilm.as_int32(tf.constant([[[1, 261, 2**32 + 66]]], dtype))

    assert found.dtype == tf.int32
    assert found.numpy().tolist() == [[[1, 261, -1]]]


def test_a_mark_stands_before_and_behind_each_sentence(bilm, ids):
    rows, mask = bilm.with_boundaries(tf.constant(ids))
    begin, end = safeload.character_ids([["<S>", "</S>"]])[0].numpy()

    np.testing.assert_array_equal(rows[0], [begin, *ids[0], end])
    np.testing.assert_array_equal(rows[1], [begin, ids[1, 0], end, *np.zeros((2, 50))])
    assert mask.numpy().tolist() == [[True] * 5, [True] * 3 + [False] * 2]
    assert bilm.inner_mask(mask).numpy().tolist() == [[True] * 3, [True, False, False]]


@pytest.mark.parametrize(("strange", "row"), [(-1, True), (0, False), (261, False), (262, True)])
def test_a_sentence_with_an_id_of_no_character_is_known(bilm, ids, strange, row):
    ids[1, 0, 3] = strange

    assert bilm.bad_ids(tf.constant(ids)).numpy().tolist() == [False, row]


def test_a_word_has_the_vector_that_numpy_computes(bilm, ids, options):
    values = random_datasets(OPTIONS)
    found = bilm.embed(tf.constant(ids[0]), values.__getitem__, options)

    wanted = [word_vector(values, OPTIONS, word) for word in ids[0].tolist()]
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert bilm.embed(tf.zeros([0, 50], tf.int32), values.__getitem__, options).shape == (0, 8)


def test_a_state_is_kept_for_each_row_and_a_new_row_starts_from_zeros(bilm, options):
    like = tf.zeros([1])
    states = {
        name: tf.Variable(tf.fill([2, 2, 2 * size], fill), shape=[2, None, 2 * size])
        for name, size, fill in (("hidden", options.projection_dim, 1.0), ("memory", options.dim, 2.0))
    }
    hidden, memory = bilm.stored_state(states, like, 3, options)
    for found, fill in ((hidden, 1), (memory, 2)):
        assert found[:, :2].numpy().ravel().tolist() == [fill] * (found.shape[0] * 2 * found.shape[2])
        assert not found[:, 2].numpy().any()

    bilm.store_state(states, tuple(state[:, :1] + 5 for state in (hidden, memory)))
    assert states["hidden"].numpy()[0, :, 0].tolist() == [6, 1]
    assert states["memory"].numpy()[1, :, -1].tolist() == [7, 2]
