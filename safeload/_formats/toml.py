"""TOML, with one kind of error for whatever is wrong with it."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


MAX_DOTS = 1_000


def toml_table(data: bytes) -> dict[str, Any]:
    """Return the table that a TOML document holds.

    Raises:
        ValueError: Not UTF-8, not TOML, or nested deeper than any file of settings.
    """
    if any(line.count(b".") > MAX_DOTS for line in data.split(b"\n")):
        message = f"a line with more than {MAX_DOTS:,} dots"  # of a key, tomllib takes the square of the time
        raise ValueError(message)
    try:
        table: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    except RecursionError as exc:
        message = "nested too deep"
        raise ValueError(message) from exc
    return table
