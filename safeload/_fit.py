"""Compare a weight file with a model's parameters, and read those that fit."""

from __future__ import annotations

import logging
import platform
import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from safeload._arguments import as_python
from safeload._bytes import absent
from safeload._compare import compare, matched, split_ignored
from safeload._forms import open_weights
from safeload._forms.weight_file import WIDENED
from safeload._model_kind import Checked, Mismatch
from safeload._naming import as_stored
from safeload._suspicion import suspicions
from safeload._text.words import counted, escaped, first_of, short, some_of, two_lines, with_article
from safeload._values import fits_buffer, read_parameters
from safeload._version import __version__
from safeload.errors import AmbiguousCheckpointError, CorruptFileError, VariableMismatchError
from safeload.report import LoadReport, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._forms.weight_file import StoredTensor, WeightFile, WeightPlace
    from safeload._model_kind import Clock, Config, ModelKind
    from safeload._naming import Match, Naming
    from safeload.report import TensorSpec

logger = logging.getLogger(__name__)

_HELD = {"positions": "the positions 0, 1, 2, ... in one row", "zeros": "one row of zeros"}


def check_weights(
    kind: ModelKind[Config],
    config: Config,
    place: WeightPlace,
    patterns: tuple[str, ...],
    clock: Clock,
    *,
    keep_values: bool,
) -> Checked[Config]:
    """Run the third and fourth step for a config that is already read, and close the weight file.

    Raises:
        WrongFileKindError: The weights belong to another model.
        VariableMismatchError: Tensors are missing or unexpected, or have a wrong shape or dtype.
        CorruptFileError: A checksum does not match, a value is NaN or infinite, or bytes are missing.
        SafeLoadError: As the form's own `open_weights`.
    """
    with open_weights(place) as weights:
        with clock.step("list"):
            config, wanted = _list(kind, config, weights)
            parameters = wanted.parameters
        with clock.step("compare"):
            match, mismatch, ignored = _require_match(kind, config, wanted, weights, patterns)
            kernels = {name for name in parameters if kind.outputs_first and name.endswith("/kernel")}
            values, wrong = read_parameters(weights, match, keep=keep_values, turned=kernels)
            weights.prove()
            weights.require_unchanged()
            if wrong:
                found = mismatch.found
                problems = [
                    Problem(kind=fault.kind, name=name, expected=parameters[name], found=found[name])
                    for name, fault in wrong.items()
                ]
                faults = {name: fault.text for name, fault in wrong.items()}
                raise _error(kind, replace(mismatch, problems=problems, faults=faults), wanted)
        files, packages = weights.files(), weights.packages
        checksums = "; ".join(filter(None, [weights.checksums(len(parameters)), weights.ref.source.proof]))
        proven = {key for spec in mismatch.expected.values() for key in spec.size_keys}
        strange = suspicions(kind.marks, parameters, match, weights.seen, weights.noun)
    logger.info("checked %s, %s", escaped(place.ref.path), with_article(place.place))
    report = LoadReport(
        model=kind.model,
        noun=f"{weights.noun}s",
        given=str(as_python(place.ref.given)),
        place=place.place,
        form=place.form,
        naming=wanted.naming.id,
        scope=match.scope,
        read=tuple(parameters.values()),
        unused=match.unused,
        ignored=ignored,
        checksums=checksums,
        activation=kind.activation(config),
        taken_from_config={key: value for key, value in kind.unverified(config).items() if key not in proven},
        notes=(*wanted.notes, *_notes_of_dtypes(weights, match)),
        unused_keys=tuple(kind.unused_keys(config)),
        warnings=(*_warnings_of_place(place), *wanted.warnings, *strange),
        seconds=clock.seconds,
        versions={"python": platform.python_version(), "safeload": __version__, **_versions(packages)},
    )
    return Checked(config=config, values=values, files=files, clock=clock, report=report)


def require_match(kind: ModelKind[Config], config: Config, place: WeightPlace) -> None:
    """Require weights whose names, shapes and dtypes fit the config; no value of a parameter is read.

    Raises:
        SafeLoadError: As `check_weights`, except the errors about damaged values.
    """
    with open_weights(place) as weights:
        config, wanted = _list(kind, config, weights)
        _require_match(kind, config, wanted, weights, ("*",))


class _Wanted(NamedTuple):
    """What to look for in a weight file."""

    parameters: Mapping[str, TensorSpec]
    naming: Naming
    scope: str
    notes: list[str]
    warnings: list[str]


def _list(kind: ModelKind[Config], config: Config, weights: WeightFile) -> tuple[Config, _Wanted]:
    """List the parameters, and recognise how the file names them, which may change what the config says."""
    naming, scope, warnings = kind.recognise(weights)
    names = weights.tensors

    def stored(parameter: str) -> StoredTensor | None:
        return names.get(naming.stored_as(parameter, scope, names)[0])

    config, notes = kind.adapted(config, naming, stored)
    config, differences = kind.agreed(config, naming, weights)
    naming = placed(naming, weights, scope)
    return config, _Wanted(
        kind.list_parameters(config, naming, stored), naming, scope, notes, [*warnings, *differences]
    )


def placed(naming: Naming, weights: WeightFile, scope: str) -> Naming:
    """Return the naming for a file, where it depends on what the writer recorded of its layers."""
    specs = {name: each.spec for name, each in weights.tensors.items()}
    return naming.placed(specs, weights.groups, scope, lambda group: weights.note(group, "name"))


def _require_match(
    kind: ModelKind[Config], config: Config, wanted: _Wanted, weights: WeightFile, patterns: tuple[str, ...]
) -> tuple[Match, Mismatch[Config], tuple[str, ...]]:
    """Return the match of names, shapes and dtypes that fit, what a later error about their values needs, and the ignored names."""
    parameters, scope = wanted.parameters, wanted.scope
    _require_proven(weights, wanted)
    _require_labels(weights, wanted)
    _require_order(weights, wanted)
    match, found = wanted.naming.match(parameters, {name: each.spec for name, each in weights.tensors.items()}, scope)
    strange = {**_strange_buffers(weights, match, wanted), **_strange_copies(weights, match, wanted)}
    ignored, unexpected = split_ignored([*match.unexpected, *strange], patterns)
    n_heads = kind.n_heads(config)
    expected = {name: as_stored(spec, match.changes[name], n_heads) for name, spec in parameters.items()}
    problems = compare(expected, found, unexpected=unexpected, widened=WIDENED)
    faults = {name: fault for name, fault in {**match.faults, **strange}.items() if name in unexpected}
    mismatch = Mismatch(
        problems=problems, expected=expected, found=found, weights=weights, config=config, faults=faults
    )
    if problems:
        weights.prove()  # what is damaged may look like another model
        raise _error(kind, mismatch, wanted)
    return match, mismatch, tuple(ignored)


def _require_proven(weights: WeightFile, wanted: _Wanted) -> None:
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


def _require_labels(weights: WeightFile, wanted: _Wanted) -> None:
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


def _require_order(weights: WeightFile, wanted: _Wanted) -> None:
    """Require that the order of layers and weights agrees with their names, where the library that owns the form goes by order."""
    naming, scope, names = wanted.naming, wanted.scope, weights.tensors
    present = [each for each in wanted.parameters if naming.stored_as(each, scope, names)[0] in names]
    faults = naming.misordered(present, scope, weights.notes)
    rows = [two_lines("ORDER", f"{scope}{layer}", what) for layer, what in faults]
    if rows:
        message = f"the {weights.title} lists layers or weights in another order than the model has them"
        hints = ["Keras loads this form by order and safeload by name, with different values; save the weights again"]
        raise CorruptFileError(message, **weights.ref.facts, details=rows, hints=hints)


def _strange_buffers(weights: WeightFile, match: Match, wanted: _Wanted) -> dict[str, str]:
    """Return the buffers that hold anything else than what a model computes: name without the scope -> why."""
    stored = weights.read(match.buffers) if match.buffers else {}
    return {
        wanted.naming.canonical(
            name, wanted.scope
        ): f"BERT computes {_HELD[buffer.holds]} here; other values make another model"
        for name, buffer in match.buffers.items()
        if not fits_buffer(stored[name], buffer.holds)
    }


def _strange_copies(weights: WeightFile, match: Match, wanted: _Wanted) -> dict[str, str]:
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


def _warnings_of_place(place: WeightPlace) -> list[str]:
    names = absent.names_text([escaped(name) for name in place.others])
    return [f"other weights in the folder were not read: {names}"] if place.others else []


def _notes_of_dtypes(weights: WeightFile, match: Match) -> list[str]:
    counts = Counter(weights.tensors[name].spec.dtype for name in match.stored.values())
    return [
        f"{some_of(counts[dtype], len(match.stored), weights.noun)} stored as {dtype}; read as float32, without loss"
        for dtype in WIDENED
        if counts[dtype]
    ]


def _error(kind: ModelKind[Config], mismatch: Mismatch[Config], wanted: _Wanted) -> VariableMismatchError:
    weights, word, scope = mismatch.weights, kind.config_word, wanted.scope
    noun, given = f"{weights.noun}s", str(as_python(weights.ref.given))
    problems = [replace(each, name=wanted.naming.shown(each.name, scope)) for each in mismatch.problems]
    others = _nothing_but_others(mismatch)
    return VariableMismatchError(
        f"the {kind.model} {weights.title} does not fit its {word}: {others or matched(problems, mismatch.expected, noun)}",
        report=LoadReport(model=kind.model, noun=noun, given=given, scope=scope, problems=tuple(problems)),
        **weights.ref.facts,
        context=[
            (word, mismatch.config.path),
            *([("scope", scope)] if scope not in ("", wanted.naming.usual_scope) else []),
        ],
        details=[] if others else [str(problem) for problem in problems],
        hints=[
            *(f"{short(name)}: {fault}" for name, fault in list(mismatch.faults.items())[:1]),
            *kind.hints(mismatch),
        ],
    )


def _nothing_but_others(mismatch: Mismatch[Config]) -> str:
    """Say what a file holds that has none of the parameters, instead of a list of them all; "" if it has one."""
    weights, n_wanted = mismatch.weights, len(mismatch.expected)
    if not weights.tensors or mismatch.expected.keys() & mismatch.found.keys():
        return ""
    names = first_of(sorted(weights.tensors))
    return f"none of its {n_wanted} {weights.noun}s is there; the file has {counted(len(weights.tensors), weights.noun)}, {names}"


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    return {name: sys.modules[name].__version__ for name in packages}
