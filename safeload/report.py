"""Dataclasses for tensor specs, problems and load reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from safeload._text.dicts import dict_of
from safeload._text.words import counted, counted_of, escaped, first_of, two_lines, with_article

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ANY_MODEL = "any"
"""The name of a model where only weights are known, of whatever model."""

Kind = Literal["missing", "unexpected", "shape", "dtype"]


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """A tensor's name, shape and dtype.

    Attributes:
        name: The variable's name in the checkpoint, or the dataset's in an HDF5 file.
        shape: The size of each dimension.
        dtype: TensorFlow's name of the element type, such as "float32".
        size_keys: The config key behind each dimension, "" for a constant; empty if unknown.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    size_keys: tuple[str, ...] = ()

    @classmethod
    def of_sizes(cls, name: str, *sizes: tuple[str, int]) -> TensorSpec:
        """Return the spec of a float32 parameter from the config key, "" for a constant, and size of each dimension."""
        keys, shape = zip(*sizes, strict=True)
        return cls(name=name, shape=shape, dtype="float32", size_keys=keys)

    def shape_text(self) -> str:
        """Return the shape with its config keys: `(vocab_size=30522, hidden_size=768)`."""
        keys = self.size_keys or ("",) * len(self.shape)
        sizes = [f"{key}={size}" if key else str(size) for key, size in zip(keys, self.shape, strict=True)]
        return f"({', '.join(sizes)})"

    def __str__(self) -> str:
        """Return the shape and the dtype."""
        return f"{self.shape_text()} {self.dtype}"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A variable that is missing or unexpected, or has another shape or dtype."""

    kind: Kind
    name: str
    expected: TensorSpec | None = None
    found: TensorSpec | None = None

    def __str__(self) -> str:
        """Return kind and name on one line, and the expected and found specs on the next."""
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
    """A bad key of a config, options or settings file.

    Attributes:
        key: The full key path, such as "lstm.projection_dim".
        problem: "missing", or the fault of the value.
        line: The line in the file, counted from 1, if known.
        is_missing: Whether the key is absent.
    """

    key: str
    problem: str
    line: int | None = None
    is_missing: bool = False

    def __str__(self) -> str:
        """Return the line, if known, the key and the problem."""
        place = f"line {self.line}: " if self.line else ""
        return escaped(f"{place}{self.key}: {self.problem}")


@dataclass(frozen=True, kw_only=True)
class FileRead:
    """A file that a `load_*` or `check_*` call read.

    Attributes:
        role: "config", "vocab", "index", "shard", ...
        path: The resolved path.
        n_bytes: Size in bytes.
        real_path: The target of symbolic links, if it differs from `path`.
        sha256: SHA-256 of the bytes that were read, if a lock file lists the file, or a signature lists it by SHA-256.
    """

    role: str
    path: str
    n_bytes: int
    real_path: str | None = None
    sha256: str | None = None

    def facts_text(self) -> str:
        """Return size, real path and SHA-256 on one line, for notebooks."""
        leads = f", leads to {self.real_path}" if self.real_path else ""
        return f"{self.n_bytes:,} bytes{leads}" + (f", SHA-256 {self.sha256}" if self.sha256 else "")


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A signature that was verified.

    Attributes:
        path: The signature file.
        method: "key" or "certificate".
        fingerprint: The SHA-256 of the public key, as `sha256sum` prints it of its PEM file; or of the certificate's DER.
        subject: The subject of the certificate; "" for a key.
        signed_by: The file with the trusted key or certificates.
        n_files: The number of files that it covers.
    """

    path: str
    method: Literal["key", "certificate"]
    fingerprint: str
    subject: str = ""
    signed_by: str = ""
    n_files: int

    def who(self) -> str:
        """Return who signed, in words."""
        return f"the {self.method} {self.fingerprint}" + (f", of {self.subject}" if self.subject else "")


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """The result of a `check_*` or `load_*` call.

    Attributes:
        model: "BERT" or "ELMo".
        noun: "variables" for a checkpoint, "datasets" for an HDF5 file, "tensors" for other forms.
        backend: The library that built the model: "keras-bert", "allennlp", "torch", ...; "" for a check.
        files: Every file that was read.
        given: The weights argument, as the caller passed it.
        place: What that argument is: "checkpoint prefix", "index file", "folder with one checkpoint", ...
        form: The form of the weights: "tensorflow", "hdf5", "safetensors", ...
        naming: The library whose names the tensors have: "google", "hugging-face", ...
        scope: The part of the names before `embeddings/` in a BERT's file ("bert/" as published), or before `char_embed` in an
            ELMo's.
        read: The tensors that were read, checked and, by `load_*`, filled.
        unused: Tensors in the file that this load does not need, by class.
        ignored: Unexpected variables that `ignore_unused` covers.
        initialised: Variables of the model that the file does not contain. They keep the initial values of the upstream library.
        checksums: Which bytes were compared with a checksum, and which could not be.
        digest: SHA-256, in hex, of what was read: each tensor's name, type, shape and checksum, and the settings that shape
            the model. It is equal in any process, on any machine and for any backend. It is made from CRCs, which detect
            accidents but not attacks.
        signature: Who signed the files, if a signature was passed.
        problems: Every variable that does not fit; empty after a successful load.
        activation: The activation of a BERT's feed-forward layers: "gelu_erf", "gelu_tanh", "relu", ...; "" for an ELMo.
        taken_from_config: Settings that no weight file can confirm, taken from the config unverified.
        unused_keys: Keys of the config or options that have no effect on the model, such as "hidden_dropout_prob".
        notes: Non-fatal observations.
        warnings: Suspicious facts. The call also warned of them.
        seconds: Step -> duration in seconds.
        versions: Package -> version.
    """

    model: str
    noun: str = "variables"
    backend: str = ""
    files: tuple[FileRead, ...] = ()
    given: str = ""
    place: str = ""
    form: str = ""
    naming: str = ""
    scope: str = ""
    read: tuple[TensorSpec, ...] = ()
    unused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    initialised: tuple[str, ...] = ()
    checksums: str = ""
    digest: str = ""
    signature: Signature | None = None
    problems: tuple[Problem, ...] = ()
    activation: str = ""
    taken_from_config: Mapping[str, object] = field(default_factory=dict)
    unused_keys: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain dicts, lists, strings and numbers for `json.dumps`."""
        return dict_of(self)

    def headline(self) -> str:
        """Return the first line: the model and the counts of read and unused tensors."""
        n_unused = sum(len(names) for names in self.unused.values())
        return f"{self.model}: {counted_of(len(self.read), self.noun)} read and verified, {n_unused} unused"

    def _repr_html_(self) -> str:
        """Return the report as HTML for notebooks."""
        from safeload._text.html import FileLine, Folded, facts_table  # noqa: PLC0415  (only notebooks need it)

        def folded(title: str, lines: Iterable[object]) -> Folded:
            return Folded(title, [str(line) for line in lines])

        return facts_table(
            self.headline(),
            [
                ("given", f"{self.given!r}, {with_article(self.place)}" if self.place else ""),
                ("form", self._form_text()),
                ("scope", self.scope),
                ("backend", self.backend),
                ("files", [FileLine(file.role, file.path, file.facts_text()) for file in self.files]),
                ("checksums", self.checksums),
                ("digest", self.digest),
                ("signed by", self.signature.who() if self.signature else ""),
                ("read", folded(counted_of(len(self.read), self.noun), [f"{spec.name} {spec}" for spec in self.read])),
                *[("unused", folded(f"{len(names)} {what}", names)) for what, names in self.unused.items()],
                ("ignored", folded(f"{len(self.ignored)} named by ignore_unused", self.ignored)),
                ("initialised", folded(counted(len(self.initialised), "variable"), self.initialised)),
                ("problems", folded(counted(len(self.problems), "problem"), self.problems)),
                ("activation", self.activation),
                ("taken from the config", pairs_text(self.taken_from_config, "=")),
                ("keys not used", ", ".join(self.unused_keys)),
                *[("warning", warning) for warning in self.warnings],
                *[("note", note) for note in self.notes],
                ("seconds", seconds_text(self.seconds)),
                ("versions", pairs_text(self.versions, " ")),
            ],
        )

    def __str__(self) -> str:
        """Return the report as text for a log."""
        rows = file_rows(self.files)
        rows += [("given", f"{self.given!r}, {with_article(self.place)}")]
        rows += [("form", self._form_text())]
        rows += [("backend", self.backend)]
        rows += [("scope", self.scope)] * bool(self.scope)
        rows += [("unused", f"{len(names)} {what}") for what, names in self.unused.items()]
        rows += [("ignored", name) for name in self.ignored]
        rows += [("initialised", name) for name in self.initialised]
        rows += [("checksums", self.checksums), ("digest", self.digest)]
        rows += [("signed by", self.signature.who())] if self.signature else []
        rows += [("activation", self.activation)]
        rows += [("from config", pairs_text(self.taken_from_config, "="))]
        rows += [("not used", first_of(self.unused_keys))]
        rows += [("warning", warning) for warning in self.warnings]
        rows += [("note", note) for note in self.notes]
        rows += [("seconds", seconds_text(self.seconds))]
        rows += [("versions", pairs_text(self.versions, " "))]
        return rows_text(self.headline(), rows)

    def _form_text(self) -> str:
        return ", ".join([*([self.form] if self.form else []), *([f"{self.naming} names"] if self.naming else [])])


@dataclass(frozen=True, kw_only=True)
class SaveReport:
    """The result of a `save_*` call or of `convert`.

    Attributes:
        model: "BERT" or "ELMo".
        noun: "datasets" for an HDF5 file, "variables" for a checkpoint, ...
        form: The form of the new files, as the argument `form` names it.
        files: Every file that was written.
        written: The tensors that were written, read back and checked.
        n_values: The number of values in the model.
        n_inexact: How many of them change when the files are loaded.
        largest_difference: The largest such change; 0.0 if there is none.
        inexact: The names of the parameters with such values.
        left_out: The tensors of the source that the files do not contain.
        notes: Non-fatal observations.
        warnings: Suspicious facts. The call also warned of them.
        seconds: Step -> duration in seconds.
        versions: Package -> version.
    """

    model: str
    noun: str
    form: str = ""
    files: tuple[FileRead, ...]
    written: tuple[TensorSpec, ...]
    n_values: int
    n_inexact: int = 0
    largest_difference: float = 0.0
    inexact: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain dicts, lists, strings and numbers for `json.dumps`."""
        return dict_of(self)

    def headline(self) -> str:
        """Return the first line: the model and the count of tensors."""
        return f"{self.model}: {counted_of(len(self.written), self.noun)} written, read back and verified"

    def __str__(self) -> str:
        """Return the report as text for a log."""
        exact = f"all {self.n_values:,} values come back exactly"
        if self.n_inexact:
            exact = f"{self.n_inexact:,} of {self.n_values:,} values come back changed, by {self.largest_difference:.3g} at most"
        rows = [(file.role, f"{file.path} ({file.n_bytes:,} bytes)") for file in self.files]
        rows += [("form", self.form), ("values", exact), *(("changed", name) for name in self.inexact)]
        rows += [("left out", first_of(self.left_out))] * bool(self.left_out)
        rows += [("warning", warning) for warning in self.warnings]
        rows += [("note", note) for note in self.notes]
        rows += [("seconds", seconds_text(self.seconds)), ("versions", pairs_text(self.versions, " "))]
        return rows_text(self.headline(), rows)


def file_rows(files: Sequence[FileRead]) -> list[tuple[str, str]]:
    """Return the labels and values of the files that were read."""
    rows = [(file.role, f"{file.path} ({file.n_bytes:,} bytes)") for file in files]
    rows += [("real path", file.real_path) for file in files if file.real_path]
    return [*rows, *(("sha256", f"{file.sha256} of the {file.role}") for file in files if file.sha256)]


def rows_text(headline: str, rows: Iterable[tuple[str, str]]) -> str:
    """Format a headline, and the labels and values that are not empty below it."""
    lines = [f"  {escaped(f'{label}:'):<13}{escaped(value)}" for label, value in rows if value]
    return "\n".join([headline, *lines])


def seconds_text(seconds: Mapping[str, float]) -> str:
    """Format the duration of each step."""
    return ", ".join(f"{step} {spent:.3f}" for step, spent in seconds.items())


def pairs_text(facts: Mapping[str, object], between: str) -> str:
    """Format facts in one line, with `between` after each name."""
    return ", ".join(f"{name}{between}{value}" for name, value in facts.items())
