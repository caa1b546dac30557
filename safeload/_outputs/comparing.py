"""Compare what the layers of a model compute with the tables that are expected."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from safeload._outputs.causes import causes_of
from safeload._outputs.report import BOUND, OutputsReport
from safeload._outputs.tables import differences
from safeload._outputs.vocabulary import require_vocabulary
from safeload._text.words import counted, two_lines
from safeload.errors import OutputMismatchError
from safeload.report import pairs_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from safeload._bytes.files import FileRef
    from safeload._layers import LayerDifference
    from safeload._outputs.subject import Outputs, Subject

SIZES = "sizes"
"""Their name as the first layer that differs."""


def require_same_model(
    expected: Outputs, sizes: Mapping[str, int], tokens: Mapping[str, int], ref: FileRef
) -> list[str]:
    """Require the sizes and the vocabulary of the model whose outputs are expected; return notes.

    Raises:
        OutputMismatchError: They are others.
    """
    others = [
        two_lines("SIZE", key, f"expected {expected.settings[key]}, found {size}")
        for key, size in sizes.items()
        if key in expected.settings and expected.settings[key] != size
    ]
    if others:
        raise other_sizes(expected.model, others, ref)
    return require_vocabulary(expected.vocabulary, tokens, ref)


def other_sizes(model: str, details: Sequence[str], ref: FileRef) -> OutputMismatchError:
    """Return the error for a model whose outputs cannot be those that are expected."""
    message = f"the {model} has other sizes than the model whose outputs are expected"
    hints = ["pass the outputs of this model, or the model of these outputs"]
    return OutputMismatchError(message, first_layer=SIZES, details=details, hints=hints, **ref.facts)


def compare(subject: Subject, expected: Outputs, ref: FileRef, *, as_it_is: bool = True) -> OutputsReport:
    """Compute the layers of a model for the inputs that were saved, and require the expected tables.

    Args:
        subject: The model.
        expected: The tables.
        ref: Their file.
        as_it_is: Whether dropout is on where the model is in training mode.

    Raises:
        OutputMismatchError: Sizes, vocabulary or the outputs of a layer are others.
    """
    notes = require_same_model(expected, subject.sizes, subject.tokens, ref)
    start = time.perf_counter()
    found = subject.compute(expected.inputs, as_it_is)
    layers = differences(expected.layers, found)
    beyond = [each for each in layers if each.is_beyond(BOUND) or (each.only_in and each.layer not in subject.optional)]
    if beyond:
        causes = causes_of(subject, expected, beyond[0].layer, found, as_it_is=as_it_is)
        raise _mismatch(subject, expected, ref, (layers, beyond), causes)
    return OutputsReport(
        model=subject.model,
        file=ref.path,
        runtime=subject.runtime,
        settings=subject.settings,
        computed=tuple(found),
        layers=layers,
        notes=tuple(notes),
        seconds={"outputs": time.perf_counter() - start},
        versions=subject.versions,
    )


def _mismatch(
    subject: Subject,
    expected: Outputs,
    ref: FileRef,
    found: tuple[Sequence[LayerDifference], Sequence[LayerDifference]],
    causes: Sequence[str],
) -> OutputMismatchError:
    layers, beyond = found
    n_compared = sum(each.layer not in subject.optional or not each.only_in for each in layers)
    first = beyond[0].layer
    message = (
        f"the {subject.model} computes something else than expected, from {first} on: "
        f"{len(beyond)} of {counted(n_compared, 'layer')} differ by more than {BOUND:g}"
    )
    hints = (
        []
        if causes
        else ["no setting that the model has explains it: compare its weights with those that are expected"]
    )
    return OutputMismatchError(
        message,
        first_layer=first,
        layers=[(each.layer, each.max_abs) for each in layers if not each.only_in],
        bound=BOUND,
        causes=list(causes),
        context=[
            ("expected", f"{expected.runtime}, {pairs_text(expected.versions, ' ')}"),
            ("computed", f"{subject.runtime}, {pairs_text(subject.versions, ' ')}"),
            *(("cause", cause) for cause in causes),
        ],
        details=[two_lines("LAYER", each.layer, _far(each)) for each in beyond],
        hints=[*hints, "if the change is intended, save the outputs again"],
        **ref.facts,
    )


def _far(layer: LayerDifference) -> str:
    if layer.only_in:
        return f"only in {layer.only_in}"
    return "not finite, or of another shape" if layer.max_abs is None else f"differs by {layer.max_abs:.3g} of its size"
