"""Arguments that are not paths, and that both loaders take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeGuard

from safeload.errors import ArgumentError


def bad_argument(
    argument: str, value: object, wanted: str, hints: list[str], *, label: str = "path", resolved: str | None = None
) -> ArgumentError:
    """Return the error for an argument; `resolved` is the file that contradicts it, if one does."""
    message = f"{argument} must be {wanted}, not {value!r}"
    return ArgumentError(message, argument=argument, hints=hints, given=value, label=label, resolved=resolved)


def is_int(value: object) -> TypeGuard[int]:
    """Tell whether `value` is an int, which a bool is not meant to be."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether `value` is a finite int or float; NaN and infinity are no sizes or rates."""
    return (isinstance(value, float) and value - value == 0) or is_int(value)


def require_patterns(ignore_unused: object, *, example: str) -> tuple[str, ...]:
    """Return `ignore_unused`, a list of shell-style patterns.

    Raises:
        ArgumentError: It is a single string, or holds something else.
    """
    if isinstance(ignore_unused, (str, bytes)) or not isinstance(ignore_unused, Iterable):
        raise bad_argument("ignore_unused", ignore_unused, "a list of patterns", [f"write a list: [{example!r}]"])
    patterns = tuple(ignore_unused)
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise bad_argument("ignore_unused", pattern, "a list of patterns", ["each pattern is a str"])
    return patterns
