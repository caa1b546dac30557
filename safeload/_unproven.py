"""Require what the names of tensors alone do not prove: which layers they are of, their order, and what copies and buffers hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from safeload._text.words import counted, short, two_lines
from safeload._values import fits_buffer
from safeload.errors import AmbiguousCheckpointError, CorruptFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._forms.weight_file import WeightFile
    from safeload._naming import Match, Naming
    from safeload.report import TensorSpec

_HELD = {"positions": "the positions 0, 1, 2, ... in one row", "zeros": "one row of zeros"}


class Wanted(NamedTuple):
    """What to look for in a weight file."""

    parameters: Mapping[str, TensorSpec]
    naming: Naming
    scope: str
    notes: list[str]
    warnings: list[str]


def require_proven(weights: WeightFile, wanted: Wanted) -> None:
    """Require that the file says which of its layers are the model's, where the names of tensors say only their place."""
    found = wanted.naming.unproven(wanted.parameters, wanted.scope, weights.tensors)
    if found:
        rows = [
            two_lines("AMBIGUOUS", label, f"may be {' or '.join([*groups, 'absent'])}")
            for label, groups in found.items()
        ]
        layers = counted(len(found), "layer")
        message = f"the {weights.title} numbers its layers, and other layers of the same shapes make {layers} ambiguous"
        hints = [
            "save the model as .keras, or its weights as .h5 but not .weights.h5: those have the names of the layers"
        ]
        candidates = sorted({group for groups in found.values() for group in groups})
        raise AmbiguousCheckpointError(message, candidates=candidates, **weights.ref.facts, details=rows, hints=hints)


def require_labels(weights: WeightFile, wanted: Wanted) -> None:
    """Require that no layer has the name of another, where the names of tensors say only its place."""
    rows = []
    for group, label in wanted.naming.labels(wanted.parameters, wanted.scope, weights.tensors).items():
        found = weights.note(group, "name")
        if found not in (None, label):
            rows.append(two_lines("EXCHANGED", group, f"the place of the layer {label}, but the layer is {found!r}"))
    if rows:
        were = "was" if len(rows) == 1 else "were"
        message = f"{counted(len(rows), 'layer')} of the {weights.title} {were} renamed or exchanged"
        hints = ["save the weights again from a model whose layers have the names that its library gives them"]
        raise CorruptFileError(message, **weights.ref.facts, details=rows, hints=hints)


def require_order(weights: WeightFile, wanted: Wanted) -> None:
    """Require that the order of layers and weights agrees with their names, where the library that owns the form goes by order."""
    naming, scope, names = wanted.naming, wanted.scope, weights.tensors
    present = [each for each in wanted.parameters if naming.stored_as(each, scope, names)[0] in names]
    faults = naming.misordered(present, scope, weights.notes)
    rows = [two_lines("ORDER", f"{scope}{layer}", what) for layer, what in faults]
    if rows:
        message = f"the {weights.title} lists layers or weights in another order than the model has them"
        hints = ["Keras loads this form by order and safeload by name, with different values; save the weights again"]
        raise CorruptFileError(message, **weights.ref.facts, details=rows, hints=hints)


def strange_buffers(weights: WeightFile, match: Match, wanted: Wanted) -> dict[str, str]:
    """Return the buffers that hold anything else than what a model computes: name without the scope -> why."""
    stored = weights.read(match.buffers) if match.buffers else {}
    return {
        wanted.naming.canonical(
            name, wanted.scope
        ): f"BERT computes {_HELD[buffer.holds]} here; other values make another model"
        for name, buffer in match.buffers.items()
        if not fits_buffer(stored[name], buffer.holds)
    }


def strange_copies(weights: WeightFile, match: Match, wanted: Wanted) -> dict[str, str]:
    """Return the copies of parameters that are not equal to them: name without the scope -> why."""
    faults = {}
    for name, parameter in match.copies.items():
        original = match.stored[parameter]
        if original in weights.tensors and not weights.is_equal(name, original):
            shown = wanted.naming.canonical(name, wanted.scope)
            shapes = {weights.tensors[each].spec.shape for each in (name, original)}
            what = "values" if len(shapes) == 1 else "shapes"
            faults[shown] = f"BERT has one tensor for this and {short(original)}, but their {what} differ"
    return faults
