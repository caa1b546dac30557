"""Guess what a path that is not there was meant to be."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import TYPE_CHECKING

from safeload._bytes.names import slashed

if TYPE_CHECKING:
    from collections.abc import Sequence


def invisible_hints(resolved: str) -> list[str]:
    """Return hints about outer spaces and invisible characters in a missing path."""
    hints = []
    stripped = resolved.strip()
    if stripped != resolved and os.path.lexists(stripped):
        hints.append(f"the path starts or ends with a space; without it there is {stripped}")
    odd = sorted({c for c in resolved if unicodedata.category(c) in ("Cf", "Zs") and c != " "})
    if odd:
        codes = ", ".join(f"U+{ord(c):04X} {unicodedata.name(c, '')}".rstrip() for c in odd)
        hints.append(f"the path contains an invisible character ({codes}); retype it")
    return hints


def windows_hints(given: object) -> list[str]:
    """Return the hint for a missing path that is written as on Windows, where this system writes slashes."""
    text = os.fspath(given) if isinstance(given, (str, os.PathLike)) else ""
    if os.sep != "/" or not isinstance(text, str):
        return []
    drive = re.match(r"([A-Za-z]):[\\/]", text)
    if drive is None and "\\" not in text:
        return []
    here = slashed(text)
    other = f"/mnt/{drive[1].lower()}/{here[3:]}" if drive else here  # where WSL mounts the drive
    if os.path.lexists(other):
        return [f"this is a Windows path; here it is {other}"]
    hint = "this is a Windows path, and this system has no drives" if drive else "this path has backslashes"
    return [f"{hint}; write the path as it is on this system, with slashes"]


def near_paths(path: str, folder: str, names: Sequence[str]) -> list[str]:
    """Return existing paths similar to `path`; `folder` is its nearest existing parent, and contains `names`."""
    first, *rest = os.path.relpath(path, folder).split(os.sep)
    close = [
        os.path.join(folder, name, *rest) for name in close_names(first, [name for name in names if name != first])
    ]
    return [*filter(os.path.lexists, [*close, os.path.join(folder, rest[-1])])] if rest else close


def close_names(name: str, names: Sequence[str]) -> list[str]:
    """Return the names similar to `name`, best first."""
    import difflib  # noqa: PLC0415  (only needed for errors)

    folded = {other.casefold(): other for other in names}
    return [folded[match] for match in difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.6)]
