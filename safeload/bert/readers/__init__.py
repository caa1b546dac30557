"""Read a BERT back from a model in memory: one module per runtime, with `is_of` and `held`.

Everything is read from the model itself, so that one that safeload did not build can be saved too. No framework is imported: the
caller's model brings it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from safeload._forms.memory import Held

_READERS = ("transformers", "keras_hub", "keras_bert")


class HeldBert(NamedTuple):
    """A BERT in memory.

    Attributes:
        raw: Its config, as a file would hold it.
        tensors: Name, in a naming of files, -> shape, dtype and values.
        form: The form of the library that has built it.
    """

    raw: Mapping[str, Any]
    tensors: Held
    form: str


def held_bert(model: Any) -> HeldBert:  # noqa: ANN401  (validated here)
    """Return what a model holds.

    Raises:
        ArgumentError: It is no BERT of transformers, KerasHub or keras-bert.
    """
    for reader, inner in _found(model):
        found: HeldBert = reader.held(inner)
        return found
    message = f"model must be a BERT of transformers, KerasHub or keras-bert, not of type {type(model).__name__}"
    hints = [
        "pass what load_bert returned, a class of transformers with a BERT, or a model built on keras-bert's layers"
    ]
    raise ArgumentError(message, argument="model", hints=hints)


def is_bert(model: Any) -> bool:  # noqa: ANN401  (any object)
    """Return whether there is a BERT of one of the libraries in a model."""
    return any(True for _ in _found(model))


def _found(model: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401  (any object)
    """Yield the reader's module, and the BERT, of each library that has one in the model."""
    for name in _READERS:
        reader = importlib.import_module(f"safeload.bert.readers.{name}")
        inner = reader.bert_in(model)
        if inner is not None:
            yield reader, inner
