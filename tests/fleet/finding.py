"""Find the models in trees, as lists."""

from __future__ import annotations

from typing import NamedTuple

from safeload.fleet._found import Model, Skipped, Unreadable
from safeload.fleet._tree import find_models


class Found(NamedTuple):
    models: list
    unreadable: list
    skipped: dict


def found_in(kinds, paths, excluded=()):
    """Return what is in the paths, for one kind or several."""
    found = list(find_models((kinds,) if isinstance(kinds, str) else kinds, map(str, paths), excluded))
    return Found(
        [each.path for each in found if isinstance(each, Model)],
        [each for each in found if isinstance(each, Unreadable)],
        {each.path: each.reason for each in found if isinstance(each, Skipped)},
    )
