"""The five steps of a load, once for every model: resolve, read, list, compare; the fifth, build, is the builder's.

What differs between models is a `ModelKind`: how its files are found, what its config asks for, how stored names map to its
parameters, and what is said where they do not fit.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from safeload._arguments import require_patterns
from safeload._bytes.files import DISK
from safeload._compare import Match, compare, matched, split_ignored
from safeload._forms import open_weights
from safeload._forms.importing import blas_workers_asleep, collector_paused
from safeload._text.words import first_few, with_article
from safeload._version import __version__
from safeload.errors import VariableMismatchError
from safeload.lock._copies import LockedSource, find_lock, open_locked
from safeload.report import LoadReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from safeload._bytes.files import FileRef, Source
    from safeload._compare import Naming
    from safeload._forms.weight_file import WeightFile, WeightPlace
    from safeload.report import Problem, TensorSpec

logger = logging.getLogger(__name__)


class HasPath(Protocol):
    """A validated config, which knows where it came from."""

    @property
    def path(self) -> str:
        """The file, absolute."""


Config = TypeVar("Config", bound=HasPath)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a caller passed to find a model's files by; the meaning of each is the loader's.

    Attributes:
        config: The config or options, or a folder.
        weights: The weights; None for those beside the config.
        vocab: The vocabulary; None for the one beside the config.
        base_dir: Where relative paths start.
        ignore_unused: Patterns of unexpected tensors that may be left.
        lock_file: The lock; None for the one beside the config.
    """

    config: object
    weights: object = None
    vocab: object = None
    base_dir: object = None
    ignore_unused: object = ()
    lock_file: object = None


@dataclass(frozen=True, kw_only=True)
class Places:
    """The first step's result: which files are read."""

    config: FileRef
    weights: WeightPlace
    vocab: FileRef | None = None


@dataclass(kw_only=True)
class Clock:
    """The time of each step, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure one step; what takes place in two pieces is added up."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass(frozen=True, kw_only=True)
class Mismatch(Generic[Config]):
    """A comparison that found problems, for the hints about it.

    Attributes:
        problems: Everything that does not fit.
        expected: Parameter -> what the config asks for.
        found: Parameter, or else the stored name without its scope -> what is stored.
        weights: The weight file.
        config: The config.
    """

    problems: list[Problem]
    expected: Mapping[str, TensorSpec]
    found: Mapping[str, TensorSpec]
    weights: WeightFile
    config: Config


@dataclass(frozen=True, kw_only=True)
class ModelKind(Generic[Config]):
    """What differs between models in the first four steps.

    Attributes:
        model: "BERT" or "ELMo".
        config_word: What a message calls its config.
        example_pattern: A pattern for `ignore_unused`, for the message about a bad one.
        find_config: Finds the config; raises where it is missing or is another kind of file.
        find_others: Finds the other files; what is left out is looked for beside the config.
        read: Reads config and vocabulary and compares them with the arguments; returns the config and notes.
        list_parameters: Lists what the model reads: canonical name -> shape, dtype and the config key behind each size.
        recognise: Returns the naming and scope of a weight file; raises where it is of another model.
        hints: Returns what to do about weights that do not fit.
        unverified: Returns what no weight file can prove, so that the config is trusted for it.
        adapted: Returns the config with what is taken from the weights instead.
    """

    model: str
    config_word: str
    example_pattern: str
    find_config: Callable[[Request], FileRef]
    find_others: Callable[[Request, FileRef], Places]
    read: Callable[[Places], tuple[Config, list[str]]]
    list_parameters: Callable[[Config], Mapping[str, TensorSpec]]
    recognise: Callable[[WeightFile], tuple[Naming, str]]
    hints: Callable[[Mismatch[Config]], list[str]]
    unverified: Callable[[Config], dict[str, object]]
    adapted: Callable[[Config, WeightFile], Config] = lambda config, _: config


@dataclass(kw_only=True)
class Checked(Generic[Config]):
    """What the first four steps prove: these values fit this config.

    Attributes:
        config: The validated config.
        parameters: What the model reads, by canonical name.
        match: Which stored tensor is which parameter, and what is left.
        files: (role, path) of each file of the weights.
        values: The verified values by canonical name, where a load asked for them: what it fills is what was checked.
        clock: The time so far.
        report: The facts so far.
    """

    config: Config
    parameters: Mapping[str, TensorSpec]
    match: Match
    files: list[tuple[str, str]]
    values: dict[str, NDArray[Any]]
    clock: Clock
    report: LoadReport


def check(kind: ModelKind[Config], request: Request, *, keep_values: bool) -> Checked[Config]:
    """Run the first four steps; the values are read once, and kept for a load."""
    with collector_paused(), blas_workers_asleep():
        return _check(kind, request, keep_values=keep_values)


def _check(kind: ModelKind[Config], request: Request, *, keep_values: bool) -> Checked[Config]:
    clock = Clock()
    patterns = require_patterns(request.ignore_unused, example=kind.example_pattern)
    with clock.step("resolve"):
        config_ref = kind.find_config(request)
    with opened_source(kind.model, request, os.path.dirname(config_ref.path), clock) as source:
        with clock.step("resolve"):
            places = kind.find_others(request, replace(config_ref, source=source))
        with clock.step("read"):
            config, notes = kind.read(places)
        checked = check_weights(kind, config, places.weights, patterns, clock, keep_values=keep_values)
        refs = [places.config, *([places.vocab] if places.vocab else [])]
        rows = [(ref.role, ref.path) for ref in refs]
        rows += [("state file", places.weights.state_file)] if places.weights.state_file else []
        rows += checked.files
        files = [source.file_read(role, path) for role, path in rows]
        if isinstance(source, LockedSource):
            files.append(DISK.file_read("lock", source.lock.path))
    checked.report = replace(checked.report, files=tuple(files), notes=tuple(notes))
    return checked


@contextmanager
def opened_source(model: str, request: Request, folder: str, clock: Clock) -> Iterator[Source]:
    """Yield where a model's files are opened: verified copies where a lock applies, otherwise the disk.

    Raises:
        SafeLoadError: As `find_lock` and `open_locked`.
    """
    path = find_lock(request.lock_file, folder=folder, base_dir=request.base_dir)
    if path is None:
        yield DISK
        return
    with clock.step("lock"):
        source = open_locked(path, given=request.lock_file, model=model)
    with closing(source):
        yield source


def check_weights(
    kind: ModelKind[Config],
    config: Config,
    place: WeightPlace,
    patterns: tuple[str, ...],
    clock: Clock,
    *,
    keep_values: bool,
) -> Checked[Config]:
    """Run the third and fourth step for a config that is already read; the weight file is closed again.

    Raises:
        WrongFileKindError: The weights are of another model.
        VariableMismatchError: Tensors are missing, unexpected, or of another shape or dtype; all in one error.
        CorruptFileError: A checksum does not match, a value is NaN or infinite, or bytes are missing.
        SafeLoadError: As the form's own `open_weights`.
    """
    with open_weights(place) as weights:
        with clock.step("list"):
            config = kind.adapted(config, weights)
            parameters = kind.list_parameters(config)
        with clock.step("compare"):
            match = _match(kind, config, parameters, weights, patterns)
            stored = [match.stored[name] for name in parameters]
            if keep_values:
                found = weights.read(stored)
                values = {name: found[match.stored[name]] for name in parameters}
            else:
                weights.verify(stored)
                values = {}
            weights.require_unchanged()
        files, packages = weights.files(), weights.packages
        checksums = weights.checksums(len(parameters))
    logger.info("checked %s, %s, under the scope %r", place.ref.path, with_article(place.place), match.scope)
    report = LoadReport(
        model=kind.model,
        noun=f"{weights.noun}s",
        given=str(place.ref.given),
        form=place.place,
        scope=match.scope,
        read=tuple(parameters.values()),
        unused=match.unused,
        ignored=match.ignored,
        checksums=checksums,
        taken_from_config=kind.unverified(config),
        seconds=clock.seconds,
        versions={"python": _python(), "safeload": __version__, **_versions(packages)},
    )
    return Checked(
        config=config, parameters=parameters, match=match, values=values, files=files, clock=clock, report=report
    )


def _match(
    kind: ModelKind[Config],
    config: Config,
    expected: Mapping[str, TensorSpec],
    weights: WeightFile,
    patterns: tuple[str, ...],
) -> Match:
    naming, scope = kind.recognise(weights)
    match, found = naming.match(expected, {name: each.spec for name, each in weights.tensors.items()}, scope)
    ignored, unexpected = split_ignored(match.unexpected, patterns)
    problems = compare(expected, found, unexpected=unexpected)
    if problems:
        title, word = weights.title, kind.config_word
        mismatch = Mismatch(problems=problems, expected=expected, found=found, weights=weights, config=config)
        given = str(weights.ref.given)
        raise VariableMismatchError(
            f"the {kind.model} {title} does not fit its {word}: {matched(problems, expected, f'{weights.noun}s')}",
            report=LoadReport(
                model=kind.model, noun=f"{weights.noun}s", given=given, scope=scope, problems=tuple(problems)
            ),
            **weights.ref.facts,
            context=[(word, config.path), *([("scope", scope)] if scope else [])],
            details=first_few([str(problem) for problem in problems], "error.report.problems"),
            hints=kind.hints(mismatch),
        )
    return replace(match, ignored=tuple(ignored))


def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    return {name: sys.modules[name].__version__ for name in packages}
