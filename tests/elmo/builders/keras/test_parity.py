"""The same numbers as AllenNLP, or as the torch module that is proven equal to it, and as bilm-tf."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import tensorflow as tf
import torch

import safeload
from tests.elmo.shapes import SENTENCES, SHAPES, each_shape
from tests.elmo.test_equal_to_bilm_tf import REFERENCE
from tests.elmos import BACKENDS, write_elmo

JUDGE = BACKENDS[0]
MIX = [0.5, -1.0, 2.0]


def judged(shape):
    """Return the backend that can build this shape: AllenNLP where it is installed."""
    return JUDGE if shape["lstm"]["use_skip_connections"] else "torch"


def pair(folder, shape, **options):
    write_elmo(folder, shape)
    options = {"dropout": 0.0, "requires_grad": True, **options}
    module = safeload.load_elmo(folder, backend=judged(shape), **options)
    return module, safeload.load_elmo(folder, backend="keras", **options)


def both(module, layer, ids):
    wanted = module(ids)
    given = ids.numpy().astype("int32")
    np.testing.assert_array_equal(np.asarray(layer.compute_mask(given)), wanted["mask"].numpy())
    return wanted["elmo_representations"][0], layer(given)


def require_the_same_vectors(module, layer, ids):
    for rows in (slice(0, 2), slice(0, 4), slice(1, 3), slice(0, 4)):
        wanted, found = both(module, layer, ids[rows])

        np.testing.assert_allclose(found.numpy(), wanted.detach().numpy(), rtol=0, atol=1e-5)


@each_shape
def test_a_stateful_layer_has_the_same_vectors(tmp_path, shape):
    require_the_same_vectors(*pair(tmp_path, shape, stateful=True), safeload.character_ids(SENTENCES))


@each_shape
def test_vectors_and_gradients_are_the_same(tmp_path, shape):
    module, layer = pair(tmp_path, shape, stateful=False)
    ids = safeload.character_ids(SENTENCES)
    require_the_same_vectors(module, layer, ids)
    with tf.GradientTape() as tape:
        wanted, found = both(module, layer, ids)
        loss = tf.reduce_sum(found**2)
    (wanted**2).sum().backward()
    variables = layer.trainable_variables
    gradients = dict(
        zip([each.name.removesuffix(":0") for each in variables], tape.gradient(loss, variables), strict=True)
    )
    parameters = dict(module._elmo_lstm.named_parameters())
    projection = parameters["_token_embedder._projection.weight"].grad.T.numpy()
    for name, wanted_gradient in {
        "CNN_proj.W_proj": projection,
        "RNN_0.RNN.MultiRNNCell.Cell0.LSTMCell.W_P_0": parameters[
            "_elmo_lstm.forward_layer_0.state_projection.weight"
        ].grad.T.numpy(),
        "RNN_1.RNN.MultiRNNCell.Cell0.LSTMCell.W_P_0": parameters[
            "_elmo_lstm.backward_layer_0.state_projection.weight"
        ].grad.T.numpy(),
        "char_embed": parameters["_token_embedder._char_embedding_weights"].grad[1:].numpy(),
        "CNN.b_cnn_0": parameters["_token_embedder.char_conv_0.bias"].grad.numpy(),
        "scalar_mix_0_gamma": module.scalar_mix_0.gamma.grad.numpy(),
    }.items():
        found_gradient = tf.convert_to_tensor(gradients[name]).numpy()
        scale = max(1.0, float(np.abs(wanted_gradient).max()))
        np.testing.assert_allclose(found_gradient, wanted_gradient, rtol=0, atol=1e-4 * scale, err_msg=name)


@pytest.mark.parametrize(
    ("do_layer_norm", "scalar_mix_parameters", "keep_sentence_boundaries"),
    [(False, None, False), (False, MIX, True), (True, None, True), (True, MIX, False)],
)
def test_the_weighted_sums_are_the_same(tmp_path, do_layer_norm, scalar_mix_parameters, keep_sentence_boundaries):
    module, layer = pair(
        tmp_path,
        SHAPES["tiny"],
        num_output_representations=3,
        do_layer_norm=do_layer_norm,
        scalar_mix_parameters=scalar_mix_parameters,
        keep_sentence_boundaries=keep_sentence_boundaries,
        stateful=False,
    )
    ids = safeload.character_ids(SENTENCES)
    wanted, found = module(ids)["elmo_representations"], layer(ids.numpy())

    assert len(found) == len(wanted) == 3
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=0, atol=1e-5)


def test_the_same_sentence_has_the_same_vectors_unless_it_is_asked_otherwise(load, ids):
    layer, stateful = load(), load(stateful=True)

    assert np.array_equal(layer(ids), layer(ids))
    first = stateful(ids).numpy()
    assert not np.allclose(first, stateful(ids))
    stateful.reset_states()
    np.testing.assert_array_equal(first, stateful(ids))


@pytest.mark.usefixtures("keras")
@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference data of bilm-tf is not beside the checkout")
def test_the_top_layer_equals_bilm_tf():
    layer = safeload.load_elmo(
        REFERENCE / "options.json",
        REFERENCE / "lm_weights.hdf5",
        backend="keras",
        scalar_mix_parameters=[-1e9, -1e9, 0.0],
        stateful=True,
    )
    lists = json.loads((REFERENCE / "lm_embeddings_sentences.json").read_text(encoding="utf-8"))
    wanted = [h5py.File(REFERENCE / f"lm_embeddings_{number}.hdf5", "r") for number in range(3)]
    for batch in range(10):
        sentences = [lists[number][batch].split() for number in range(3)]
        found = layer(safeload.character_ids(sentences).numpy()).numpy()
        for row, sentence in enumerate(sentences):
            values = np.concatenate(wanted[row][str(batch)][...], axis=-1)
            np.testing.assert_allclose(found[row, : len(sentence)], values, rtol=0, atol=1e-5)


def test_torch_can_be_stateless_too(tmp_path):
    write_elmo(tmp_path)
    ids = safeload.character_ids(SENTENCES)
    for backend in BACKENDS:
        for stateful in (None, True, False):
            module = safeload.load_elmo(tmp_path, backend=backend, stateful=stateful).eval()
            with torch.no_grad():
                first, second = (module(ids)["elmo_representations"][0] for _ in range(2))
            assert torch.equal(first, second) == (stateful is False)
