"""Reports on names, and on weights that never arrived."""

from __future__ import annotations

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload.compat import keras_bert as drop_in
from safeload.errors import ArgumentError
from tests.checkpoints import bert_tensors, write_checkpoint

PREFIX = "bert_model.ckpt"
WORDS = "bert/embeddings/word_embeddings"
KERNEL = "bert/encoder/layer_0/intermediate/dense/kernel"
QUERY = "bert/encoder/layer_0/attention/self/query/kernel"


def loaded(folder, **options):
    pytest.importorskip("keras_bert")
    return safeload.load_bert(folder, **options)


def values_of(model):
    return {weight.name: weight.numpy() for weight in model.weights}


def with_more(folder, more):
    """Write BERT's variables and some more."""
    write_checkpoint(folder / PREFIX, {**bert_tensors(), **more})
    return folder


def test_F1_scope_in_front(tmp_path, said):
    testing.write_bert_checkpoint(tmp_path / "m", scope="module/")
    assert safeload.check_bert(tmp_path / "m").scope == "module/bert/"
    said.handled("one scope before every name is detected and removed; the report's `scope` says which")


def test_F8_no_heads(tmp_path):
    safeload.check_bert(testing.write_bert_checkpoint(tmp_path / "m", heads=False))


def test_F11_task_heads(bert, said):
    tensors = bert_tensors()
    testing.write_checkpoint(
        bert / PREFIX, {**tensors, "output_weights": np.zeros((2, 16), np.float32), "output_bias": np.zeros(2)}
    )
    assert safeload.check_bert(bert).unused["task heads"] == ("output_bias", "output_weights")
    said.handled("the variables of a task are left out, and listed in the report's `unused`")


def test_F12_optimizer_slots(tmp_path, said):
    testing.write_bert_checkpoint(tmp_path / "m", slots=True)
    unused = safeload.check_bert(tmp_path / "m").unused
    assert len(unused["training"]) == 93
    assert "global_step" in unused["training"]
    said.handled("the optimizer's variables and the step are left out, and listed by class in the report's `unused`")


def test_F13_saver_and_placeholders(bert, said):
    import tensorflow as tf

    before = len(tf.compat.v1.get_default_graph().get_operations())
    loaded(bert)
    assert len(tf.compat.v1.get_default_graph().get_operations()) == before
    said.handled("the values are read without TensorFlow and assigned eagerly, without a Saver or a graph operation")


def test_G2_weights_without_effect(bert, said):
    values = values_of(loaded(bert))
    words = testing._bert.bert_tensors()[WORDS]
    assert np.array_equal(values["Embedding-Token/embeddings:0"], words)
    said.handled(
        "every variable of the finished model is filled once, and compared with the file before the call returns"
    )


def test_G3_loaded_twice(bert, said):
    first, second = values_of(loaded(bert)), values_of(loaded(bert))
    assert all(np.array_equal(a, b) for a, b in zip(first.values(), second.values(), strict=True))
    said.handled(
        "a second load in the same process is as complete as the first, because layers are not matched by number"
    )


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_G7_unknown_layer(bert, tmp_path, said):
    model = loaded(bert, seq_len=8)
    import keras_bert
    import tensorflow as tf

    model.save(str(tmp_path / "model.h5"))
    again = tf.keras.models.load_model(str(tmp_path / "model.h5"), custom_objects=keras_bert.get_custom_objects())
    inputs = [np.ones((1, 8)), np.zeros((1, 8))]
    assert np.array_equal(again(inputs), model(inputs))
    said.handled(
        "the model is keras-bert's own; to read a saved one with Keras, pass custom_objects=keras_bert.get_custom_objects()"
    )


def test_F14_slots_of_any_optimizer(bert, said):
    kernel = bert_tensors()[KERNEL]
    slots = {
        f"{KERNEL}/{slot}": kernel
        for slot in ("AdamWeightDecayOptimizer", "LAMB_1", "Momentum", "ExponentialMovingAverage")
    }
    adafactor = {f"{KERNEL}/vr": kernel.mean(1), f"{KERNEL}/vc": kernel.mean(0)}
    report = safeload.check_bert(with_more(bert, {**slots, **adafactor, "beta1_power": np.float32(1)}))
    assert sorted(report.unused["training"]) == sorted([*slots, *adafactor, "beta1_power"])
    said.handled(
        "a variable named like another one plus one more part, with the same shape or one axis less, belongs to an "
        'optimizer; the report\'s `unused` lists it under "training"'
    )


def test_F16_buffers_of_a_converter(bert, said):
    buffers = {
        "bert/embeddings/position_ids": np.arange(20)[None],
        "bert/embeddings/token_type_ids": np.zeros((1, 20), np.int64),
    }
    assert safeload.check_bert(with_more(bert, buffers)).unused["buffers"] == tuple(buffers)
    said.handled("buffers that BERT computes itself are left out, and listed in the report's `unused`")


def test_F18_half_precision(bert, said):
    import tensorflow as tf

    for dtype in ("float64", "bfloat16", "float16"):
        stored = {name: tf.cast(value, dtype) for name, value in bert_tensors().items()}
        write_checkpoint(bert / PREFIX, stored)
        values = values_of(loaded(bert))["Embedding-Token/embeddings:0"]
        assert np.array_equal(values, tf.cast(stored[WORDS], "float32"))
    said.noted(safeload.check_bert(bert))


def test_F20_two_encoders(bert, said):
    second = {name.replace("bert/", "bert_1/"): value * 2 for name, value in bert_tensors().items()}
    with_more(bert, second)
    words = values_of(loaded(bert, scope="bert_1"))["Embedding-Token/embeddings:0"]
    assert np.array_equal(words, second["bert_1/embeddings/word_embeddings"])
    assert said.warned(lambda: safeload.check_bert(bert)).scope == "bert/"


def test_F24_a_discriminator_of_ones_own(bert, said):
    more = {"discriminator/dense/kernel": np.ones((16, 2), np.float32)}
    assert safeload.check_bert(with_more(bert, more)).unused["task heads"] == tuple(more)
    said.handled("only ELECTRA's own names mean an ELECTRA; other variables beside the encoder belong to a task")


def test_G8_more_layers_than_there_are(bert, said):
    pytest.importorskip("keras_bert")
    files = bert / "bert_config.json", bert / PREFIX
    model = said.warned(lambda: drop_in.load_trained_model_from_checkpoint(*files, output_layer_num=12))
    assert model.output_shape == (None, 20, 2 * 16)
    with pytest.raises(ArgumentError):
        safeload.load_bert(bert, output_layer_num=12)


def test_G9_untrained_head(bert, said):
    tensors = bert_tensors()
    for name, values in tensors.items():
        if name.startswith("cls/predictions/") and values.ndim == 1:
            values[...] = name.endswith("gamma")
    write_checkpoint(bert / PREFIX, tensors)
    assert len(said.warned(lambda: safeload.check_bert(bert, training=True)).warnings) == 1
