"""Run the steps that every load shares: resolve, read, list and compare; a builder runs the fifth step, build.

A `ModelKind` has everything that differs between models.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from safeload._arguments import require_patterns
from safeload._bytes.files import DISK
from safeload._compare import Match, compare, matched, split_ignored
from safeload._forms import open_weights
from safeload._forms.importing import gc_paused, short_blas_timeout
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
    """A validated config with the path of its file."""

    @property
    def path(self) -> str:
        """The absolute path."""


Config = TypeVar("Config", bound=HasPath)


@dataclass(frozen=True, kw_only=True)
class Request:
    """The arguments of a load or check that select files and tensors, as the caller passed them.

    Attributes:
        config: The config or options file, or a folder.
        weights: The weights; None for those beside the config.
        vocab: The vocabulary; None for the one beside the config.
        base_dir: The base of relative paths.
        ignore_unused: Patterns of unexpected tensors to ignore.
        lock_file: The lock file; None for the one beside the config.
    """

    config: object
    weights: object = None
    vocab: object = None
    base_dir: object = None
    ignore_unused: object = ()
    lock_file: object = None


@dataclass(frozen=True, kw_only=True)
class Places:
    """The result of the first step: the files to read."""

    config: FileRef
    weights: WeightPlace
    vocab: FileRef | None = None


@dataclass(kw_only=True)
class Clock:
    """The duration of each step in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step; repeated measurements of the same step are added up."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass(frozen=True, kw_only=True)
class Mismatch(Generic[Config]):
    """A comparison that found problems; input for hints.

    Attributes:
        problems: Everything that does not fit.
        expected: Parameter -> spec according to the config.
        found: Parameter, or stored name without scope -> stored spec.
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
        config_word: The name of the config in messages.
        example_pattern: An example of an `ignore_unused` pattern, for messages.
        find_config: Finds the config; raises if it is missing or another kind of file.
        find_others: Finds the other files; those not given are expected beside the config.
        read: Reads config and vocabulary and compares them with the arguments; returns the config and notes.
        list_parameters: Lists the model's parameters: canonical name -> shape, dtype and the config key of each size.
        recognise: Returns the naming and scope of a weight file; raises if it belongs to another model.
        hints: Returns hints about weights that do not fit.
        unverified: Returns the settings that no weight file can confirm.
        adapted: Returns the config with the settings that are taken from the weights instead.
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
    """The result of the first four steps: weights that fit the config.

    Attributes:
        config: The validated config.
        files: (role, path) of each file of the weights.
        values: Canonical name -> verified values; empty unless they were kept.
        clock: The durations so far.
        report: The report so far.
    """

    config: Config
    files: list[tuple[str, str]]
    values: dict[str, NDArray[Any]]
    clock: Clock
    report: LoadReport


def check(kind: ModelKind[Config], request: Request, *, keep_values: bool) -> Checked[Config]:
    """Run the first four steps; with `keep_values`, return the verified values for a load."""
    with gc_paused(), short_blas_timeout():
        return _check(kind, request, keep_values=keep_values)


def _check(kind: ModelKind[Config], request: Request, *, keep_values: bool) -> Checked[Config]:
    clock = Clock()
    patterns = require_patterns(request.ignore_unused, example=kind.example_pattern)
    with clock.step("resolve"):
        config_ref = kind.find_config(request)
    with opened_source(
        kind.model,
        os.path.dirname(config_ref.path),
        clock,
        lock_file=request.lock_file,
        base_dir=request.base_dir,
    ) as source:
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
def opened_source(
    model: str, folder: str, clock: Clock, *, lock_file: object = None, base_dir: object = None
) -> Iterator[Source]:
    """Yield the source of a model's files: verified copies if a lock file applies, otherwise the disk.

    Args:
        model: "BERT" or "ELMo".
        folder: The folder whose lock file applies, unless `lock_file` is passed.
        clock: Measures the hashing and copying.
        lock_file: The lock file, as the caller passed it.
        base_dir: The base of a relative `lock_file`.

    Raises:
        SafeLoadError: As `find_lock` and `open_locked`.
    """
    path = find_lock(lock_file, folder=folder, base_dir=base_dir)
    if path is None:
        yield DISK
        return
    with clock.step("lock"):
        source = open_locked(path, given=lock_file, model=model)
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
    """Run the third and fourth step for a config that is already read, and close the weight file.

    Raises:
        WrongFileKindError: The weights belong to another model.
        VariableMismatchError: Tensors are missing or unexpected, or have a wrong shape or dtype.
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
                values = match.values(weights.read(stored))
            else:
                weights.verify(stored)
                values = {}
            weights.require_unchanged()
        files, packages = weights.files(), weights.packages
        checksums = weights.checksums(len(parameters))
    scope = f", under the scope {match.scope!r}" if match.scope else ""
    logger.info("checked %s, %s%s", place.ref.path, with_article(place.place), scope)
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
        versions={"python": platform.python_version(), "safeload": __version__, **_versions(packages)},
    )
    return Checked(config=config, values=values, files=files, clock=clock, report=report)


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


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    return {name: sys.modules[name].__version__ for name in packages}
