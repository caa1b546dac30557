"""Describe values that a trained model never has; such models load, with a warning."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from safeload._forms.seen import LARGE, Seen
from safeload._text.words import counted, first_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from safeload._naming import Match
    from safeload.report import TensorSpec

_NOTHING = Seen()


class Marks(NamedTuple):
    """What the values of a model's parameters show, by canonical name.

    Attributes:
        norms: The ends of the names of a LayerNorm's scale and shift; a LayerNorm starts with ones and zeros.
        tables: Tables whose rows differ, and the values in each row, once they are trained.
        heads: Head -> parameter -> the value that training starts from.
    """

    norms: tuple[str, str] | None = None
    tables: tuple[str, ...] = ()
    heads: Mapping[str, Mapping[str, float]] = MappingProxyType({})


def suspicions(
    marks: Marks, parameters: Mapping[str, TensorSpec], match: Match, seen: Mapping[str, Seen], noun: str
) -> list[str]:
    """Return a sentence for each kind of values that no training leaves, with the names of the stored tensors.

    Args:
        marks: What the values of this model's parameters show.
        parameters: The parameters that were read.
        match: Their stored names.
        seen: Stored name -> what was seen of its values.
        noun: "variable" or "dataset".
    """
    found = {name: seen.get(stored, _NOTHING) for name, stored in match.stored.items()}
    constant = {name: each.constant for name, each in found.items() if each.constant is not None}
    untrained_heads = {
        head: initial
        for head, initial in marks.heads.items()
        if all(constant.get(name) == value for name, value in initial.items())
    }
    in_heads = {name for initial in untrained_heads.values() for name in initial}

    def names(parameters: Sequence[str]) -> str:
        return first_of([match.stored[name] for name in parameters])

    def sentences() -> Iterator[str]:
        ones, zeros = _norms(marks, {name: value for name, value in constant.items() if name not in in_heads})
        if ones:
            were = "was" if len(ones) == 1 else "were"
            yield f"{counted(len(ones), 'LayerNorm')} {were} never trained (gamma all ones, beta all zeros): {names(ones)}"
        if zeros:
            yield f"all values are 0 in {counted(len(zeros), 'gamma')} of a LayerNorm: {names(zeros)}"
        for head, initial in untrained_heads.items():
            yield f"the {head} was never trained (it has its initial values): {names(list(initial))}"
        equal = [name for name in constant if len(parameters[name].shape) > 1]
        if equal:
            yield f"all values are equal in {counted(len(equal), noun)}: {names(equal)}"
        for name in marks.tables:
            rows = found.get(name, _NOTHING).rows
            if rows and name not in constant:
                what = "all rows are equal" if rows == "equal" else "all values of each row are equal"
                yield f"{what} in {match.stored[name]}"
        large = sorted((name for name in found if found[name].largest), key=lambda name: -found[name].largest)
        if large:
            most = f"beyond {LARGE:,.0f} in magnitude, up to {found[large[0]].largest:,.6g}"
            yield f"values are {most}, in {counted(len(large), noun)}: {names(large)}"

    return list(sentences())


def _norms(marks: Marks, constant: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """Return the scales of LayerNorms that are all ones with a shift of zeros, and those that are all zeros."""
    if marks.norms is None:
        return [], []
    scale, shift = marks.norms
    scales = [name for name in constant if name.endswith(scale)]
    ones = [name for name in scales if constant[name] == 1 and constant.get(name.removesuffix(scale) + shift) == 0]
    return ones, [name for name in scales if constant[name] == 0]
