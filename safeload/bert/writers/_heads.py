"""Say which class of transformers a task head means."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safeload.bert._content import Content

SEQUENCES, ANSWERS = "BertForSequenceClassification", "BertForQuestionAnswering"
CLASSES = {"classifier": SEQUENCES, "qa_outputs": ANSWERS}
"""The module of a head -> the class of transformers that Google's means."""


def is_for_sequences(name: str, content: Content) -> bool:
    """Return whether a head of transformers is one of Google's: a classifier of sequences, not of tokens or of choices."""
    named = content.config.raw.get("architectures")
    return not name.startswith("classifier.") or named in (None, [], [SEQUENCES])
