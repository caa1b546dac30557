"""JSON objects from files that nobody vouches for: a size cap, no duplicate keys, no NaN, and typed getters."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NoReturn

from safeload import _files
from safeload.errors import ConfigError, counted, first_few
from safeload.report import KeyProblem

MAX_JSON_BYTES = 16 << 20
MAX_DIGITS = 20
MAX_NUMBER = 1 << 63
_ABSENT = object()


def read_json_object(
    path: str, *, role: str, given: object = None, source: _files.Source = _files.DISK
) -> dict[str, Any]:
    """Return the JSON object in the file at `path`; a UTF-8 byte order mark is allowed.

    Raises:
        ConfigError: Not UTF-8, not JSON, not one object, or an object with duplicate keys, NaN or absurd nesting.
        WrongFileKindError: Recognised as something else: an HTML page, a Git LFS pointer, an HDF5 file, ...
        UnsafeFileError: Larger than `MAX_JSON_BYTES`, or no regular file.
        MissingFileError, UnreadableFileError: As `_files.require_file`.
    """
    data = _files.read_small(path, role=role, max_bytes=MAX_JSON_BYTES, given=given, source=source)
    return json_object(data, path=path, role=role, given=given)


def require_json(kind: _files.FileKind | None, *, path: str, role: str, given: object) -> None:
    """Require that a file which was recognised is JSON text.

    Raises:
        WrongFileKindError: It is something else.
    """
    if kind is not None and kind.name != _files.JSON_TEXT:
        raise _files.wrong_kind(path, kind, role=role, wanted=_files.JSON_TEXT, given=given)


def json_object(data: bytes, *, path: str, role: str, given: object = None) -> dict[str, Any]:
    """Return the JSON object that the bytes hold; `path` is where they came from, for the message.

    Raises:
        ConfigError, WrongFileKindError: As `read_json_object`.
    """
    require_json(_files.kind_of(data[: _files.N_HEAD_BYTES]), path=path, role=role, given=given)

    def bad(what: str, hint: str = "", cause: Exception | None = None) -> NoReturn:
        message = f"the {role} file {what}"
        raise ConfigError(message, resolved=path, given=given, label=role, hints=[hint] if hint else []) from cause

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
        lines = exc.doc.splitlines()
        line = lines[exc.lineno - 1].strip()[:60] if exc.lineno <= len(lines) else ""
        what = exc.msg.removesuffix(" at")
        hint = _hint_of(exc, line)
        bad(f"is not JSON: {what} at line {exc.lineno}, column {exc.colno}: {line!r}", hint, exc)
    except RecursionError as exc:
        bad("is nested deeper than any config", cause=exc)
    except ValueError as exc:
        bad(f"is not acceptable JSON: {exc}", cause=exc)
    if not isinstance(value, dict):
        bad(f"holds a JSON {type(value).__name__}, not an object")
    return value


def _hint_of(exc: json.JSONDecodeError, line: str) -> str:
    if line.startswith(("//", "#", "/*")):
        return "JSON has no comments; remove the line"
    if exc.pos >= len(exc.doc.rstrip()) or exc.msg.startswith("Unterminated string"):
        return "the file ends too early: copy or download it again"
    return "this looks like a vocabulary" if "[CLS]" in exc.doc.splitlines() else ""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        count = Counter(name for name, _ in pairs)
        message = f"the key {min(name for name in count if count[name] > 1)!r} is there more than once"
        raise ValueError(message)
    return value


def _bounded_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        message = f"a number has {len(digits)} digits"
        raise ValueError(message)
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is no JSON number"
    raise ValueError(message)


@dataclass
class Keys:
    """Typed reading of a JSON object that collects every problem instead of stopping at the first.

    Attributes:
        data: The object.
        path: The key path of the object itself, "" for the top level.
        problems: What was wrong so far; shared with the children.
    """

    data: dict[str, Any]
    path: str = ""
    problems: list[KeyProblem] = field(default_factory=list)

    def complain(self, key: str, problem: str) -> None:
        """Record that `key` is bad."""
        self.problems.append(KeyProblem(key=f"{self.path}.{key}" if self.path else key, problem=problem))

    def integer(self, key: str, low: int, high: int) -> int:
        """Return the integer under `key`, which lies in `low..high`; `low` itself after a complaint."""
        value = self.data.get(key, _ABSENT)
        if value is _ABSENT:
            self.complain(key, f"missing; expected an integer from {low} to {high}")
        elif isinstance(value, bool) or not isinstance(value, int):
            self.complain(key, f"expected an integer, found {shown(value)}{_quoted_number(value)}")
        elif not low <= value <= high:
            self.complain(key, f"expected {low} to {high}, found {shown(value)}")
        else:
            return value
        return low

    def word(self, key: str, allowed: tuple[str, ...]) -> str:
        """Return the string under `key`, which is one of `allowed`; the first of them after a complaint."""
        value = self.data.get(key, _ABSENT)
        if value is _ABSENT:
            self.complain(key, f"missing; expected one of {', '.join(allowed)}")
        elif value not in allowed:
            self.complain(key, f"expected one of {', '.join(allowed)}, found {shown(value)}")
        else:
            return str(value)
        return allowed[0]

    def number_or_null(self, key: str) -> float | None:
        """Return the number above 0 under `key`, or None for null; None after a complaint."""
        wanted = "a number above 0, or null"
        value = self.data.get(key, _ABSENT)
        if value is _ABSENT:
            self.complain(key, f"missing; expected {wanted}")
        elif value is not None and (
            isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < MAX_NUMBER
        ):
            self.complain(key, f"expected {wanted}, found {shown(value)}{_quoted_number(value)}")
        else:
            return value
        return None

    def flag(self, key: str) -> bool:
        """Return the bool under `key`; False after a complaint."""
        value = self.data.get(key, _ABSENT)
        if value is _ABSENT:
            self.complain(key, "missing; expected true or false")
        elif not isinstance(value, bool):
            self.complain(key, f"expected true or false, found {shown(value)}")
        return value is True

    def children(self, key: str) -> Keys:
        """Return the getters of the object under `key`; after a complaint, getters that complain no further."""
        value = self.data.get(key, _ABSENT)
        if value is _ABSENT:
            self.complain(key, "missing; expected an object")
        elif not isinstance(value, dict):
            self.complain(key, f"expected an object, found {shown(value)}")
        path = f"{self.path}.{key}" if self.path else key
        return Keys(value, path, self.problems) if isinstance(value, dict) else Keys({}, path)

    def raise_problems(self, what: str, *, resolved: str, given: object, hints: list[str], label: str) -> None:
        """Raise every problem at once, or return.

        Raises:
            ConfigError: Anything was complained about.
        """
        if not self.problems:
            return
        count = len(self.problems)
        message = f"{what}: {counted(count, 'bad key')}"
        details = first_few([str(problem) for problem in self.problems], "error.problems")
        raise ConfigError(
            message,
            problems=self.problems,
            resolved=resolved,
            given=given,
            label=label,
            details=details,
            hints=hints,
        )


def shown(value: object) -> str:
    """Return a JSON value as it is printed in a row of a message."""
    try:
        text = json.dumps(value)
    except RecursionError:  # read with a few calls less on the stack
        return "a value that is nested too deep"
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004  (the width of a row)


def _quoted_number(value: object) -> str:
    return "; remove the quotes" if isinstance(value, str) and value.strip().isdigit() else ""
