"""Compare a weight file with a model's parameters, and read those that fit."""

from __future__ import annotations

import logging
import platform
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Generic

from safeload._arguments import as_python
from safeload._bytes import absent
from safeload._compare import compare, matched, split_ignored
from safeload._digest import Row, digest_of
from safeload._forms import open_weights
from safeload._forms.weight_file import WIDENED
from safeload._model_kind import Checked, Config, Mismatch
from safeload._naming import OTHER, as_stored
from safeload._suspicion import suspicions
from safeload._text.addresses import without_secrets
from safeload._text.words import counted, escaped, first_of, short, some_of, with_article
from safeload._unproven import (
    Wanted,
    require_labels,
    require_order,
    require_proven,
    strange_buffers,
    strange_copies,
)
from safeload._values import read_parameters
from safeload._version import __version__
from safeload.errors import VariableMismatchError
from safeload.report import LoadReport, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from safeload._forms.weight_file import StoredTensor, WeightFile, WeightPlace
    from safeload._model_kind import Clock, ModelKind
    from safeload._naming import Match, Naming
    from safeload._values import Fault

logger = logging.getLogger(__name__)


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
    with matched_weights(kind, config, place, patterns, clock) as found:
        weights, match, parameters = found.weights, found.match, found.parameters
        with clock.step("compare"):
            kernels = {name for name in parameters if kind.outputs_first and name.endswith("/kernel")}
            values, faults = read_parameters(weights, match, keep=keep_values, turned=kernels)
            found.finish(faults)
        report = found.report(clock)
    logger.info("checked %s, %s", escaped(place.ref.path), with_article(place.place))
    return Checked(config=found.config, values=values, files=found.files, clock=clock, report=report)


@contextmanager
def matched_weights(
    kind: ModelKind[Config], config: Config, place: WeightPlace, patterns: tuple[str, ...], clock: Clock
) -> Iterator[Matched[Config]]:
    """Open a weight file, and yield it with the match of its tensors; no value of a parameter is read yet.

    Raises:
        SafeLoadError: As `check_weights`.
    """
    with open_weights(place) as weights:
        yield match_weights(kind, config, weights, place, patterns, clock)


def match_weights(
    kind: ModelKind[Config],
    config: Config,
    weights: WeightFile,
    place: WeightPlace,
    patterns: tuple[str, ...],
    clock: Clock,
) -> Matched[Config]:
    """Match the tensors of an open weight file with the config.

    Raises:
        SafeLoadError: As `check_weights`, except the errors about damaged values.
    """
    with clock.step("list"):
        config, wanted = _list(kind, config, weights)
    with clock.step("compare"):
        match, mismatch, ignored = _require_match(kind, config, wanted, weights, patterns)
    return Matched(kind, config, place, wanted, match, mismatch, ignored)


def require_match(kind: ModelKind[Config], config: Config, place: WeightPlace) -> None:
    """Require weights whose names, shapes and dtypes fit the config; no value of a parameter is read.

    Raises:
        SafeLoadError: As `check_weights`, except the errors about damaged values.
    """
    with open_weights(place) as weights:
        config, wanted = _list(kind, config, weights)
        _require_match(kind, config, wanted, weights, ("*",))


class Matched(Generic[Config]):
    """An open weight file whose tensors fit the config.

    Attributes:
        config: The config, with what the weights say.
        weights: The weight file.
        match: The mapping of the parameters to the names in the file.
        parameters: The parameters to read.
        naming: The naming of the file.
        files: (role, path) of each file.
        warnings: What is suspicious, before a value was read.
    """

    def __init__(  # noqa: PLR0913, PLR0917  (what the steps before have found)
        self,
        kind: ModelKind[Config],
        config: Config,
        place: WeightPlace,
        wanted: Wanted,
        match: Match,
        mismatch: Mismatch[Config],
        ignored: tuple[str, ...],
    ) -> None:
        self.config, self.match, self.parameters, self.naming = config, match, wanted.parameters, wanted.naming
        self.weights = mismatch.weights
        self.files = self.weights.files()
        self.warnings = (*_warnings_of_place(place), *wanted.warnings)
        self._kind, self._place, self._wanted, self._mismatch, self._ignored = kind, place, wanted, mismatch, ignored

    def finish(self, faults: Mapping[str, Fault]) -> None:
        """Prove what was read: no fault in a value, the checksums of an archive, and files that did not change.

        Raises:
            VariableMismatchError: There are faults.
            CorruptFileError: As `WeightFile.prove` and `require_unchanged`.
        """
        self.weights.prove()
        self.weights.require_unchanged()
        if faults:
            found = self._mismatch.found
            problems = [
                Problem(kind=fault.kind, name=name, expected=self.parameters.get(name), found=found[name])
                for name, fault in faults.items()
            ]
            texts = {name: fault.text for name, fault in faults.items()}
            raise _error(self._kind, replace(self._mismatch, problems=problems, faults=texts), self._wanted)

    def report(self, clock: Clock) -> LoadReport:
        """Return the report, once every parameter was read."""
        kind, weights, match, wanted = self._kind, self.weights, self.match, self._wanted
        parameters = wanted.parameters
        checksums = "; ".join(filter(None, [weights.checksums(len(parameters)), weights.ref.source.proof]))
        proven = {key for spec in self._mismatch.expected.values() for key in spec.size_keys}
        activation = kind.activation(self.config)
        unproven = {key: value for key, value in kind.unverified(self.config).items() if key not in proven}
        rows = (Row(name, stored, match.changes[name]) for name, stored in match.stored.items())
        settings = {**unproven, "model": kind.model, "activation": activation}
        strange = suspicions(kind.marks, parameters, match, weights.seen, weights.noun)
        versions = _versions(weights.packages)
        return LoadReport(
            model=kind.model,
            noun=f"{weights.noun}s",
            given=without_secrets(str(as_python(self._place.ref.given))),
            place=self._place.place,
            form=self._place.form,
            naming=wanted.naming.id,
            scope=match.scope,
            read=tuple(parameters.values()),
            unused=match.unused,
            ignored=self._ignored,
            checksums=checksums,
            digest=digest_of(weights, rows, settings),
            activation=activation,
            taken_from_config=unproven,
            notes=(*wanted.notes, *_notes_of_dtypes(weights, match)),
            unused_keys=tuple(kind.unused_keys(self.config)),
            warnings=(*self.warnings, *strange),
            seconds=clock.seconds,
            versions={"python": platform.python_version(), "safeload": __version__, **versions},
        )


def _list(kind: ModelKind[Config], config: Config, weights: WeightFile) -> tuple[Config, Wanted]:
    """List the parameters, and recognise how the file names them, which may change what the config says."""
    naming, scope, others = kind.recognise(weights)
    names = weights.tensors

    def stored(parameter: str) -> StoredTensor | None:
        return names.get(naming.stored_as(parameter, scope, names)[0])

    config, notes = kind.adapted(config, naming, stored)
    config, differences = kind.agreed(config, naming, weights)
    naming = placed(naming, weights, scope)
    parameters = kind.list_parameters(config, naming, stored)
    read = {naming.stored_as(name, scope, names)[0] for name in parameters}
    left = [repr(each) for each, first in others.items() if first not in read]
    if left:
        warning = f"the {weights.title} has {OTHER}, under {', '.join(left)}; pass scope to choose one"
        differences = [warning, *differences]
    return config, Wanted(parameters, naming, scope, notes, differences)


def placed(naming: Naming, weights: WeightFile, scope: str) -> Naming:
    """Return the naming for a file, where it depends on what the writer recorded of its layers."""
    specs = {name: each.spec for name, each in weights.tensors.items()}
    return naming.placed(specs, weights.groups, scope, lambda group: weights.note(group, "name"))


def _require_match(
    kind: ModelKind[Config], config: Config, wanted: Wanted, weights: WeightFile, patterns: tuple[str, ...]
) -> tuple[Match, Mismatch[Config], tuple[str, ...]]:
    """Return the match of names, shapes and dtypes that fit, what a later error about their values needs, and the ignored names."""
    parameters, scope = wanted.parameters, wanted.scope
    require_proven(weights, wanted)
    require_labels(weights, wanted)
    require_order(weights, wanted)
    match, found = wanted.naming.match(parameters, {name: each.spec for name, each in weights.tensors.items()}, scope)
    strange = {**strange_buffers(weights, match, wanted), **strange_copies(weights, match, wanted)}
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


def _error(kind: ModelKind[Config], mismatch: Mismatch[Config], wanted: Wanted) -> VariableMismatchError:
    weights, word, scope = mismatch.weights, kind.config_word, wanted.scope
    noun, given = f"{weights.noun}s", without_secrets(str(as_python(weights.ref.given)))
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
