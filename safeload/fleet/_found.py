"""What a search for models finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from safeload.errors import SafeLoadError


class Model(NamedTuple):
    """A model, or what a copy left of one.

    Attributes:
        path: Its folder, in an archive too, or a path that is no tree.
        kind: "bert", "elmo" or "weights"; "" where nothing says which.
    """

    path: str
    kind: str


class Skipped(NamedTuple):
    """A folder with weights that is no model for want of a config."""

    path: str
    reason: str


class Unreadable(NamedTuple):
    """A folder or link that could not be looked into."""

    path: str
    error: SafeLoadError


Found = Model | Skipped | Unreadable
