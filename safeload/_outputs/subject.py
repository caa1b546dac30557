"""Describe a model whose layers can be computed, and what a file keeps of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from safeload._outputs.vocabulary import Vocabulary, kept

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]

HALF = ("float16", "bfloat16")
"""Types whose numbers are too coarse to be expected."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a file of expected outputs holds.

    Attributes:
        model: "BERT" or "ELMo".
        inputs: Name -> rows of ids or words.
        settings: What the model computed with, and its sizes.
        vocabulary: The vocabulary; None if the model had none.
        layers: Name of a layer -> `(vectors, N_PROJECTIONS)`, float32.
        runtime: The library that computed it.
        versions: Package -> version.
    """

    model: str
    inputs: Mapping[str, Any]
    settings: Mapping[str, object]
    vocabulary: Vocabulary | None
    layers: Mapping[str, Array]
    runtime: str
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True, eq=False, repr=False)
class Subject:
    """A model in memory whose layers can be computed.

    Attributes:
        model: "BERT" or "ELMo".
        runtime: The library that it is built in.
        versions: Package -> version.
        sizes: Key of the config -> size, of those that must be equal.
        settings: What it computes with.
        tokens: Token -> id; empty without a vocabulary.
        inputs: The fixed inputs of a model of these sizes, as a file holds them.
        compute: Returns the table of each layer for such inputs; its second argument is whether dropout may be on.
        explains: Returns whether a setting, its first argument, can explain a difference that begins in a layer, its second.
        optional: The layers that a model may lack.
    """

    model: str
    runtime: str
    versions: Mapping[str, str]
    sizes: Mapping[str, int]
    settings: Mapping[str, object]
    tokens: Mapping[str, int]
    inputs: Mapping[str, Any]
    compute: Callable[[Mapping[str, Any], bool], dict[str, Array]]
    explains: Callable[[str, str], bool]
    optional: Collection[str] = ()


def outputs_of(subject: Subject) -> Outputs:
    """Compute the layers of a model for its fixed inputs, with dropout off."""
    ids = {number for rows in subject.inputs.values() for row in rows for number in row if isinstance(number, int)}
    return Outputs(
        model=subject.model,
        inputs=subject.inputs,
        settings={**subject.sizes, **subject.settings},
        vocabulary=kept(subject.tokens, ids) if subject.tokens else None,
        layers=subject.compute(subject.inputs, False),
        runtime=subject.runtime,
        versions=subject.versions,
    )
