"""Convert words to character ids: the UTF-8 bytes of a word between two marks, padded to 50."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._arguments import as_python
from safeload._reports import warn_caller
from safeload._text.words import counted, plain
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

N_CHARACTERS = 262
"""Number of character ids: 256 bytes, five marks, and 0 for absent tokens."""

MAX_CHARACTERS_PER_TOKEN = 50
BEGIN_OF_SENTENCE, END_OF_SENTENCE, BEGIN_OF_WORD, END_OF_WORD, PADDING = range(257, 262)
_MAX_SHOWN = 60
_SENTENCE_MARKS = {"<S>": BEGIN_OF_SENTENCE, "</S>": END_OF_SENTENCE}


def word_ids(word: str) -> list[int]:
    """Return the 50 character ids of a word; bytes after the 48th are dropped.

    Source:
        allennlp/data/token_indexers/elmo_indexer.py, ELMoCharacterMapper.convert_word_to_char_ids, AllenNLP 2.10.1.
    """
    mark = _SENTENCE_MARKS.get(word)
    inner = [mark] if mark else [byte + 1 for byte in word.encode("utf-8", "ignore")[: MAX_CHARACTERS_PER_TOKEN - 2]]
    ids = [BEGIN_OF_WORD, *inner, END_OF_WORD]
    return ids + [PADDING] * (MAX_CHARACTERS_PER_TOKEN - len(ids))


def ids_of(sentences: object, argument: str = "sentences") -> NDArray[Any]:
    """Return int64 ids `(sentences, tokens of the longest, 50)`, filled with 0 after the end of each sentence.

    Sentences without any word give `(sentences, 0)`. Warns of words with spaces.

    Raises:
        ArgumentError: `sentences` is not a list of lists of words.
    """
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    rows = require_sentences(sentences, argument)
    warn_of_spaces([word for row in rows for word in row])
    if not any(rows):
        return np.zeros((len(rows), 0), np.int64)  # as AllenNLP
    ids = np.zeros((len(rows), max(map(len, rows)), MAX_CHARACTERS_PER_TOKEN), np.int64)
    for number, row in enumerate(rows):
        for position, word in enumerate(row):
            ids[number, position] = word_ids(word)
    return ids


def require_sentences(sentences: object, argument: str = "sentences") -> list[list[str]]:
    """Return sentences, which the caller knows as `argument`, as lists of words.

    Raises:
        ArgumentError: `sentences` is not a list of lists of str, is empty, or is a string or a flat list, whose
            characters would silently become tokens.
    """
    if isinstance(sentences, (str, bytes)):
        hints = ["split it into words first: [sentence.split()] for a single sentence"]
        kind = type(sentences).__name__
        raise _bad(argument, f" is a single {kind}, each character of which would become a sentence", hints)
    try:
        rows = list(sentences)  # type: ignore[call-overload]
    except TypeError as exc:
        raise _bad(argument, f" is of type {type(sentences).__name__}, not a list of lists of words", []) from exc
    if not rows:
        raise _bad(argument, " is empty", ["pass at least one sentence"])
    for number, row in enumerate(rows):
        if isinstance(row, (str, bytes)):
            hints = ["for one sentence write [words], a list that holds the list of its words"]
            raise _bad(argument, f"[{number}] is the {type(row).__name__} {row!r}, not a list of words", hints)
    return [_words(argument, number, row) for number, row in enumerate(rows)]


def warn_of_spaces(words: Sequence[str]) -> None:
    """Warn of words that contain spaces, each of which becomes a single token."""
    spaced = [word for word in words if any(map(str.isspace, word))]
    if spaced:
        contain, each = ("contains a space", "it") if len(spaced) == 1 else ("contain spaces", "each")
        some = f"{len(spaced)} of {counted(len(words), 'word')} {contain}, such as {_shown(spaced[0])}"
        warn_caller(f"{some}: {each} becomes one token; split sentences into words first, such as sentence.split()")


def _shown(word: str) -> str:
    """Return a word as printable ASCII, cut to a length that fits a line."""
    return plain(repr(word if len(word) <= _MAX_SHOWN else word[:_MAX_SHOWN] + "..."))


def _words(argument: str, number: int, row: object) -> list[str]:
    try:
        words: list[Any] = list(row)  # type: ignore[call-overload]
    except TypeError as exc:
        raise _bad(argument, f"[{number}] is of type {type(row).__name__}, not a list of words", []) from exc
    for position, word in enumerate(words):
        if not isinstance(word, str):
            hints = ["decode bytes, and pass the text of tokens, not token objects or ids"]
            raise _bad(argument, f"[{number}][{position}] is of type {type(word).__name__}, not str", hints)
    return list(map(as_python, words))


def _bad(argument: str, what: str, hints: list[str]) -> ArgumentError:
    form = "the form is [['First', 'sentence', '.'], ['Second', '.']]"
    return ArgumentError(f"{argument}{what}", argument=argument, hints=[*hints, form])
