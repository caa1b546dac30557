"""Write annotations for GitHub Actions: an error for each bad model, a warning for each suspicious one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._text.words import visible
from safeload.cli import _console
from safeload.cli.formats import _places

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload.cli.formats import Head, Totals
    from safeload.fleet._result import CheckResult


class Writer:
    """Write a workflow command on each line."""

    def __init__(self, write: Callable[[str], object], head: Head) -> None:
        """Begin."""
        self._write = write
        self._n_expected = head.n_expected

    def add(self, result: CheckResult) -> None:
        """Write what is wrong with a model; nothing for a good one."""
        for found in _places.findings(result):
            facts = f"file={_property(_places.relative(found.path))},title={_property(found.rule)}"
            self._write(f"::{found.level} {facts}::{_data(found.text)}\n")

    def end(self, totals: Totals) -> None:
        """Write the counts."""
        if other := totals.other_count(self._n_expected):
            self._write(f"::error title=safeload check::{_data(other)}\n")
        self._write(f"{_console.counts_text(totals.n_good, totals.n_bad, totals.seconds)}\n")


def _data(text: str) -> str:
    lines = [visible(line) for line in text.replace("%", "%25").split("\n")]
    return "%0A".join(lines)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
