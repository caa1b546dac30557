"""TOML, with one kind of error for whatever is wrong with it."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def toml_table(data: bytes) -> dict[str, Any]:
    """Return the table that a TOML document holds.

    Raises:
        ValueError: Not UTF-8, not TOML, or nested deeper than any file of settings.
    """
    try:
        table: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    except RecursionError as exc:
        message = "nested too deep"
        raise ValueError(message) from exc
    return table
