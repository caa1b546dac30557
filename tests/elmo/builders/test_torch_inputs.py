"""Inputs of the torch modules, safeload's and AllenNLP's: what is wrong is told, padding anywhere is seen."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

import safeload
from safeload.compat.allennlp import Elmo
from safeload.errors import ArgumentError, SafeLoadWarning
from tests.elmos import BACKENDS

TORCH_BACKENDS = [name for name in BACKENDS if name != "keras"]
SENTENCES = [["A", "good", "film"], ["Bad"]]
WORDS = ["<pad>", "A", "good", "film", "Bad"]


@pytest.fixture
def load(tiny_elmo):
    def module(backend, **options):
        return safeload.load_elmo(tiny_elmo, backend=backend, **{"dropout": 0.0, "stateful": False, **options}).eval()

    return module


@pytest.fixture
def ids():
    return safeload.character_ids(SENTENCES)


def with_gaps(ids):
    """Return ids in which padding is before, between and behind the words, and the places of the words."""
    given = torch.zeros(len(ids), 2 * ids.shape[1] + 1, 50, dtype=ids.dtype)
    given[:, 1::2] = ids
    return given, given.any(dim=-1)


def vectors_of(module, *given):
    with torch.no_grad():
        found = module(*given)
    return found["elmo_representations"][0], found["mask"]


@pytest.mark.parametrize("options", [{}, {"do_layer_norm": True}, {"stateful": True}], ids=str)
def test_padding_between_words_changes_no_word(load, ids, options):
    plain, gappy = load("torch", **options), load("torch", **options)
    given, present = with_gaps(ids)

    for _ in range(2):
        (wanted, mask), (found, found_mask) = vectors_of(plain, ids), vectors_of(gappy, given)
        assert torch.equal(found_mask, present)
        np.testing.assert_allclose(found[present], wanted[mask], atol=1e-6)
        assert not found[~present].any()


def test_the_marks_stand_around_the_padding_between_words(load, ids):
    module = load("torch", keep_sentence_boundaries=True)
    (wanted, mask), (found, found_mask) = vectors_of(module, ids), vectors_of(module, with_gaps(ids)[0])

    assert found_mask.tolist() == [
        [True, False, True, False, True, False, True, True, False],
        [True, False, True, True, False, False, False, False, False],
    ]
    np.testing.assert_allclose(found[found_mask], wanted[mask], atol=1e-6)


def test_padding_between_cached_words_changes_no_word(load):
    module = load("torch", vocab_to_cache=WORDS)
    unused = torch.zeros(2, 5, 50, dtype=torch.long)
    wanted, mask = vectors_of(module, unused[:, :3], torch.tensor([[1, 2, 3], [4, 0, 0]]))
    found, found_mask = vectors_of(module, unused, torch.tensor([[0, 1, 0, 2, 3], [0, 0, 0, 0, 4]]))

    assert found_mask.tolist() == [[False, True, False, True, True], [False, False, False, False, True]]
    np.testing.assert_allclose(found[found_mask], wanted[mask], atol=1e-6)


def test_gradients_reach_the_words_behind_padding(load, ids):
    module = load("torch", requires_grad=True)
    given, present = with_gaps(ids)
    module(given)["elmo_representations"][0][present].sum().backward()
    found = module._elmo_lstm._token_embedder._char_embedding_weights.grad.clone()
    module.zero_grad()
    module(ids)["elmo_representations"][0].sum().backward()

    np.testing.assert_allclose(found, module._elmo_lstm._token_embedder._char_embedding_weights.grad, atol=1e-5)


@pytest.mark.parametrize("backend", TORCH_BACKENDS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ids: ids.float(), "inputs must be ids of an integer dtype, not float32"),
        (lambda ids: ids > 0, "inputs must be ids of an integer dtype, not bool"),
        (lambda ids: ids - 1000, "inputs[0, 0, 0] is -741, but character ids are 0 to 261"),
        (lambda ids: ids.clamp(min=1) + 1, "inputs[0, 0, 3] is 262, but character ids are 0 to 261"),
        (lambda ids: ids[..., :49], "inputs must be character ids (batch, tokens, 50), not of the shape (2, 3, 49)"),
        (lambda ids: ids[0], "inputs must be character ids (batch, tokens, 50), not of the shape (3, 50)"),
        (lambda ids: ids[:0], "inputs is a batch without sentences"),
        (lambda ids: ids.numpy(), "inputs must be a torch tensor of ids, not of type ndarray"),
        (lambda _: SENTENCES, "inputs must be a torch tensor of ids, not of type list"),
        (lambda _: "A good film", "inputs must be a torch tensor of ids, not of type str"),
    ],
    ids=["floats", "bool", "below 0", "above 261", "49 characters", "one sentence", "none", "array", "words", "text"],
)
def test_what_is_no_id_of_a_character_is_told(load, ids, backend, change, message):
    with pytest.raises(ArgumentError) as caught:
        load(backend)(change(ids))

    assert caught.value.message == message
    assert caught.value.argument == "inputs"
    assert "safeload.character_ids" in str(caught.value) or message.endswith("without sentences")


@pytest.mark.parametrize("backend", TORCH_BACKENDS)
@pytest.mark.parametrize("dtype", [torch.int32, torch.int16])
def test_ids_of_another_integer_dtype_give_the_same(load, ids, backend, dtype):
    module = load(backend, vocab_to_cache=WORDS)
    unused = torch.zeros(1, 2, 50, dtype=torch.long)

    assert torch.equal(vectors_of(module, ids.to(dtype))[0], vectors_of(module, ids)[0])
    words = torch.tensor([[1, 2]])
    assert torch.equal(vectors_of(module, unused, words.to(dtype))[0], vectors_of(module, unused, words)[0])


@pytest.mark.parametrize("backend", TORCH_BACKENDS)
def test_ids_of_words_that_are_floats_are_told(load, backend):
    with pytest.raises(ArgumentError, match="word_inputs must be ids of an integer dtype, not float32"):
        load(backend, vocab_to_cache=WORDS)(torch.zeros(1, 2, 50, dtype=torch.long), torch.tensor([[1.0, 2.0]]))


@pytest.mark.parametrize("backend", TORCH_BACKENDS)
def test_texts_without_words_give_no_nan(load, ids, backend):
    for options in ({}, {"do_layer_norm": True}, {"keep_sentence_boundaries": True}):
        module = load(backend, **options)
        more = 2 if "keep_sentence_boundaries" in options else 0
        for empty in (safeload.character_ids([[], []]), ids[:, :0], torch.zeros_like(ids)):
            found, mask = vectors_of(module, empty)
            assert found.shape == (2, empty.shape[1] + more, 16)
            assert mask.sum() == 2 * more
            assert found.isfinite().all()


@pytest.mark.skipif("allennlp" not in BACKENDS, reason="AllenNLP installs on Python 3.10 only")
def test_allennlps_module_warns_of_padding_before_words(load, ids):
    module = load("allennlp", vocab_to_cache=WORDS)
    given, _ = with_gaps(ids)
    text = "padding is before or between words in 2 of 2 sentences: AllenNLP's module returns zeros for words behind it"
    words = torch.tensor([[1, 0, 2], [4, 0, 0]])
    for call, warned in (
        (lambda: module(given), text),
        (lambda: module(torch.zeros(2, 3, 50, dtype=torch.long), words), text.replace("2 of 2", "1 of 2")),
    ):
        with pytest.warns(SafeLoadWarning) as caught:
            call()
        assert [each.filename for each in caught] == [__file__]
        assert str(caught[0].message).startswith(warned)
    vectors_of(module, ids)
    vectors_of(module, ids, torch.tensor([[9, 0, 9], [9, 9, 9]]))  # no cached words: the ids of characters are used


@pytest.mark.parametrize("backend", TORCH_BACKENDS)
def test_a_copy_of_the_module_looks_too(load, ids, backend):
    module = load(backend)
    for again in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        with pytest.raises(ArgumentError, match="integer dtype"):
            again(ids.float())
        with pytest.raises(ArgumentError, match="integer dtype"):
            again(inputs=ids.float())
        assert torch.equal(vectors_of(again, ids)[0], vectors_of(module, ids)[0])


def test_a_module_around_another_bilm_takes_what_that_takes(load):
    module = Elmo(None, None, 1, module=load("torch")._elmo_lstm, dropout=0.0).eval()

    with pytest.raises(ArgumentError, match="integer dtype"):
        module(torch.zeros(1, 1, 50))
