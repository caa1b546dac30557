"""The exceptions of safeload.

```
SafeLoadError(Exception)
+- InvalidPathError(ValueError)             a path argument is invalid: empty, None, NUL, unknown $VAR
+- MissingFileError(FileNotFoundError)      no such file; lists the folder and similar names
|  +- CheckpointNotFoundError               no complete checkpoint; names the missing file
+- UnreadableFileError(PermissionError)     the file exists, but this process may not read it
+- FileSystemError(OSError)                 the disk, the network or a limit of the system stopped a read or write
+- WrongFileKindError(ValueError)           the file exists, but is of another kind
+- AmbiguousCheckpointError(ValueError)     more than one checkpoint fits the path
+- CorruptFileError(ValueError)             truncated, bad checksum, NaN, changed while being read
+- UnsafeFileError(ValueError)              the contents request something that no model needs
+- ConfigError(ValueError)                  all bad keys of a config, options or settings file
+- VocabularyError(ValueError)              all faults of a vocabulary
+- VariableMismatchError(ValueError)        all missing and unexpected variables, wrong shapes and wrong dtypes
+- ArgumentError(ValueError, TypeError)     a bad argument that is not a path
+- LockError(ValueError)                    a file does not match its lock or signature, or that is invalid
+- OutputMismatchError(ValueError)          a model computes something else than expected; names the first layer
+- MissingDependencyError(ImportError)      a package is missing or incompatible
+- BackendError(RuntimeError)               upstream failed although every check passed
```

The second parent is the builtin that a careful caller already catches. Every fact in the message is also an attribute.
Every class supports pickle and deepcopy.

A message has a first line with the fact, aligned `label: value` lines (the resolved path, then the argument as given),
the problems, and hints with one action each. It is plain ASCII, so that it survives a log.
"""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from safeload._text.addresses import without_secrets
from safeload._text.words import first_few, one_line, plain, shortened, value_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from safeload.report import KeyProblem, LoadReport


class SafeLoadWarning(UserWarning):
    """A load or check succeeded, but something is suspicious. It is not a `SafeLoadError`, even if a filter raises it."""


class SafeLoadError(Exception):
    """Base class of all safeload errors.

    Attributes:
        message: The first line.
        resolved: The absolute path, or None if the error has none.
        given: The argument as the caller passed it.
        label: The kind of `resolved`: "prefix", "config", "vocab", "shard", ...
        context: Further `(label, value)` lines.
        details: The problems, one string each; the text has the first ten.
        hints: Suggested actions, one each.
    """

    _where = "error.details"
    ag_pass_through = True  # else AutoGraph replaces an error that leaves a tf.function by one of its own type

    def __init__(  # noqa: PLR0913  (the parts of every message)
        self,
        message: str,
        *,
        resolved: str | None = None,
        given: object = None,
        label: str = "path",
        context: Sequence[tuple[str, str]] = (),
        details: Sequence[str] = (),
        hints: Sequence[str] = (),
        **facts: Any,  # noqa: ANN401  (the attributes that the class declares)
    ) -> None:
        """Store the facts; `__str__` renders them."""
        super().__init__(message)
        if isinstance(given, (str, PurePath)) and (shown := without_secrets(str(given))) != str(given):
            given = type(given)(shown)
        resolved = str(resolved) if isinstance(resolved, str) else resolved  # an `Address` has secrets
        self.message, self.resolved, self.given, self.label = message, resolved, given, label
        self.context, self.details, self.hints = tuple(context), tuple(details), tuple(map(shortened, hints))
        for name in self._declared():
            value = facts.pop(name) if name in facts else getattr(type(self), name)
            setattr(self, name, tuple(value) if isinstance(value, list) else value)
        if facts:
            unknown = f"{type(self).__name__} has no {', '.join(facts)}"
            raise TypeError(unknown)

    @classmethod
    def _declared(cls) -> list[str]:
        """Return the names of the attributes that subclasses of `SafeLoadError` declare."""
        classes = [each for each in reversed(cls.__mro__) if issubclass(each, SafeLoadError)]
        return [name for each in classes[1:] for name in each.__annotations__]

    def __str__(self) -> str:
        """Render the message."""
        return self.text(f"in {self._where}")

    def text(self, where: str, told: Callable[[str], str] = str) -> str:
        """Render the message; `where` ends the line that counts the problems left out, such as "in error.problems".

        `told` says a hint in another way, such as for a shell, whose commands have options.
        """
        rows = [(self.label, self.resolved)] if self.resolved is not None else []
        given = str(self.given) if isinstance(self.given, PurePath) else self.given
        if given is not None and not (isinstance(given, str) and given == self.resolved):
            rows.append(("given", value_text(given)))
        rows.extend(self.context)
        hints = [("hint", self._told(hint, told)) for hint in self.hints]
        width = max((len(label) for label, _ in rows + hints), default=0) + 1
        lines = [one_line(self.message)]
        lines += [f"  {label + ':':<{width}} {one_line(value)}" for label, value in rows]
        lines += [f"  {detail}" for detail in first_few(self.details, where)]
        lines += [f"  {label + ':':<{width}} {one_line(value)}" for label, value in hints]
        return "\n".join(plain(shortened(line)) for row in lines for line in row.split("\n"))

    def _told(self, hint: str, told: Callable[[str], str]) -> str:
        """Say a hint in another way, but for the paths in it."""
        paths = {text for _, text in self.context} | {self.resolved or ""}
        known = sorted((re.escape(path) for path in paths if os.sep in path), key=len, reverse=True)
        parts = re.split(f"({'|'.join(known)})", hint) if known else [hint]
        return "".join(part if at % 2 else told(part) for at, part in enumerate(parts))

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain dicts, lists and strings for `json.dumps`."""
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
        """Return every problem."""
        return self.details

    def __reduce__(self) -> tuple[Callable[..., SafeLoadError], tuple[type[SafeLoadError], dict[str, Any]]]:
        """Pickle by attributes; the builtin parents would call `__init__` with only the message."""
        return _rebuild, (type(self), self.__dict__)


def _rebuild(cls: type[SafeLoadError], facts: dict[str, Any]) -> SafeLoadError:
    error = cls.__new__(cls)
    error.__dict__.update(facts)
    error.args = (facts["message"],)
    return error


class InvalidPathError(SafeLoadError, ValueError):
    """A path argument is invalid: None, empty, a NUL or control character, an unknown `$VAR`, a remote scheme."""


class MissingFileError(SafeLoadError, FileNotFoundError):
    """The resolved path does not exist.

    Attributes:
        looked_for: The file names that would have been accepted.
        beside: Names in the nearest existing folder.
        close_names: The names in `beside` that are similar to the wanted one.
    """

    looked_for: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    close_names: tuple[str, ...] = ()


class CheckpointNotFoundError(MissingFileError):
    """The path has no complete TensorFlow checkpoint."""


class UnreadableFileError(SafeLoadError, PermissionError):
    """The file exists, but this process has no permission to read it."""


class FileSystemError(SafeLoadError, OSError):
    """The system could not read or write: a disk or network failed, is full, or a limit of the process was reached.

    The file is neither missing nor damaged, as far as is known.

    Attributes:
        errno: The system's error number, such as `errno.EIO`; None if it gave none.
    """

    errno: int | None = None


class WrongFileKindError(SafeLoadError, ValueError):
    """The file is of another kind than expected.

    Attributes:
        wanted: The expected kind.
        found: The kind that was recognised.
    """

    wanted: str
    found: str


class AmbiguousCheckpointError(SafeLoadError, ValueError):
    """More than one checkpoint fits the path.

    Attributes:
        candidates: Their prefixes, absolute and sorted.
    """

    candidates: tuple[str, ...]


class CorruptFileError(SafeLoadError, ValueError):
    """The bytes are damaged: truncated, a wrong checksum, NaN or infinite values, changed while being read.

    Attributes:
        variables: The variables whose bytes are damaged; empty if the damage is elsewhere.
        offset: The byte offset in the file at which the damage was detected, or None.
    """

    variables: tuple[str, ...] = ()
    offset: int | None = None
    _where = "error.variables"


class UnsafeFileError(SafeLoadError, ValueError):
    """The contents request something that no model needs, such as a path outside the folder or an excessive size."""


class ConfigError(SafeLoadError, ValueError):
    """A config, options or settings file cannot be parsed, or has missing, mistyped, unknown or contradicting keys.

    Attributes:
        problems: Every bad key.
    """

    problems: tuple[KeyProblem, ...] = ()
    _where = "error.problems"

    def _all_problems(self) -> Sequence[object]:
        return self.problems


class VocabularyError(SafeLoadError, ValueError):
    """A vocabulary has faults, or does not fit the model.

    Attributes:
        problems: Every fault, one string each.
    """

    problems: tuple[str, ...] = ()
    _where = "error.problems"

    def _all_problems(self) -> Sequence[object]:
        return self.problems


class VariableMismatchError(SafeLoadError, ValueError):
    """The weights do not fit the config.

    Attributes:
        report: The comparison; `report.problems` has every problem.
    """

    report: LoadReport
    _where = "error.report.problems"

    def _all_problems(self) -> Sequence[object]:
        return self.report.problems


class ArgumentError(SafeLoadError, ValueError, TypeError):
    """A bad argument that is not a path.

    Attributes:
        argument: The name of the argument.
    """

    argument: str


class LockError(SafeLoadError, ValueError):
    """A file does not match its lock or signature; or these are malformed, incomplete, or from another model or signer.

    Attributes:
        files: The names of the files that do not match, as in the lock file or the signature.
    """

    files: tuple[str, ...] = ()
    _where = "error.files"


class OutputMismatchError(SafeLoadError, ValueError):
    """The outputs of a model differ from the expected ones; or it has other sizes or another vocabulary.

    Attributes:
        first_layer: The first layer that differs, "sizes" or "vocabulary".
        layers: Each layer that was compared, and its largest difference, as a fraction of the root mean square of the
            expected values; None if they are not finite, or of another shape.
        bound: The largest difference that counts as equal; None if no layer was computed.
        causes: What explains the difference, if the model shows it.
    """

    first_layer: str = ""
    layers: tuple[tuple[str, float | None], ...] = ()
    bound: float | None = None
    causes: tuple[str, ...] = ()
    _where = "error.layers"


class MissingDependencyError(SafeLoadError, ImportError):
    """A package that this call needs is missing or incompatible.

    Attributes:
        package: The distribution's name.
        wanted: The supported versions.
        found: The installed version, or "none".
        python: The version of the running Python.
    """

    package: str
    wanted: str
    found: str
    python: str


class BackendError(SafeLoadError, RuntimeError):
    """The upstream library failed or behaved unexpectedly, although every check passed."""
