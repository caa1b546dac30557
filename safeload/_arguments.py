"""Validate arguments that are not paths."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeGuard

from safeload._text.words import value_text
from safeload.errors import ArgumentError


def bad_argument(
    argument: str, value: object, wanted: str, hints: list[str], *, label: str = "path", resolved: str | None = None
) -> ArgumentError:
    """Return the error for a bad argument; `resolved` is the file that contradicts it, if any."""
    message = f"{argument} must be {wanted}, not {value_text(value)}"
    return ArgumentError(message, argument=argument, hints=hints, given=value, label=label, resolved=resolved)


_PLAIN: tuple[tuple[type[Any], Callable[[Any], object]], ...] = (
    (bool, bool),
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
)
_KINDS = {"b": bool, "i": int, "u": int, "f": float, "U": str}
"""NumPy's kinds of values that Python has."""


def as_python(value: Any) -> Any:  # noqa: ANN401  (any argument)
    """Return a bool, int, float or str for a NumPy scalar, a 0-d array or a value of a subclass; else the value itself."""
    if _is_numpys(value):
        kind = _KINDS.get(value.dtype.kind)
        return value if kind is None or value.ndim else kind(value.item())
    return next((to_plain(value) for kind, to_plain in _PLAIN if isinstance(value, kind)), value)


def as_python_tree(value: Any) -> Any:  # noqa: ANN401  (a value in a config that was passed)
    """Return a value as a JSON file would hold it: dicts, lists and what `as_python` returns; an array as lists, a path as text."""
    if isinstance(value, Mapping):
        return dict(zip(map(as_python, value), map(as_python_tree, value.values()), strict=True))
    if isinstance(value, (list, tuple)):
        return list(map(as_python_tree, value))
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    return as_python_tree(value.tolist()) if _is_numpys(value) and value.ndim else as_python(value)


def _is_numpys(value: object) -> bool:
    """Return whether a value is an array or a scalar of NumPy, which may not be imported, or only half by another thread."""
    numpy = sys.modules.get("numpy")
    return isinstance(value, tuple(filter(None, (getattr(numpy, name, None) for name in ("generic", "ndarray")))))


def is_int(value: object) -> TypeGuard[int]:
    """Return whether `value` is an int and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether `value` is an int or a finite float, and not a bool."""
    return (isinstance(value, float) and value - value == 0) or is_int(value)


def listed(values: object) -> tuple[object, ...] | None:
    """Return the plain items of an iterable; None for a string, and for what cannot be iterated, such as `np.array(5)`."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        return None
    try:
        return tuple(map(as_python, values))
    except TypeError:
        return None


def require_patterns(ignore_unused: object, *, example: str) -> tuple[str, ...]:
    """Return the shell-style patterns of `ignore_unused` as a tuple.

    Raises:
        ArgumentError: It is a single string or not a list of strings.
    """
    patterns = listed(ignore_unused)
    if patterns is None:
        raise bad_argument("ignore_unused", ignore_unused, "a list of patterns", [f"write a list: [{example!r}]"])
    found = []
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise bad_argument("ignore_unused", pattern, "a list of patterns", ["each pattern is a str"])
        found.append(pattern)
    return tuple(found)
