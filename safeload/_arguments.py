"""Validate arguments that are not paths."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeGuard

from safeload.errors import ArgumentError


def bad_argument(
    argument: str, value: object, wanted: str, hints: list[str], *, label: str = "path", resolved: str | None = None
) -> ArgumentError:
    """Return the error for a bad argument; `resolved` is the file that contradicts it, if any."""
    message = f"{argument} must be {wanted}, not {value!r}"
    return ArgumentError(message, argument=argument, hints=hints, given=value, label=label, resolved=resolved)


def is_int(value: object) -> TypeGuard[int]:
    """Return whether `value` is an int and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether `value` is an int or a finite float, and not a bool."""
    return (isinstance(value, float) and value - value == 0) or is_int(value)


def listed(values: object) -> tuple[object, ...] | None:
    """Return the items of an iterable; None for a string, and for what cannot be iterated, such as `np.array(5)`."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        return None
    try:
        return tuple(values)
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
