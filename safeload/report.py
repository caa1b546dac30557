"""What was asked for, what was found, and what was read: the facts behind every message and every report."""

from __future__ import annotations

import dataclasses
import time
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from safeload.errors import ArgumentError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Kind = Literal["missing", "unexpected", "shape", "dtype"]


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """A tensor's name, shape and dtype.

    Attributes:
        name: The variable's name in the checkpoint, or the dataset's in an HDF5 file.
        shape: The size of each dimension.
        dtype: TensorFlow's name of the element type, such as "float32".
        size_keys: For each dimension the config key that it comes from, "" for a constant; empty where unknown.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    size_keys: tuple[str, ...] = ()

    def shape_text(self) -> str:
        """Return the shape as it is printed: `(vocab_size=30522, hidden_size=768)`."""
        keys = self.size_keys or ("",) * len(self.shape)
        sizes = [f"{key}={size}" if key else str(size) for key, size in zip(keys, self.shape, strict=True)]
        return f"({', '.join(sizes)})"

    def __str__(self) -> str:
        """Return shape and dtype."""
        return f"{self.shape_text()} {self.dtype}"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One variable that does not fit."""

    kind: Kind
    name: str
    expected: TensorSpec | None = None
    found: TensorSpec | None = None

    def __str__(self) -> str:
        """Return the row of the message: the name, and below it what was expected and found."""
        return two_lines(self.kind.upper(), self.name, self._difference())

    def _difference(self) -> str:
        expected, found = self.expected, self.found
        if expected is None or found is None:
            side, spec = ("expected", expected) if expected else ("found", found)
            return f"{side} {spec}"
        if self.kind == "dtype":
            return f"expected {expected.dtype}, found {found.dtype}"
        return f"expected {expected.shape_text()}, found {found.shape_text()}"


@dataclass(frozen=True, kw_only=True)
class KeyProblem:
    """One bad key of a config, options or settings file.

    Attributes:
        key: The whole key path, such as "lstm.projection_dim".
        problem: "missing", or what is wrong with the value.
        line: The line of the file, from 1, where that is known.
    """

    key: str
    problem: str
    line: int | None = None

    def __str__(self) -> str:
        """Return the row of the message."""
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.key}: {self.problem}"


@dataclass(frozen=True, kw_only=True)
class FileRead:
    """A file that a load or a check read.

    Attributes:
        role: "config", "vocab", "index", "shard", ...
        path: Absolute path as it was used.
        n_bytes: Its size.
        real_path: Where symbolic links lead, when that is another path.
        sha256: The SHA-256 of the bytes that were read, where a lock file asked for it.
    """

    role: str
    path: str
    n_bytes: int
    real_path: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What a `check_*` or `load_*` call read and proved.

    Attributes:
        model: "BERT" or "ELMo".
        noun: What its file calls a tensor: "variables" in a checkpoint, "datasets" in an HDF5 file.
        backend: Which module was built, for an ELMo: "allennlp" or "torch"; "" where there is no choice.
        files: Every file that was read.
        given: What the caller passed as the weights.
        form: The form that was recognised, such as "checkpoint prefix" or "index file".
        scope: What stands before every variable's name in the file, such as "module/"; "" for nothing.
        read: The tensors that were read, checked and, by `load_*`, filled.
        unused: Tensors of the file that this load does not need, by class.
        ignored: Unexpected variables that `ignore_unused` named.
        initialised: Variables of the model graph that no checkpoint has, initialised as upstream does.
        checksums: Which bytes were compared with a checksum, and what could not be.
        problems: Every variable that does not fit; empty in the report of a load that succeeded.
        taken_from_config: What no file can prove and the config was believed for.
        notes: What is worth knowing and not wrong.
        seconds: The time of each step.
        versions: The packages that took part.
    """

    model: str
    noun: str = "variables"
    backend: str = ""
    files: tuple[FileRead, ...] = ()
    given: str = ""
    form: str = ""
    scope: str = ""
    read: tuple[TensorSpec, ...] = ()
    unused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    initialised: tuple[str, ...] = ()
    checksums: str = ""
    problems: tuple[Problem, ...] = ()
    taken_from_config: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain dicts, lists, strings and numbers, fit for `json.dumps`."""
        return dataclasses.asdict(self)

    def headline(self) -> str:
        """Return the first line: what was read, and how much was not."""
        n_unused = sum(len(names) for names in self.unused.values())
        return f"{self.model}: {len(self.read)} {self.noun} read and verified, {n_unused} unused"

    def _repr_html_(self) -> str:
        """Return the report as a notebook shows it."""
        from safeload._html import report_html  # noqa: PLC0415  (for notebooks alone)

        return report_html(self)

    def __str__(self) -> str:
        """Return the report as text for a log."""
        rows = [(file.role, f"{file.path} ({file.n_bytes:,} bytes)") for file in self.files]
        rows += [("real path", file.real_path) for file in self.files if file.real_path]
        rows += [("sha256", f"{file.sha256} of the {file.role}") for file in self.files if file.sha256]
        rows += [("given", f"{self.given!r}, {with_article(self.form)}")]
        rows += [("backend", self.backend)]
        rows += [("scope", self.scope)] * bool(self.scope)
        rows += [("unused", f"{len(names)} {what}") for what, names in self.unused.items()]
        rows += [("ignored", name) for name in self.ignored]
        rows += [("initialised", name) for name in self.initialised]
        rows += [("checksums", self.checksums)]
        rows += [("from config", ", ".join(f"{k}={v}" for k, v in self.taken_from_config.items()))]
        rows += [("note", note) for note in self.notes]
        rows += [("seconds", ", ".join(f"{step} {spent:.3f}" for step, spent in self.seconds.items()))]
        rows += [("versions", ", ".join(f"{name} {version}" for name, version in self.versions.items()))]
        return "\n".join([self.headline(), *(f"  {label + ':':<13}{value}" for label, value in rows if value)])


class Clock:
    """The time of each step, in seconds."""

    def __init__(self) -> None:
        """Start with no step measured."""
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure one step; what takes place in two pieces is added up."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def two_lines(kind: str, name: str, what: str) -> str:
    """Return one problem as it is printed: its kind in capitals and the name, and what is wrong below."""
    return f"{kind:<10} {one_line(name)}\n               {what}"


def with_article(noun: str) -> str:
    """Return `noun` after "a" or "an"."""
    return f"{'an' if noun[:1].lower() in 'aeio' or noun.startswith('HDF5') else 'a'} {noun}"


def tally(words: Iterable[tuple[int, str]]) -> str:
    """Return counts as text, zeros left out: "1 missing, 2 wrong shape"."""
    return ", ".join(f"{count} {what}" for count, what in words if count)


_REPORTS: weakref.WeakKeyDictionary[Any, LoadReport] = weakref.WeakKeyDictionary()


def remember(model: object, report: LoadReport) -> None:
    """Keep the report of a model for as long as the model lives."""
    _REPORTS[model] = report


def report_of(model: object) -> LoadReport:
    """Return what was read for a model that `load_bert` or `load_elmo` returned: from where, how much, how long.

    Raises:
        ArgumentError: The model was not loaded by safeload in this process.
    """
    try:
        return _REPORTS[model]
    except (KeyError, TypeError) as exc:
        message = f"there is no report for this {type(model).__name__}: safeload did not load it in this process"
        hints = ["pass the very object that safeload.load_bert or safeload.load_elmo returned"]
        raise ArgumentError(message, argument="model", hints=hints) from exc
