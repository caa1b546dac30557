from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import safeload
from safeload.compat.allennlp import batch_to_ids
from safeload.errors import ArgumentError, SafeLoadWarning

WORD = [259, 98, 103, 260] + [261] * 46


def test_a_word_is_its_bytes_between_two_marks():
    ids = safeload.character_ids([["af", "<S>"], ["é"]])

    assert ids.dtype == torch.int64
    assert ids.shape == (2, 2, 50)
    assert ids[0, 0].tolist() == WORD
    assert ids[0, 1].tolist() == [259, 257, 260] + [261] * 47
    assert safeload.character_ids([["</S>"]])[0, 0].tolist() == [259, 258, 260] + [261] * 47
    assert ids[1, 0].tolist() == [259, 0xC3 + 1, 0xA9 + 1, 260] + [261] * 46
    assert not ids[1, 1].any()


def test_a_sentence_without_words_has_no_ids():
    ids = safeload.character_ids(iter([["af"], [], ("af", "af")]))

    assert [[bool(word.any()) for word in sentence] for sentence in ids] == [
        [True, False],
        [False, False],
        [True, True],
    ]


def test_half_a_pair_of_surrogates_is_left_out():
    assert safeload.character_ids([["a\ud800f"]])[0, 0].tolist() == WORD


@pytest.mark.parametrize("sentences", [[[]], [[], []], [()]], ids=str)
def test_sentences_without_words_have_the_shape_that_allennlp_gives_them(sentences):
    ids = safeload.character_ids(sentences)

    assert (ids.shape, ids.dtype) == ((len(sentences), 0), torch.int64)


@pytest.mark.parametrize(
    ("sentences", "warned"),
    [
        ([["A good film .", "Bad"]], "1 of 2 words contains a space, such as 'A good film .': it becomes one token"),
        ([["a\u00a0b", "\t"], ["c d"]], "3 of 3 words contain spaces, such as 'a\\xa0b': each becomes one token"),
        ([["a " * 50]], f"1 of 1 word contains a space, such as '{'a ' * 30}...': it becomes one token"),
    ],
    ids=["sentence", "other spaces", "long"],
)
def test_a_word_with_a_space_is_warned_of(sentences, warned):
    with pytest.warns(SafeLoadWarning) as caught:
        safeload.character_ids(sentences)

    assert [str(each.message) for each in caught] == [
        f"{warned}; split sentences into words first, such as sentence.split()"
    ]
    assert caught[0].filename == __file__


@pytest.mark.parametrize("n_bytes", [47, 48, 49])
def test_a_word_has_50_ids(n_bytes):
    ids = safeload.character_ids([["x" * n_bytes]])[0, 0].tolist()

    assert ids == [259, *([121] * min(n_bytes, 48)), 260, 261][:50]


def test_a_long_word_keeps_its_first_48_bytes():
    ids = safeload.character_ids([["x" * 100]])[0, 0]

    assert ids.tolist() == [259] + [121] * 48 + [260]


@pytest.mark.filterwarnings("ignore::safeload.errors.SafeLoadWarning")
@settings(deadline=None)
@given(st.lists(st.lists(st.text(), max_size=4), min_size=1, max_size=4))
def test_ids_equal_those_of_allennlp(sentences):
    upstream = pytest.importorskip("allennlp.modules.elmo").batch_to_ids

    assert torch.equal(safeload.character_ids(sentences), upstream(sentences))
    assert torch.equal(batch_to_ids(tuple(map(tuple, sentences))), upstream(sentences))


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ("A good film", "sentences is a single str, each character of which would become a sentence"),
        (b"A", "sentences is a single bytes"),
        (["A", "good", "film"], "sentences[0] is the str 'A', not a list of words"),
        ([["A"], "film"], "sentences[1] is the str 'film', not a list of words"),
        ([["A", 3]], "sentences[0][1] is of type int, not str"),
        ([["A", b"film"]], "sentences[0][1] is of type bytes, not str"),
        ([3], "sentences[0] is of type int, not a list of words"),
        (None, "sentences is of type NoneType, not a list of lists of words"),
        ([], "sentences is empty"),
    ],
    ids=str,
)
def test_what_would_become_other_tokens_is_refused(sentences, message):
    with pytest.raises(ArgumentError) as caught:
        safeload.character_ids(sentences)

    assert caught.value.message.startswith(message)
    assert caught.value.argument == "sentences"
    assert "[['First', 'sentence', '.'], ['Second', '.']]" in str(caught.value)
