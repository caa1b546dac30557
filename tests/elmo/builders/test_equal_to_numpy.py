"""The torch backend against a biLM in NumPy, which knows neither torch nor AllenNLP; on every Python."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import safeload
from tests.elmo.builders.numpy_bilm import NumpyBiLm
from tests.elmo.shapes import SENTENCES, each_shape
from tests.elmos import BACKENDS, options, random_datasets, write_elmo

BEGIN, END = [259, 257, 260] + [261] * 47, [259, 258, 260] + [261] * 47


def loaded(folder, shape, **arguments):
    write_elmo(folder, shape)
    return safeload.load_elmo(folder, **{"backend": "torch", **arguments}).eval()


def layers_of(module, ids):
    with torch.no_grad():
        output = module._elmo_lstm(ids)
    return torch.stack(output["activations"]).numpy(), output["mask"].numpy()


@each_shape
def test_every_layer_equals_the_plain_one(shape, tmp_path):
    module = loaded(tmp_path, shape)
    ids = safeload.character_ids(SENTENCES)
    plain = [NumpyBiLm(shape) for _ in SENTENCES]
    for _ in range(2):  # the second time from the state that the first has left
        layers, mask = layers_of(module, ids)
        for row, sentence in enumerate(SENTENCES):
            n_tokens = len(sentence) + 2
            wanted = plain[row].layers([BEGIN, *ids[row, : len(sentence)].tolist(), END])
            np.testing.assert_allclose(layers[:, row, :n_tokens], wanted, rtol=0, atol=1e-5)
            assert mask[row].tolist() == [True] * n_tokens + [False] * (mask.shape[1] - n_tokens)
            assert not layers[:, row, n_tokens:].any()


@pytest.mark.parametrize("skip", [True, False])
def test_skip_connections_on_and_off(skip, tmp_path):
    shape = options(lstm={"use_skip_connections": skip, "n_layers": 3})
    layers, _ = layers_of(loaded(tmp_path, shape, backend="auto"), safeload.character_ids([["good", "film"]]))
    ids = safeload.character_ids([["good", "film"]])[0].tolist()

    np.testing.assert_allclose(layers[:, 0], NumpyBiLm(shape).layers([BEGIN, *ids, END]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_weighted_sum_is_the_softmax_of_its_scalars(backend, tmp_path):
    ids = safeload.character_ids([["good", "film"]])
    weights = [0.5, -1.0, 2.0]
    module = loaded(tmp_path, options(), scalar_mix_parameters=weights, keep_sentence_boundaries=True, backend=backend)
    with torch.no_grad():
        mixed = module(ids)["elmo_representations"][0][0].numpy()
    layers = NumpyBiLm(options()).layers([BEGIN, *ids[0].tolist(), END])
    shares = np.exp(weights) / np.exp(weights).sum()

    np.testing.assert_allclose(mixed, np.tensordot(shares, layers, 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_module_is_what_upstream_returns(backend, elmo):
    module = safeload.load_elmo(elmo, num_output_representations=2, backend=backend)

    assert module.training
    assert module.get_output_dim() == 16
    trained = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    assert all(name.startswith("scalar_mix_") for name in trained)
    assert len(trained) == 8
    assert all(p.requires_grad for p in safeload.load_elmo(elmo, requires_grad=True, backend=backend).parameters())


def test_the_state_is_forgotten_when_asked(elmo):
    module = safeload.load_elmo(elmo, backend="torch").eval()
    ids = safeload.character_ids(SENTENCES)
    first, second = layers_of(module, ids)[0], layers_of(module, ids)[0]
    module.reset_states()
    again = layers_of(module, ids)[0]

    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, again)
    module.reset_states(torch.tensor([True, False, True, True]))
    rows = layers_of(module, ids)[0]
    np.testing.assert_allclose(rows[:, [0, 2, 3]], first[:, [0, 2, 3]], rtol=0, atol=1e-6)
    np.testing.assert_allclose(rows[:, 1], second[:, 1], rtol=0, atol=1e-6)
    with pytest.raises(safeload.SafeLoadError, match=r"mask must have the shape \(4,\)"):
        module.reset_states(torch.tensor([True]))


def test_without_state_every_call_is_the_first(elmo):
    module = safeload.load_elmo(elmo, backend="torch").eval()
    module._elmo_lstm._elmo_lstm.stateful = False
    ids = safeload.character_ids(SENTENCES)

    np.testing.assert_array_equal(layers_of(module, ids)[0], layers_of(module, ids)[0])


def test_layers_are_of_the_classes_that_torch_has(elmo):
    kinds = {type(layer).__name__: type(layer) for layer in safeload.load_elmo(elmo, backend="torch").modules()}

    assert kinds["Linear"] is torch.nn.Linear
    assert kinds["Conv1d"] is torch.nn.Conv1d
    assert not [name for name in kinds if name.startswith("_")]


def test_two_modules_share_nothing(elmo, tmp_path):
    ids = safeload.character_ids(SENTENCES)
    other = tmp_path / "other"
    other.mkdir()
    write_elmo(other)
    from tests.elmos import WEIGHTS_NAME, write_weights

    write_weights(other / WEIGHTS_NAME, random_datasets(seed=1))
    modules = [safeload.load_elmo(folder, backend="torch").eval() for folder in (elmo, other, elmo)]
    layers = [layers_of(module, ids)[0] for module in modules]

    assert not np.allclose(layers[0], layers[1])
    np.testing.assert_array_equal(layers[0], layers[2])


@pytest.mark.parametrize("shape", [(3, 50), (1, 3, 40), (3,)])
def test_other_inputs_than_character_ids_are_refused(shape, elmo):
    module = safeload.load_elmo(elmo, backend="torch")
    with pytest.raises(safeload.SafeLoadError, match="inputs must be character ids"):
        module(torch.zeros(shape, dtype=torch.long))


def test_defaults_of_torch_change_nothing(elmo):
    torch.set_default_dtype(torch.float64)
    try:
        module = safeload.load_elmo(elmo, backend="torch")
    finally:
        torch.set_default_dtype(torch.float32)

    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}


@pytest.mark.skipif(not hasattr(torch, "set_default_device"), reason="torch 1.12 has no default device")
def test_a_default_device_changes_nothing(elmo):
    with torch.device("meta"):
        module = safeload.load_elmo(elmo, backend="torch", vocab_to_cache=["<pad>", "film"])

    assert {tensor.device.type for tensor in (*module.parameters(), *module.buffers())} == {"cpu"}


def test_a_module_copies_and_pickles(elmo, tmp_path):
    import copy

    module = safeload.load_elmo(elmo, backend="torch").eval()
    ids = safeload.character_ids(SENTENCES)
    torch.save(module, tmp_path / "module.th")
    stored = torch.load(tmp_path / "module.th", **({"weights_only": False} if torch.__version__ >= "2" else {}))
    first = layers_of(module, ids)[0]
    for twin in (stored, copy.deepcopy(safeload.load_elmo(elmo, backend="torch").eval())):
        np.testing.assert_array_equal(layers_of(twin, ids)[0], first)
