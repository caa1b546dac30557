"""Parse TOML and report every failure as ValueError."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


MAX_KEY_STEPS = 2_000_000
"""Upper bound of the steps to nested tables: a line's dots times those that its table's header and key have together."""


def toml_table(data: bytes) -> dict[str, Any]:
    """Parse a TOML document; a UTF-8 byte order mark is allowed.

    Raises:
        ValueError: Not UTF-8, not TOML, nested too deeply, or dotted keys that take more than `MAX_KEY_STEPS`.
    """
    if _key_steps(data) > MAX_KEY_STEPS:
        message = "too many dots in its keys"
        raise ValueError(message)
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except RecursionError as exc:
        message = "nested too deep"
        raise ValueError(message) from exc


def _key_steps(data: bytes) -> int:
    """Bound the time that tomllib takes for dotted keys, which is quadratic in their parts."""
    steps = header = 0
    for line in data.split(b"\n"):
        dots = line.count(b".")
        if line.lstrip().startswith(b"["):
            header = dots
        steps += (dots + 1) * (header + dots)
    return steps
