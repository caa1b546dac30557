"""Keep the digest of a vocabulary and a few of its tokens, and compare a vocabulary with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from safeload._text.words import counted, two_lines
from safeload.errors import OutputMismatchError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from safeload._bytes.files import FileRef

VOCABULARY = "vocabulary"
"""Its name as the first layer that differs."""


class Vocabulary(NamedTuple):
    """What is kept of a vocabulary.

    Attributes:
        n_tokens: The number of tokens.
        sha256: SHA-256 of the tokens in the order of their ids, each with a newline, in UTF-8.
        tokens: Id -> token, of the ids in the inputs.
    """

    n_tokens: int
    sha256: str
    tokens: Mapping[int, str]


def kept(tokens: Mapping[str, int], ids: Collection[int]) -> Vocabulary:
    return Vocabulary(len(tokens), _digest(tokens), {number: each for each, number in tokens.items() if number in ids})


def _digest(tokens: Mapping[str, int]) -> str:
    import hashlib  # noqa: PLC0415  (slow to import)

    ordered = sorted(tokens, key=lambda token: tokens[token])
    return hashlib.sha256("".join(f"{token}\n" for token in ordered).encode("utf-8", "surrogatepass")).hexdigest()


def require_vocabulary(expected: Vocabulary | None, tokens: Mapping[str, int], ref: FileRef) -> list[str]:
    """Require the vocabulary that is expected, where there are both; return notes.

    Raises:
        OutputMismatchError: It has other tokens, or other ids for them.
    """
    if expected is None and not tokens:
        return []
    if expected is None or not tokens:
        which = "the model has" if expected else "the expected outputs have"
        return [f"the vocabulary is not compared: {which} none"]
    if _digest(tokens) != expected.sha256:
        raise _other_vocabulary(expected, tokens, ref)
    return []


def _other_vocabulary(expected: Vocabulary, tokens: Mapping[str, int], ref: FileRef) -> OutputMismatchError:
    """Return the error for a vocabulary with other tokens, or with other ids for them."""
    moved = {number: tokens[each] - number for number, each in sorted(expected.tokens.items()) if each in tokens}
    steps = {step for step in moved.values() if step}
    causes, rows = [], []
    if len(steps) == 1:
        step, first = steps.pop(), next(number for number, step in moved.items() if step)
        causes = [
            f"the ids are shifted by {step:+d}, in {sum(map(bool, moved.values()))} of {counted(len(moved), 'token')}"
        ]
        token = expected.tokens[first]
        rows = [two_lines("TOKEN", token, f"expected the id {first}, found {first + step}")]
    rows += [] if len(tokens) == expected.n_tokens else [
        two_lines("SIZE", VOCABULARY, f"expected {expected.n_tokens:,} tokens, found {len(tokens):,}")
    ]  # fmt: skip
    message = "the vocabulary is not that of the model whose outputs are expected"
    return OutputMismatchError(
        message,
        first_layer=VOCABULARY,
        causes=causes,
        details=rows,
        context=[("cause", cause) for cause in causes],
        hints=["take the vocabulary that was published with these weights"],
        **ref.facts,
    )
