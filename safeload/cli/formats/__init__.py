"""The formats in which `safeload check` prints its results: one module each, with a `Writer`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from safeload.cli.formats._waiting import SkippedFolders

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload.fleet._result import CheckResult

FORMATS = ("text", "json", "jsonl", "junit", "sarif", "github", "html")
IN_UTF8 = ("junit", "html")
"""Those that say in themselves that they are in UTF-8, whatever a console has."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """What is known before the first result.

    Attributes:
        time: When the check began, in UTC, as ISO 8601.
        version: The version of safeload.
        kind: The kind of every model; None where each result says its own.
        n_expected: The number of models that there must be; None for any.
        is_quiet: Whether good models are left out of a text.
    """

    time: str
    version: str
    kind: str | None = None
    n_expected: int | None = None
    is_quiet: bool = False


@dataclass(kw_only=True)
class Totals:
    """What came of the models so far.

    Attributes:
        n_good, n_bad: How many models; a folder that cannot be read is bad.
        n_models: How many models were found, folders that cannot be read left out.
        is_complete: Whether every model was checked.
        seconds: The whole run.
        skipped: The folders that have weights and no config.
    """

    n_good: int = 0
    n_bad: int = 0
    n_models: int = 0
    is_complete: bool = True
    seconds: float = 0.0
    skipped: SkippedFolders = field(default_factory=SkippedFolders)

    def other_count(self, n_expected: int | None) -> str:
        """Return how the number of models differs from the expected one; "" if it does not."""
        if n_expected in (None, self.n_models):
            return ""
        return f"{self.n_models:,} model{'s' * (self.n_models != 1)} found, {n_expected:,} expected"


class Writer(Protocol):
    """Write results as they come."""

    def add(self, result: CheckResult) -> None:
        """Take a result."""

    def end(self, totals: Totals) -> None:
        """Write the rest."""


def writer_of(name: str, write: Callable[[str], object], head: Head) -> Writer:
    """Return the writer of a format other than text; `write` takes the parts of the output."""
    writer: Writer = importlib.import_module(f"safeload.cli.formats.{name}").Writer(write, head)
    return writer
