"""What the torch module makes of a biLM's layers, and its names, against NumPy and against itself; on every Python."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import safeload
from safeload.elmo.builders import torch as torch_builder

SENTENCES = [["A", "good", "film", "."], ["Bad", "."], ["One"]]
WORDS = ["@@PADDING@@", "film", "good", "A", "."]
ENCODER = "_elmo_lstm._token_embedder"
LSTMS = "_elmo_lstm._elmo_lstm"
CACHED = "_elmo_lstm._word_embedding.weight"
NAMES = [
    f"{ENCODER}._char_embedding_weights",
    *(f"{ENCODER}.char_conv_{number}.{part}" for number in (0, 1, 2) for part in ("weight", "bias")),
    *(f"{ENCODER}._highways._layers.{number}.{part}" for number in (0, 1) for part in ("weight", "bias")),
    f"{ENCODER}._projection.weight",
    f"{ENCODER}._projection.bias",
    CACHED,
    *(
        f"{LSTMS}.{way}_layer_{layer}.{part}"
        for layer in (0, 1)
        for way in ("forward", "backward")
        for part in ("input_linearity.weight", "state_linearity.weight", "state_linearity.bias", "state_projection.weight")
    ),
    "scalar_mix_0.gamma",
    *(f"scalar_mix_0.scalar_parameters.{number}" for number in (0, 1, 2)),
]  # fmt: skip


def load(folder, *arguments, **named):
    return safeload.load_elmo(folder, None, *arguments, **{"backend": "torch", "stateful": False, **named}).eval()


def run(module, *inputs):
    with torch.no_grad():
        output = module(*inputs)
    return [each.numpy() for each in output["elmo_representations"]], output["mask"].numpy()


def layers_of(module, *inputs):
    with torch.no_grad():
        output = module._elmo_lstm(*inputs)
    return np.stack([layer.numpy() for layer in output["activations"]]), output["mask"].numpy()


def normalised(layer, mask):
    values = layer[mask].astype(float)
    return (layer - values.mean()) / values.std()


def test_the_names_and_their_order_are_those_of_allennlp(tiny_elmo):
    module = load(tiny_elmo)
    assert list(module.state_dict()) == [name for name in NAMES if name != CACHED]
    assert [name for name, _ in module.named_parameters()] == list(module.state_dict())

    cached = load(tiny_elmo, vocab_to_cache=WORDS)
    assert list(cached.state_dict()) == NAMES


def test_the_marks_vectors_follow_the_module(tiny_elmo):
    bilm = load(tiny_elmo, vocab_to_cache=WORDS).double()._elmo_lstm

    assert bilm._bos_embedding.dtype == bilm._eos_embedding.dtype == torch.float64


def test_a_mix_begins_with_equal_weights(tiny_elmo):
    mix = load(tiny_elmo).scalar_mix_0

    assert [parameter.tolist() for parameter in mix.parameters()] == [[1.0], [0.0], [0.0], [0.0]]
    assert all(parameter.requires_grad for parameter in mix.parameters())


def test_normalised_layers_are_summed(tiny_elmo):
    weights = [0.5, -1.0, 2.0]
    module = load(tiny_elmo, do_layer_norm=True, scalar_mix_parameters=weights, keep_sentence_boundaries=True)
    ids = safeload.character_ids(SENTENCES)
    layers, mask = layers_of(module, ids)
    (mixed,), shown = run(module, ids)
    shares = np.exp(weights) / np.exp(weights).sum()

    wanted = np.tensordot(shares, [normalised(layer, mask) for layer in layers], 1)
    np.testing.assert_allclose(mixed, wanted, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(shown, mask)
    assert not [parameter for parameter in module.scalar_mix_0.parameters() if parameter.requires_grad]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.skipif(torch.__version__ < "2", reason="torch 1 has no square root of half precision on the CPU")
def test_layers_of_equal_values_are_normalised_to_zero(dtype):
    layer = torch.zeros(1, 3, 4, dtype=dtype)

    assert not torch_builder._normalised(layer, torch.ones(1, 3, 1, dtype=torch.bool)).any()


@pytest.mark.skipif(torch.__version__ < "2", reason="torch 1 has no square root of half precision on the CPU")
def test_half_precision_is_normalised_with_a_larger_epsilon():
    layer = torch.tensor([[[-0.01, 0.01]]], dtype=torch.float16)

    halves = torch_builder._normalised(layer, torch.ones(1, 1, 1, dtype=torch.float16))
    np.testing.assert_allclose(halves, [[[-(0.5**0.5), 0.5**0.5]]], rtol=0.01)


def test_values_close_to_each_other_are_normalised_all_the_same():
    layer = torch.tensor([[[-1e-5, 1e-5]]])

    np.testing.assert_allclose(torch_builder._normalised(layer, torch.ones(1, 1, 1)), [[[-1, 1]]], rtol=1e-3)


def test_marks_are_taken_off_and_tokens_that_are_not_there_are_zero(tiny_elmo):
    ids = safeload.character_ids(SENTENCES)
    (bare,), mask = run(load(tiny_elmo), ids)
    (marked,), marked_mask = run(load(tiny_elmo, keep_sentence_boundaries=True), ids)

    assert mask.tolist() == [[True] * 4, [True, True, False, False], [True, False, False, False]]
    assert marked_mask.sum(axis=1).tolist() == [6, 4, 3]
    np.testing.assert_array_equal(bare[mask], np.concatenate([marked[0, 1:5], marked[1, 1:3], marked[2, 1:2]]))
    assert not bare[~mask].any()


def test_each_sum_has_weights_and_dropout_of_its_own(tiny_elmo):
    module = load(tiny_elmo, 2, dropout=0.75)
    assert module._dropout.p == 0.75
    ids = safeload.character_ids(SENTENCES)
    first, second = run(module, ids)[0]
    np.testing.assert_array_equal(first, second)

    with torch.no_grad():
        module.scalar_mix_1.gamma *= 2
    first, second = run(module, ids)[0]
    np.testing.assert_array_equal(2 * first, second)

    first, second = run(module.train(), ids)[0]
    assert 0.5 < (first[0] == 0).mean() < 1
    assert not np.array_equal(first == 0, second == 0)


def test_inputs_of_more_dimensions_come_back_in_their_shape(tiny_elmo):
    module = load(tiny_elmo)
    ids = safeload.character_ids([*SENTENCES, ["Two", "words"]])
    (flat,), mask = run(module, ids)

    for outer in ((2, 2), (2, 1, 2)):
        (deep,), deep_mask = run(module, ids.view(*outer, 4, 50))
        np.testing.assert_array_equal(deep, flat.reshape(*outer, 4, 16))
        np.testing.assert_array_equal(deep_mask, mask.reshape(*outer, 4))


@pytest.mark.parametrize("n_words_at_once", [3, 1024])
def test_cached_words_have_the_vectors_of_their_characters(tiny_elmo, monkeypatch, n_words_at_once):
    monkeypatch.setattr(torch_builder, "_N_WORDS_AT_ONCE", n_words_at_once)
    module = load(tiny_elmo, vocab_to_cache=WORDS)
    assert module._elmo_lstm._word_embedding.weight.shape == (5, 8)
    ids = safeload.character_ids([["A", "good", "film", "."], ["film", "."]])
    words = torch.tensor([[3, 2, 1, 4], [1, 4, 0, 0]])
    other = torch.full_like(ids, 7) * (ids > 0)  # that the words are looked up shows in what it is not
    (wanted,), mask = run(module, ids)

    (looked_up,), shown = run(module, other, words)
    np.testing.assert_allclose(looked_up, wanted, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(shown, mask)
    (deep,), shown = run(module, other.view(1, 2, 4, 50), words.view(1, 2, 4))
    np.testing.assert_allclose(deep[0], wanted, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(shown[0], mask)


@pytest.mark.parametrize("unknown", [5, -1])
def test_a_batch_with_a_word_that_is_not_cached_takes_the_characters(tiny_elmo, unknown):
    module = load(tiny_elmo, vocab_to_cache=WORDS)
    ids = safeload.character_ids([["bad", "plot"]])

    np.testing.assert_array_equal(run(module, ids, torch.tensor([[1, unknown]]))[0], run(module, ids)[0])
    assert not np.array_equal(run(module, ids, torch.tensor([[1, 4]]))[0], run(module, ids)[0])


def test_words_are_left_aside_where_none_is_cached(tiny_elmo):
    module = load(tiny_elmo)
    ids = safeload.character_ids([["bad", "plot"]])

    np.testing.assert_array_equal(run(module, ids, torch.tensor([[1, 2]]))[0], run(module, ids)[0])
    np.testing.assert_array_equal(run(module, ids, torch.tensor([[[1, 2]]]))[0], run(module, ids)[0])
    np.testing.assert_array_equal(layers_of(module, ids, torch.tensor([[1, 2]]))[0], layers_of(module, ids)[0])


def test_a_batch_of_no_words_is_looked_up_as_none(tiny_elmo):
    module = load(tiny_elmo, vocab_to_cache=WORDS)
    (vectors,), mask = run(module, torch.zeros(2, 0, 50, dtype=torch.long), torch.zeros(2, 0, dtype=torch.long))

    assert (vectors.shape, mask.shape) == ((2, 0, 16), (2, 0))


@pytest.mark.parametrize("trained", [True, False])
def test_cached_words_are_trained_with_the_rest(tiny_elmo, trained):
    module = load(tiny_elmo, vocab_to_cache=WORDS, requires_grad=trained)
    table = module._elmo_lstm._word_embedding
    assert table.weight.requires_grad is trained
    assert table.padding_idx == 0
    assert not table.weight[0].any()
    assert {p.requires_grad for p in module._elmo_lstm.parameters()} == {trained}
    if trained:
        words = torch.tensor([[3, 0]])
        module(torch.zeros(1, 2, 50, dtype=torch.long), words)["elmo_representations"][0].sum().backward()
        assert table.weight.grad.abs().sum(dim=1).gt(0).tolist() == [False, False, False, True, False]


def test_the_state_is_carried_unless_it_is_asked_not_to(tiny_elmo):
    ids = safeload.character_ids(SENTENCES)
    for stateful, equal in ((None, False), (True, False), (False, True)):
        module = load(tiny_elmo, stateful=stateful)
        assert np.array_equal(run(module, ids)[0], run(module, ids)[0]) is equal


def test_the_state_of_each_row_is_its_own(tiny_elmo):
    """A batch of other rows, more or fewer, begins each row where that row ended."""
    alone = [load(tiny_elmo, stateful=True) for _ in range(3)]
    together = load(tiny_elmo, stateful=True)
    batches = [[["A", "film"], ["Bad"]], [["One"], [], ["Three", "more", "words"]], [["Again"]], [["A"], ["b"], ["c"]]]
    for batch in batches:
        (rows,), mask = run(together, safeload.character_ids(batch))
        for row, sentence in enumerate(batch):
            assert mask[row].sum() == len(sentence)
            if sentence:
                (wanted,), _ = run(alone[row], safeload.character_ids([sentence]))
                np.testing.assert_allclose(rows[row, : len(sentence)], wanted[0], rtol=0, atol=1e-6)
            else:
                run(alone[row], safeload.character_ids([["padding"]])[:, :0])
