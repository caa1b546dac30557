"""Read JSON objects from untrusted files: bounded size, no duplicate keys, no NaN, and all problems collected."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from safeload._bytes.kinds import JSON_TEXT, N_HEAD_BYTES, kind_of, wrong_kind
from safeload._bytes.small import read_small
from safeload._text.words import counted
from safeload.errors import ConfigError
from safeload.report import KeyProblem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from safeload._bytes.files import FileRef
    from safeload._bytes.kinds import FileKind

_OPEN_STRING = r'(?s)"(?:[^"\\]|\\.)*\\?'
MAX_JSON_BYTES = 16 << 20
MAX_DIGITS = 20
MAX_NUMBER = 1 << 63
_ABSENT = object()


def read_json_object(ref: FileRef) -> dict[str, Any]:
    """Read a JSON object from a file; a UTF-8 byte order mark is allowed.

    Raises:
        ConfigError: Not UTF-8, not JSON, not one object, or an object with duplicate keys, NaN or excessive nesting.
        WrongFileKindError: Recognised as something else: an HTML page, a Git LFS pointer, an HDF5 file, ...
        UnsafeFileError: Larger than `MAX_JSON_BYTES`, or not a regular file.
        MissingFileError, UnreadableFileError: As `require_file`.
    """
    return json_object(read_small(ref, max_bytes=MAX_JSON_BYTES), ref)


def require_json(kind: FileKind | None, ref: FileRef) -> None:
    """Require that a recognised file is JSON text.

    Raises:
        WrongFileKindError: It is of another kind.
    """
    if kind is not None and kind.id != "json":
        raise wrong_kind(ref, kind, wanted=JSON_TEXT)


def json_object(data: bytes, ref: FileRef) -> dict[str, Any]:
    """Parse the contents of a file as a JSON object.

    Raises:
        ConfigError, WrongFileKindError: As `read_json_object`.
    """
    require_json(kind_of(data[:N_HEAD_BYTES]), ref)

    def bad(what: str, hint: str = "", cause: Exception | None = None) -> NoReturn:
        raise ConfigError(f"the {ref.role} file {what}", **ref.facts, hints=[hint] if hint else []) from cause

    try:
        value = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_without_duplicates,
            parse_int=_bounded_int,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as exc:
        bad(f"is not UTF-8 text: byte {data[exc.start]:#04x} at offset {exc.start}", "save it as UTF-8", exc)
    except json.JSONDecodeError as exc:
        lines = exc.doc.split("\n")
        line = lines[exc.lineno - 1].strip()[:60] if exc.lineno <= len(lines) else ""
        what = exc.msg.removesuffix(" at")
        hint = _hint_of(exc, line)
        bad(f"is not JSON: {what} at line {exc.lineno}, column {exc.colno}: {line!r}", hint, exc)
    except RecursionError as exc:
        bad("is nested deeper than any config", cause=exc)
    except ValueError as exc:
        bad(f"is not acceptable JSON: {exc}", cause=exc)
    if not isinstance(value, dict):
        bad(f"holds a JSON {json_type(value)}, not an object")
    return value


def _hint_of(exc: json.JSONDecodeError, line: str) -> str:
    if line.startswith(("//", "#", "/*")):
        return "JSON has no comments; remove the line"
    if exc.pos >= len(exc.doc.rstrip()) or re.fullmatch(_OPEN_STRING, exc.doc[exc.pos :]):
        return "the file ends too early: copy or download it again"
    return "this looks like a vocabulary" if "[CLS]" in exc.doc.splitlines() else ""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        count = Counter(name for name, _ in pairs)
        message = f"the key {min(name for name in count if count[name] > 1)!r} appears more than once"
        raise ValueError(message)
    return value


def _bounded_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        message = f"a number has {len(digits)} digits"
        raise ValueError(message)
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is not a JSON number"
    raise ValueError(message)


@dataclass(eq=False, repr=False)
class Keys:
    """Typed getters for a JSON object; they collect problems instead of raising.

    Each getter returns a valid placeholder after a problem.

    Attributes:
        data: The object.
        path: The key path of the object, "" for the top level.
        problems: The problems so far; shared with the children.
    """

    data: dict[str, Any]
    path: str = ""
    problems: list[KeyProblem] = field(default_factory=list)

    def add_problem(self, key: str, problem: str) -> None:
        """Record that `key` is bad."""
        self.problems.append(KeyProblem(key=self._path_of(key), problem=problem))

    def add_missing(self, key: str, wanted: str) -> None:
        """Record that `key` is missing."""
        problem = f"missing; expected {wanted}"
        self.problems.append(KeyProblem(key=self._path_of(key), problem=problem, is_missing=True))

    def _path_of(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def integer(self, key: str, low: int, high: int) -> int:
        """Return the integer under `key`, from `low` to `high`; `low` after a problem."""
        value = self.data.get(key, _ABSENT)
        if value is _ABSENT:
            self.add_missing(key, f"an integer from {low} to {high}")
        elif isinstance(value, bool) or not isinstance(value, int):
            self.add_problem(key, f"expected an integer, found {shown(value)}{_quoted_number(value)}")
        elif not low <= value <= high:
            self.add_problem(key, f"expected {low} to {high}, found {shown(value)}")
        else:
            return value
        return low

    def word(self, key: str, allowed: tuple[str, ...]) -> str:
        """Return the string under `key`, one of `allowed`; the first of them after a problem."""
        value = self.data.get(key, _ABSENT)
        if value is _ABSENT:
            self.add_missing(key, f"one of {', '.join(allowed)}")
        elif not isinstance(value, str) or value not in allowed:
            self.add_problem(key, f"expected one of {', '.join(allowed)}, found {shown(value)}")
        else:
            return value
        return allowed[0]

    def number_or_null(self, key: str) -> float | None:
        """Return the number above 0 under `key`, or None for null; None after a problem."""
        wanted = "a number above 0, or null"
        value = self.data.get(key, _ABSENT)
        if value is _ABSENT:
            self.add_missing(key, wanted)
        elif value is not None and (
            isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < MAX_NUMBER
        ):
            self.add_problem(key, f"expected {wanted}, found {shown(value)}{_quoted_number(value)}")
        else:
            return value
        return None

    def flag(self, key: str) -> bool:
        """Return the bool under `key`; False after a problem."""
        value = self.data.get(key, _ABSENT)
        if value is _ABSENT:
            self.add_missing(key, "true or false")
        elif not isinstance(value, bool):
            self.add_problem(key, f"expected true or false, found {shown(value)}")
        return value is True

    def children(self, key: str) -> Keys:
        """Return getters for the object under `key`; after a problem, getters whose problems are not collected."""
        value = self.data.get(key, _ABSENT)
        if value is _ABSENT:
            self.add_missing(key, "an object")
        elif not isinstance(value, dict):
            self.add_problem(key, f"expected an object, found {shown(value)}")
        path = self._path_of(key)
        return Keys(value, path, self.problems) if isinstance(value, dict) else Keys({}, path)

    def raise_problems(self, what: str, ref: FileRef, hints: list[str]) -> None:
        """Raise one error with all problems, if any.

        Raises:
            ConfigError: There are problems.
        """
        if not self.problems:
            return
        message = f"{what}: {counted(len(self.problems), 'bad key')}"
        details = [str(problem) for problem in self.problems]
        raise ConfigError(message, problems=self.problems, **ref.facts, details=details, hints=hints)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object to a file."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8", newline="\n")


def json_type(value: object) -> str:
    """Return JSON's word for the type of a value; Python's for what no JSON file holds."""
    types = {type(None): "null", bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return {**types, dict: "object"}.get(type(value), type(value).__name__)


def shown(value: object) -> str:
    """Format a JSON value for a message."""
    try:
        text = json.dumps(value, default=repr)
    except RecursionError:  # json.dumps needs more stack than the json.loads that read it
        return "a deeply nested value"
    except (ValueError, TypeError):  # a dict that was passed may hold what no JSON file does
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004  (the width of a row)


def _quoted_number(value: object) -> str:
    return "; remove the quotes" if isinstance(value, str) and value.strip().isdecimal() else ""
