"""Every error that safeload raises, and the form of their text.

```
SafeLoadError(Exception)
+- InvalidPathError(ValueError)             the argument is no usable path: empty, None, NUL, unknown $VAR
+- MissingFileError(FileNotFoundError)      nothing there; what lies beside it, close names
|  +- CheckpointNotFoundError               no complete checkpoint there; which piece is missing
+- UnreadableFileError(PermissionError)     it is there, but this process may not read it
+- WrongFileKindError(ValueError)           it is there, but is another kind of file
+- AmbiguousCheckpointError(ValueError)     more than one checkpoint fits the path
+- CorruptFileError(ValueError)             truncated, bad checksum, NaN, changed while it was read
+- UnsafeFileError(ValueError)              the file's own contents ask for something that no model needs
+- ConfigError(ValueError)                  every bad key of a config, options or settings file at once
+- VocabularyError(ValueError)              every fault of a vocabulary at once
+- VariableMismatchError(ValueError)        every missing, unexpected, misshaped, mistyped variable at once
+- ArgumentError(ValueError, TypeError)     a bad argument that is not a path
+- LockError(ValueError)                    a file is not the one that was locked, or the lock itself is bad
+- MissingDependencyError(ImportError)      a package is missing, or its version cannot work
+- BackendError(RuntimeError)               upstream failed although every check passed
```

The second parent is the builtin that a careful caller already catches. Every fact in the text is an attribute too.
Each class pickles and deep-copies.

The text: a first line that states the fact; then aligned `label: value` lines, the resolved path first, then what was
given; then the problems; then hints, one action each. Plain ASCII, so that it survives a log.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from safeload.report import KeyProblem, LoadReport

MAX_PRINTED_PROBLEMS = 10
MAX_LINE = 5_000


class SafeLoadError(Exception):
    """The root of every error that safeload raises on purpose.

    Attributes:
        message: The first line: what is the matter.
        resolved: The absolute path that was used, or None where no path was made.
        given: What the caller passed.
        label: What `resolved` is: "prefix", "config", "vocab", "shard", ...
        context: Further `(label, value)` lines.
        details: The problems, one printed line each.
        hints: What to do, one action each.
    """

    def __init__(
        self,
        message: str,
        *,
        resolved: str | None = None,
        given: object = None,
        label: str = "path",
        context: Sequence[tuple[str, str]] = (),
        details: Sequence[str] = (),
        hints: Sequence[str] = (),
    ) -> None:
        """Keep the facts; the text is made from them on demand."""
        super().__init__(message)
        self.message = message
        self.resolved = resolved
        self.given = given
        self.label = label
        self.context = tuple(context)
        self.details = tuple(details)
        self.hints = tuple(hints)

    def __str__(self) -> str:
        """Render the whole message."""
        rows: list[tuple[str, str]] = []
        if self.resolved is not None:
            rows.append((self.label, self.resolved))
        given = str(self.given) if isinstance(self.given, PurePath) else self.given
        if given is not None and given != self.resolved:
            rows.append(("given", repr(given)))
        rows.extend(self.context)
        hints = [("hint", hint) for hint in self.hints]
        width = max((len(label) for label, _ in rows + hints), default=0) + 1
        lines = [one_line(self.message)]
        lines += [f"  {label + ':':<{width}} {one_line(value)}" for label, value in rows]
        lines += [f"  {detail}" for detail in self.details]
        lines += [f"  {label + ':':<{width}} {one_line(value)}" for label, value in hints]
        return "\n".join(plain(_bounded(line)) for row in lines for line in row.split("\n"))

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain dicts, lists and strings, fit for `json.dumps`."""
        return {
            "type": type(self).__name__,
            "message": self.message,
            "text": str(self),
            "label": self.label,
            "resolved": self.resolved,
            "given": None if self.given is None else str(self.given),
            "context": dict(self.context),
            "details": list(self.details),
            "hints": list(self.hints),
            "problems": [str(problem) for problem in self._all_problems()],
        }

    def _all_problems(self) -> Sequence[object]:
        """Return every problem, of which the text shows the first few."""
        return self.details

    def __reduce__(self) -> tuple[Callable[..., SafeLoadError], tuple[type[SafeLoadError], dict[str, Any]]]:
        """Pickle and copy by attributes: the builtin parents would call `__init__` with the message alone."""
        return _rebuild, (type(self), self.__dict__)


def _rebuild(cls: type[SafeLoadError], facts: dict[str, Any]) -> SafeLoadError:
    error = cls.__new__(cls)
    error.__dict__.update(facts)
    error.args = (facts["message"],)
    return error


def plain(text: str) -> str:
    """Return `text` in printable ASCII, so that a direction mark or a control character in a path is seen."""
    return "".join(c if c == "\n" or " " <= c <= "~" else ascii(c)[1:-1] for c in text)


def _bounded(line: str) -> str:
    """Return a line without its end where no path could make it that long: a file's contents did."""
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}... ({len(line):,} characters)"


def one_line(text: str) -> str:
    """Return `text` with its line ends escaped: a name that a file holds must not forge a line of a message."""
    return text.replace("\n", "\\n")


def counted(count: int, noun: str) -> str:
    """Return "1 variable", "2 variables"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def first_few(rows: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the rows that are printed; `where` is the attribute that has the rest."""
    if len(rows) <= MAX_PRINTED_PROBLEMS:
        return tuple(rows)
    left = len(rows) - MAX_PRINTED_PROBLEMS
    return (*rows[:MAX_PRINTED_PROBLEMS], f"... and {left} more in {where}")


class InvalidPathError(SafeLoadError, ValueError):
    """The argument is no usable path: None, empty, a NUL or control character, an unknown `$VAR`, a remote scheme."""


class MissingFileError(SafeLoadError, FileNotFoundError):
    """There is nothing at the resolved path.

    Attributes:
        looked_for: The file names that would have done.
        beside: Names in the nearest folder that exists.
        close_names: Those of them that look like what was asked for.
    """

    def __init__(
        self,
        message: str,
        *,
        looked_for: Sequence[str] = (),
        beside: Sequence[str] = (),
        close_names: Sequence[str] = (),
        **text: Any,  # noqa: ANN401  (the text's parts, as in SafeLoadError)
    ) -> None:
        """Keep what was looked for and what was found."""
        super().__init__(message, **text)
        self.looked_for = tuple(looked_for)
        self.beside = tuple(beside)
        self.close_names = tuple(close_names)


class CheckpointNotFoundError(MissingFileError):
    """No complete TensorFlow checkpoint is there."""


class UnreadableFileError(SafeLoadError, PermissionError):
    """The file is there, but this process may not read it."""


class WrongFileKindError(SafeLoadError, ValueError):
    """The file is of another kind than its place asks for.

    Attributes:
        wanted: The kind that belongs there.
        found: The kind that was recognised.
    """

    def __init__(
        self,
        message: str,
        *,
        wanted: str,
        found: str,
        **text: Any,  # noqa: ANN401  (the text's parts, as in SafeLoadError)
    ) -> None:
        """Keep both kinds."""
        super().__init__(message, **text)
        self.wanted = wanted
        self.found = found


class AmbiguousCheckpointError(SafeLoadError, ValueError):
    """More than one checkpoint fits the path.

    Attributes:
        candidates: Their prefixes, absolute and sorted.
    """

    def __init__(
        self,
        message: str,
        *,
        candidates: Sequence[str],
        **text: Any,  # noqa: ANN401  (the text's parts, as in SafeLoadError)
    ) -> None:
        """Keep the candidates."""
        super().__init__(message, **text)
        self.candidates = tuple(candidates)


class CorruptFileError(SafeLoadError, ValueError):
    """The bytes are damaged: truncated, a wrong checksum, NaN or infinite values, changed while being read.

    Attributes:
        variables: The variables whose bytes are damaged; empty where the damage lies elsewhere.
        offset: The byte in the file where the damage was seen, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        variables: Sequence[str] = (),
        offset: int | None = None,
        **text: Any,  # noqa: ANN401  (the text's parts, as in SafeLoadError)
    ) -> None:
        """Keep where the damage is."""
        super().__init__(message, **text)
        self.variables = tuple(variables)
        self.offset = offset


class UnsafeFileError(SafeLoadError, ValueError):
    """The file's own contents ask for what no model needs: a path out of its folder, a size out of proportion."""


class ConfigError(SafeLoadError, ValueError):
    """A config, options or settings file cannot be parsed, or has missing, mistyped, unknown or contradicting keys.

    Attributes:
        problems: Every bad key.
    """

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[KeyProblem] = (),
        **text: Any,  # noqa: ANN401  (the text's parts, as in SafeLoadError)
    ) -> None:
        """Keep every bad key."""
        super().__init__(message, **text)
        self.problems = tuple(problems)

    def _all_problems(self) -> Sequence[object]:
        return self.problems


class VocabularyError(SafeLoadError, ValueError):
    """A vocabulary has faults, or does not fit the model.

    Attributes:
        problems: Every fault, one sentence each.
    """

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[str] = (),
        **text: Any,  # noqa: ANN401  (the text's parts, as in SafeLoadError)
    ) -> None:
        """Keep every fault."""
        super().__init__(message, **text)
        self.problems = tuple(problems)

    def _all_problems(self) -> Sequence[object]:
        return self.problems


class VariableMismatchError(SafeLoadError, ValueError):
    """The weights do not fit the config.

    Attributes:
        report: What was compared; `report.problems` has every row.
    """

    def __init__(
        self,
        message: str,
        *,
        report: LoadReport,
        **text: Any,  # noqa: ANN401  (the text's parts, as in SafeLoadError)
    ) -> None:
        """Keep the whole comparison."""
        super().__init__(message, **text)
        self.report = report

    def _all_problems(self) -> Sequence[object]:
        return self.report.problems


class ArgumentError(SafeLoadError, ValueError, TypeError):
    """A bad argument that is not a path.

    Attributes:
        argument: Its name.
    """

    def __init__(
        self,
        message: str,
        *,
        argument: str,
        **text: Any,  # noqa: ANN401  (the text's parts, as in SafeLoadError)
    ) -> None:
        """Keep the argument's name."""
        super().__init__(message, **text)
        self.argument = argument


class LockError(SafeLoadError, ValueError):
    """A file is not the one that was locked, or the lock file is malformed, partial or of another model.

    Attributes:
        files: The names, as in the lock file, of the files that differ.
    """

    def __init__(
        self,
        message: str,
        *,
        files: Sequence[str] = (),
        **text: Any,  # noqa: ANN401  (the text's parts, as in SafeLoadError)
    ) -> None:
        """Keep which files differ."""
        super().__init__(message, **text)
        self.files = tuple(files)


class MissingDependencyError(SafeLoadError, ImportError):
    """A package that this call needs is missing, or its version cannot work.

    Attributes:
        package: The distribution's name.
        wanted: The versions that work.
        found: The version that was found, or "none".
        python: The running Python's version.
    """

    def __init__(
        self,
        message: str,
        *,
        package: str,
        wanted: str,
        found: str,
        python: str,
        **text: Any,  # noqa: ANN401  (the text's parts, as in SafeLoadError)
    ) -> None:
        """Keep what was wanted and what was found."""
        super().__init__(message, **text)
        self.package = package
        self.wanted = wanted
        self.found = found
        self.python = python


class BackendError(SafeLoadError, RuntimeError):
    """Upstream failed, or did something unforeseen, although every check passed."""
