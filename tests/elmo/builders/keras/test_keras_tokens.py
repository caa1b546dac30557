"""Words as character ids inside the graph: the same ids as AllenNLP's."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import safeload
from safeload.errors import ArgumentError, SafeLoadWarning
from tests.elmo.shapes import SENTENCES


@pytest.fixture
def tokens(keras):  # noqa: ARG001  (which Keras it is must be proven first)
    from safeload.keras import ElmoTokens

    return ElmoTokens()


def test_a_ragged_batch_has_the_ids_of_character_ids(tokens):
    found = tokens(tf.ragged.constant(SENTENCES))

    assert found.dtype == tf.int32
    np.testing.assert_array_equal(found, safeload.character_ids(SENTENCES).numpy())


def test_in_a_dense_batch_an_empty_string_is_no_token(tokens):
    found = tokens(tf.constant([["Hello", "world"], ["Bye", ""]]))

    np.testing.assert_array_equal(found, safeload.character_ids([["Hello", "world"], ["Bye"]]).numpy())
    np.testing.assert_array_equal(tokens.compute_mask(tf.constant([["a", ""]])), [[True, False]])


@pytest.mark.filterwarnings("ignore::safeload.errors.SafeLoadWarning")
@settings(max_examples=200, deadline=None)
@given(
    sentence=st.lists(st.text() | st.sampled_from(["<S>", "</S>", "\0", "ä" * 24, "ä" * 25]), min_size=1, max_size=5)
)
def test_any_words_have_the_ids_of_character_ids(sentence):
    from safeload.keras import ElmoTokens

    words = [word.encode("utf-8", "ignore") for word in sentence]
    found = ElmoTokens()(tf.RaggedTensor.from_row_lengths(tf.constant(words), [len(words)]))

    np.testing.assert_array_equal(found, safeload.character_ids([sentence]).numpy())


def test_it_maps_over_a_dataset(tokens):
    rows = tf.data.Dataset.from_tensor_slices(["Hello world !", "Bye"]).map(tf.strings.split)
    batch = next(iter(rows.ragged_batch(2).map(tokens)))

    np.testing.assert_array_equal(batch, safeload.character_ids([["Hello", "world", "!"], ["Bye"]]).numpy())


def test_a_serving_model_takes_words(keras, load, tokens):
    words = keras.Input((None,), dtype="string")
    layer = load()
    model = keras.Model(words, layer(tokens(words)))
    given = tf.constant([["Hello", "world"]])

    np.testing.assert_allclose(model.predict(given, verbose=0), layer(tokens(given)), atol=1e-6)


def test_a_config_makes_the_same_layer(tokens):
    again = type(tokens).from_config(tokens.get_config())

    np.testing.assert_array_equal(again(tf.constant([["a"]])), tokens(tf.constant([["a"]])))


@pytest.mark.parametrize("words", [["flat"], [[1, 2]], [[["deep"]]]], ids=str)
def test_other_inputs_are_refused(tokens, words):
    with pytest.raises(ArgumentError, match=r"inputs must be words \(batch, tokens\) of dtype string"):
        tokens(tf.constant(words))


@pytest.mark.parametrize("words", [[["Hello", "world"]], np.array([["Hello", "world"]])], ids=["list", "array"])
def test_lists_and_arrays_of_words(tokens, words):
    np.testing.assert_array_equal(tokens(words), safeload.character_ids([["Hello", "world"]]).numpy())


def test_a_ragged_list_is_refused_with_the_way_to_pass_it(tokens):
    with pytest.raises(ArgumentError, match="but a list cannot be converted to a tensor") as caught:
        tokens([["Hello", "world"], ["Bye"]])
    assert any("tf.ragged.constant" in hint for hint in caught.value.hints)


def test_bytes_that_are_no_utf8_are_themselves(tokens):
    found = tokens(tf.constant([[b"\xff\x00"]]))[0, 0]

    np.testing.assert_array_equal(found[:5], [258 + 1, 256, 1, 260, 261])


@pytest.mark.parametrize("dtype", [object, str, "S"], ids=str)
def test_arrays_of_strings_are_words(keras, load, tokens, dtype):
    words = np.array([["Hello", "world"], ["Bye", ""]], dtype=dtype)
    wanted = safeload.character_ids([["Hello", "world"], ["Bye"]]).numpy()
    given = keras.Input((None,), dtype="string")
    layer = load()

    np.testing.assert_array_equal(tokens(words), wanted)
    np.testing.assert_allclose(keras.Model(given, layer(tokens(given)))(words), layer(wanted), atol=1e-6)


@pytest.mark.parametrize(
    "words",
    [
        np.array([["a", None]], dtype=object),
        np.array([["a", float("nan")]], dtype=object),
        np.array([["a"], ["b", "c"]], dtype=object),
        np.array(["a", "b"], dtype=object),
        "A good film",
        np.array([[1, 2]], dtype=object),
    ],
    ids=["none", "nan", "lists", "flat", "text", "numbers"],
)
def test_arrays_of_anything_else_are_refused(tokens, words):
    with pytest.raises(ArgumentError, match=r"inputs must be words \(batch, tokens\) of dtype string"):
        tokens(words)


@pytest.mark.parametrize(
    "words", [[["A good film", "x"]], tf.ragged.constant([["A good film", "x"], []])], ids=["dense", "ragged"]
)
def test_a_word_with_a_space_is_warned_of_where_its_text_is_known(keras, tokens, words):
    with pytest.warns(SafeLoadWarning, match="1 of 2 words contains a space, such as 'A good film'") as caught:
        tokens(words)
    assert caught[0].filename == __file__

    given = keras.Input((None,), dtype="string")
    keras.Model(given, tokens(given)).predict(tf.constant([["A good film"]]), verbose=0)
