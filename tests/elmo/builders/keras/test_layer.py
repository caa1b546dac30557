"""A citizen of Keras: functional and subclassed models, training, graphs, configs, precision, XLA, strategies."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import safeload
from safeload.errors import ArgumentError, ConfigError
from tests.elmos import OPTIONS, SMALLEST, write_elmo

UNITS = 2 * OPTIONS["lstm"]["projection_dim"]


def classifier(keras, layer):
    """Return a functional model of two classes on the sentences' mean, which takes the mask from the layer."""
    ids = keras.Input((None, 50), dtype="int32")
    mean = keras.layers.GlobalAveragePooling1D()(layer(ids))
    return keras.Model(ids, keras.layers.Dense(2, activation="softmax")(mean))


def values_of(layer):
    return {name: np.asarray(variable) for name, variable in layer.datasets.items()}


def test_every_dataset_is_a_variable_with_its_name_and_values(load, folder):
    import h5py

    layer = load()

    with h5py.File(folder / "weights.hdf5") as file:
        for name, variable in layer.datasets.items():
            assert variable.name.removesuffix(":0") == name.replace("/", ".")
            np.testing.assert_array_equal(np.asarray(variable), file[name][...])
    assert len(layer.datasets) == len(layer.weights) - 2
    assert safeload.report_of(layer).backend == "keras"
    assert safeload.report_of(layer).versions["tensorflow"] == tf.__version__


@pytest.mark.parametrize("jit", [False, True])
def test_a_classifier_learns_and_a_frozen_bilm_stays(keras, load, ids, jit):
    keras.utils.set_random_seed(0)
    layer = load(dropout=0.0)
    model = classifier(keras, layer)
    before = values_of(layer)
    model.compile(keras.optimizers.Adam(0.1), "sparse_categorical_crossentropy", jit_compile=jit)
    repeated, labels = np.tile(ids, (10, 1, 1)), np.tile([0, 1, 0, 1], 10)

    losses = model.fit(repeated, labels, batch_size=4, epochs=6, shuffle=False, verbose=0).history["loss"]

    assert losses[-1] < np.log(2) / 2, "a classifier of two classes that has learned nothing has a loss of log(2)"
    assert all(np.array_equal(before[name], value) for name, value in values_of(layer).items())
    assert not np.allclose(np.asarray(layer.trainable_weights[0]), 0)


def test_a_trainable_bilm_is_trained(keras, load, ids):
    layer = load(requires_grad=True)
    model = classifier(keras, layer)
    before = values_of(layer)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    model.fit(ids, np.array([0, 1, 0, 1]), verbose=0)

    assert [name for name, value in values_of(layer).items() if np.array_equal(before[name], value)] == []


def test_fixed_sums_and_a_frozen_bilm_have_nothing_to_train(load):
    assert load(scalar_mix_parameters=[0, 1]).trainable_weights == []
    assert len(load(num_output_representations=2).trainable_weights) == 4


def test_a_subclassed_model_and_a_tf_function_give_the_same(keras, load, ids):
    layer = load()

    class Tagger(keras.Model):
        def __init__(self):
            super().__init__()
            self.elmo = layer

        def call(self, inputs):
            return self.elmo(inputs)

    wanted = layer(ids).numpy()
    compiled = tf.function(layer, input_signature=[tf.TensorSpec((None, None, 50), tf.int32)])

    np.testing.assert_allclose(Tagger()(ids), wanted, atol=1e-6)
    np.testing.assert_allclose(Tagger().predict(ids, verbose=0), wanted, atol=1e-6)
    np.testing.assert_allclose(compiled(ids), wanted, atol=1e-6)
    np.testing.assert_allclose(compiled(ids[:2, :3]), layer(ids[:2, :3]), atol=1e-6)


@pytest.fixture(scope="module")
def compiled(keras, tmp_path_factory):  # noqa: ARG001  (which Keras it is must be proven first)
    """Return a layer, and it compiled by XLA; compiling takes long, so that tests share it."""
    folder = tmp_path_factory.mktemp("elmo")
    write_elmo(folder, SMALLEST)
    layer = safeload.load_elmo(folder, backend="keras")
    return layer, tf.function(layer, jit_compile=True)


def test_xla_compiles_it(compiled, ids):
    layer, fast = compiled
    given = ids.astype("int64")

    np.testing.assert_allclose(fast(tf.constant(given)), layer(given), atol=1e-5)


def test_keras_carries_the_mask(keras, load, ids):
    inputs = keras.Input((None, 50), dtype="int32")
    found = keras.layers.LSTM(3, return_sequences=False)(load()(inputs))
    model = keras.Model(inputs, found)
    padded = np.pad(ids, [[0, 0], [0, 5], [0, 0]])

    np.testing.assert_allclose(model.predict(padded, verbose=0), model.predict(ids, verbose=0), atol=1e-6)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("marks", [False, True])
def test_symbolic_shapes(keras, load, count, marks):
    found = load(num_output_representations=count, keep_sentence_boundaries=marks)(keras.Input((7, 50), dtype="int32"))

    assert isinstance(found, list) == (count > 1)
    for each in found if count > 1 else [found]:
        assert tuple(each.shape) == (None, 9 if marks else 7, UNITS)


def test_dropout_is_for_training_alone(load, ids):
    layer = load(dropout=0.5)
    trained = layer(ids, training=True).numpy()

    assert 0.3 < (trained[0, :4] == 0).mean() < 0.7
    np.testing.assert_array_equal(layer(ids), layer(ids, training=False))


def test_a_config_makes_the_same_layer_without_weights(load, ids):
    layer = load(num_output_representations=2, do_layer_norm=True, stateful=True, dropout=0.25)
    again = type(layer).from_config(layer.get_config())

    assert again.get_config() == layer.get_config()
    assert np.isnan(np.asarray(again(ids)[0])[0, :4]).all(), "a layer without weights must not look like one with them"
    again.set_weights(layer.get_weights())
    layer.reset_states()
    again.reset_states()
    np.testing.assert_array_equal(again(ids), layer(ids))


@pytest.mark.parametrize(("policy", "tolerance"), [("mixed_bfloat16", 0.05), ("mixed_float16", 0.01)])
def test_mixed_precision_computes_in_half_and_keeps_the_weights_whole(keras, load, ids, policy, tolerance):
    wanted = load()(ids).numpy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        layer = load(do_layer_norm=False)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    found = layer(ids)

    assert found.dtype == policy.removeprefix("mixed_")
    assert {np.asarray(variable).dtype for variable in layer.datasets.values()} == {np.dtype("float32")}
    np.testing.assert_allclose(tf.cast(found, tf.float32), wanted, atol=tolerance)


def test_two_replicas_give_what_one_gives_and_train_even_if_one_gets_no_sentence(keras, load, ids):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
    ids = ids[:3]  # of the second batch of two, one replica gets none
    wanted = load()(ids).numpy()
    with strategy.scope():
        layer = load(requires_grad=True, dropout=0.0)
        inputs = keras.Input((None, 50), dtype="int32")
        model = keras.Model(inputs, layer(inputs))
        model.compile("sgd", "mse")

    assert strategy.num_replicas_in_sync == 2
    np.testing.assert_allclose(model.predict(ids, batch_size=2, verbose=0), wanted, atol=1e-6)
    before = values_of(layer)
    model.fit(ids, np.zeros_like(wanted), batch_size=2, verbose=0)
    assert not np.array_equal(before["char_embed"], values_of(layer)["char_embed"])
    assert all(np.isfinite(value).all() for value in layer.get_weights())


def test_a_damaged_config_is_refused(load):
    config = load().get_config()
    config["options"] = {**config["options"], "lstm": {**config["options"]["lstm"], "dim": -1}}
    with pytest.raises(ConfigError, match="bad key"):
        type(load()).from_config(config)


def test_words_to_cache_are_refused_before_any_file_is_opened(tmp_path):
    with pytest.raises(ArgumentError, match="vocab_to_cache must be None with backend='keras'"):
        safeload.load_elmo(tmp_path / "nowhere", backend="keras", vocab_to_cache=["<pad>", "a"])


@pytest.mark.usefixtures("keras")
def test_a_bilm_without_skip_connections(tmp_path, ids):
    options = {**OPTIONS, "lstm": {**OPTIONS["lstm"], "use_skip_connections": False}}
    write_elmo(tmp_path, options)
    import torch

    module = safeload.load_elmo(tmp_path, backend="torch").eval()
    wanted = module(torch.from_numpy(ids).long())["elmo_representations"][0].detach().numpy()

    np.testing.assert_allclose(safeload.load_elmo(tmp_path, backend="keras")(ids), wanted, atol=1e-5)


def test_layer_norm_counts_more_than_half_precision_can(keras, load, ids):
    wanted = load(do_layer_norm=True)(np.tile(ids, (110, 1, 1))).numpy()
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        layer = load(do_layer_norm=True)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    found = layer(np.tile(ids, (110, 1, 1)))

    assert 110 * (ids.any(axis=-1).sum() + 2 * len(ids)) > 65504 / UNITS / 2, "the batch must be too large for float16"
    np.testing.assert_allclose(tf.cast(found, tf.float32), wanted, atol=0.02)


@pytest.mark.parametrize("strange", [262, -1, 2**32 + 66])
def test_an_id_of_no_character_is_an_error_and_nan_where_xla_has_none(compiled, ids, strange):
    layer, fast = compiled
    given = ids.astype("int64")
    given[0, 1, 3] = strange
    found = fast(tf.constant(given)).numpy()

    n_words = ids[0].any(axis=-1).sum()
    assert np.isnan(found[0, :n_words]).all()
    np.testing.assert_allclose(found[1:], layer(ids)[1:], atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="is not in"):
        tf.function(layer)(tf.constant(given))
    with pytest.raises(ArgumentError) as caught:
        layer(given)
    assert caught.value.message == f"inputs[0, 1, 3] is {strange}, but character ids are 0 to 261"


def with_gaps(ids):
    """Return ids in which padding is before, between and behind the words, and the places of the words."""
    given = np.zeros((len(ids), 2 * ids.shape[1] + 1, 50), ids.dtype)
    given[:, 1::2] = ids
    return given, given.any(axis=-1)


@pytest.mark.parametrize("options", [{}, {"do_layer_norm": True}, {"stateful": True}], ids=str)
def test_padding_between_words_changes_no_word(load, ids, options):
    plain, gappy = load(**options), load(**options)
    given, present = with_gaps(ids)

    for _ in range(2):
        wanted, found = plain(ids).numpy(), gappy(given).numpy()
        np.testing.assert_allclose(found[present], wanted[ids.any(axis=-1)], atol=1e-6)
        assert not found[~present].any()
    np.testing.assert_array_equal(gappy.compute_mask(given), present)


def test_padding_between_words_changes_no_word_where_xla_compiles(load, ids):
    layer = load()
    given, present = with_gaps(ids)
    found = tf.function(layer, jit_compile=True)(tf.constant(given)).numpy()

    np.testing.assert_allclose(found[present], layer(ids).numpy()[ids.any(axis=-1)], atol=1e-5)


def test_the_marks_stand_around_the_padding_between_words(load, ids):
    given, present = with_gaps(ids[:2])
    layer = load(keep_sentence_boundaries=True)
    mask = np.asarray(layer.compute_mask(given))

    assert mask[:, 0].all()
    np.testing.assert_array_equal(mask.sum(axis=1), present.sum(axis=1) + 2)
    np.testing.assert_allclose(
        layer(given).numpy()[mask], layer(ids[:2]).numpy()[np.asarray(layer.compute_mask(ids[:2]))], atol=1e-6
    )


@pytest.mark.parametrize("shape", [(2, 0), (2, 0, 50), (2, 3, 50), (0, 3, 50)], ids=str)
def test_texts_without_words_give_no_nan(load, shape):
    for marks in (False, True):
        found = load(keep_sentence_boundaries=marks)(np.zeros(shape, "int64")).numpy()
        assert found.shape == (shape[0], (shape[1] + 2 if marks else shape[1]), UNITS)
        assert np.isfinite(found).all()


@pytest.mark.parametrize("options", [None, 3, [1], "options.json"], ids=str)
def test_options_that_are_no_object_are_refused(load, options):
    with pytest.raises(ArgumentError, match=r"options must be the JSON object of an options\.json, not"):
        type(load())(options)
