"""Words as vectors, and the marks around sentences, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import safeload
from safeload.elmo.builders.torch_encoder import Highway, with_boundaries
from safeload.errors import ArgumentError
from tests.elmo.builders.numpy_bilm import sigmoid, word_vector
from tests.elmos import options, random_datasets, write_elmo


def load(folder):
    return safeload.load_elmo(folder, backend="torch", stateful=False).eval()


def run(module, ids):
    with torch.no_grad():
        output = module(ids)
    return output["elmo_representations"][0].numpy(), output["mask"].numpy()


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_word_has_the_vector_that_numpy_computes(tmp_path, activation):
    shape = options(char_cnn={"activation": activation})
    write_elmo(tmp_path, shape)
    ids = safeload.character_ids([["film"]])[0]
    with torch.no_grad():
        vector = load(tmp_path)._elmo_lstm._token_embedder.embed(ids)

    np.testing.assert_allclose(vector[0], word_vector(random_datasets(shape), shape, ids[0].tolist()), atol=1e-6)


def test_whatever_has_a_unit_above_zero_is_a_token(tiny_elmo):
    assert run(load(tiny_elmo), torch.ones(1, 2, 50, dtype=torch.long))[1].tolist() == [[True, True]]

    small = torch.full((4,), 0.1)
    rows, mask = with_boundaries(small.expand(1, 2, 4), torch.tensor([[True, False]]), small, small)
    assert mask.tolist() == [[True, True, True, False]]
    assert rows.shape == (1, 4, 4)


def test_inputs_that_are_no_character_ids_are_told_with_what_makes_them(tiny_elmo):
    with pytest.raises(ArgumentError) as caught:
        load(tiny_elmo)(torch.zeros(2, 49, dtype=torch.long))

    assert caught.value.argument == "inputs"
    assert caught.value.hints == ("make them with safeload.character_ids(sentences)",)


def test_a_filter_of_one_character_and_a_word_of_fifty(tmp_path):
    write_elmo(tmp_path, options(char_cnn={"filters": [[1, 3], [50, 2]]}))

    assert run(load(tmp_path), safeload.character_ids([["x" * 60]]))[0].shape == (1, 1, 16)


def test_a_highway_adds_what_its_gate_lets_through_and_carries_the_rest():
    highway = Highway(3, 2)
    generator = np.random.default_rng(0)
    wanted = inputs = generator.normal(size=(5, 3)).astype("f4")
    with torch.no_grad():
        for layer in highway._layers:
            weight, bias = (generator.normal(size=shape).astype("f4") for shape in ((6, 3), (6,)))
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.copy_(torch.from_numpy(bias))
            new, gate = np.split(wanted @ weight.T + bias, 2, axis=1)
            wanted = sigmoid(gate) * wanted + (1 - sigmoid(gate)) * np.maximum(new, 0)
        found = highway(torch.from_numpy(inputs)).numpy()

    np.testing.assert_allclose(found, wanted, atol=1e-6)
