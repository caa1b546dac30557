"""Parse TOML and report every failure as ValueError."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


MAX_DOTS = 1_000


def toml_table(data: bytes) -> dict[str, Any]:
    """Parse a TOML document.

    Raises:
        ValueError: Not UTF-8, not TOML, nested too deeply, or a line has more than `MAX_DOTS` dots.
    """
    if any(line.count(b".") > MAX_DOTS for line in data.split(b"\n")):
        message = f"a line with more than {MAX_DOTS:,} dots"  # tomllib takes quadratic time for a dotted key
        raise ValueError(message)
    try:
        return tomllib.loads(data.decode("utf-8"))
    except RecursionError as exc:
        message = "nested too deep"
        raise ValueError(message) from exc
