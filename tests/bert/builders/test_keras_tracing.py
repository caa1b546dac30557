from __future__ import annotations

import functools
import threading

import numpy as np
import pytest

import safeload
from safeload._frameworks.tensorflow import require_keras_bert
from safeload.bert.builders.keras_tracing import trace_alike_layers_once


@pytest.fixture(scope="module")
def tf():
    return require_keras_bert().tf


def traced_names(tf, build):
    """Return the names of the layers whose call Keras really traced."""
    names = []

    class Noisy(tf.keras.layers.Dense):
        def call(self, inputs, factor=1):
            names.append(self.name)
            return factor * super().call(inputs)

    build(Noisy)
    return names


def test_every_layer_is_as_if_it_had_been_traced(tiny_bert):
    import keras_bert

    require_keras_bert()
    files = str(tiny_bert / "bert_config.json"), str(tiny_bert / "bert_model.ckpt")
    theirs = keras_bert.load_trained_model_from_checkpoint(*files, training=True)
    ours = safeload.load_bert(tiny_bert, training=True)

    for one, other in zip(theirs.layers, ours.layers, strict=True):
        assert {name: type(value) for name, value in vars(one).items()} == {
            name: type(value) for name, value in vars(other).items()
        }
        assert (str(one.output), str(one.output_mask)) == (str(other.output), str(other.output_mask))
        assert str(one._saved_model_arg_spec) == str(other._saved_model_arg_spec)


def test_alike_layers_are_traced_once_and_others_each(tf):
    def build(layer):
        inputs = output = tf.keras.layers.Dense(4)(tf.keras.Input((4,)))
        with trace_alike_layers_once(tf):
            for number, units in enumerate((4, 4, 5), 1):
                output = layer(units, name=f"Encoder-{number}-Dense")(output)
                assert output.shape[1] == units
            layer(4, name="Other-1")(inputs)
            layer(4, name="Other-2")(inputs)

    assert traced_names(tf, build) == ["Encoder-1-Dense", "Encoder-3-Dense", "Other-1", "Other-2"]


def test_layers_are_not_alike_whose_inputs_differ(tf):
    flat, square = tf.keras.Input((4,)), tf.keras.Input((4, 4))
    masked = tf.keras.layers.Masking()(square)

    def build(layer):
        with trace_alike_layers_once(tf):
            assert layer(5, name="Encoder-1-Dense")(flat).shape == (None, 5)
            assert layer(5, name="Encoder-2-Dense")(square).shape == (None, 4, 5)
            assert layer(5, name="Encoder-3-Dense")(masked)._keras_mask.shape == (None, 4)
            layer(5, name="Encoder-4-Dense")(flat, factor=2)
            layer(5, name="Encoder-5-Dense")(square)

    assert traced_names(tf, build) == [f"Encoder-{number}-Dense" for number in (1, 2, 3, 4)]


def test_layers_without_a_config_are_traced_each(tf):
    def build(layer):
        class Nameless(layer):
            def get_config(self):
                raise TypeError("no name")

        inputs = tf.keras.Input((4,))
        with trace_alike_layers_once(tf):
            for number, units in enumerate((5, 6), 1):
                assert Nameless(units, name=f"Encoder-{number}-Dense")(inputs).shape == (None, units)

    assert traced_names(tf, build) == ["Encoder-1-Dense", "Encoder-2-Dense"]


def test_another_threads_layers_are_traced_as_ever(tf):
    def build(layer):
        inputs = tf.keras.Input((4,))
        with trace_alike_layers_once(tf):
            layer(4, name="Encoder-1-Dense")(inputs)
            thread = threading.Thread(target=lambda: layer(4, name="Encoder-2-Dense")(inputs))
            thread.start()
            thread.join()

    assert traced_names(tf, build) == ["Encoder-1-Dense", "Encoder-2-Dense"]


def test_keras_is_as_it_was_afterwards_whatever_happens(tf):
    layer = tf.keras.layers.Layer
    before = layer._infer_output_signature

    with trace_alike_layers_once(tf):
        assert layer._infer_output_signature is not before
    with pytest.raises(ZeroDivisionError), trace_alike_layers_once(tf):
        1 / 0  # noqa: B018  (any failure)

    assert layer._infer_output_signature is before


def test_an_activation_that_keras_cannot_write_down_builds_as_in_keras_bert(tiny_bert, tf):
    tokens = [np.arange(20)[None], np.zeros((1, 20))]
    named = safeload.load_bert(tiny_bert, attention_activation="relu")
    partial = safeload.load_bert(tiny_bert, attention_activation=functools.partial(tf.nn.relu))

    np.testing.assert_array_equal(named(tokens), partial(tokens))
