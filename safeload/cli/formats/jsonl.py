"""Write JSON Lines: a line about the run, one for each model, and one with the totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload.cli import _console
from safeload.cli.formats.json import array_of, head_dict, model_dict, skipped_dicts, totals_dict

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload.cli.formats import Head, Totals
    from safeload.fleet._result import CheckResult

SCHEMA = "safeload-check-lines/1"


class Writer:
    """Write a JSON object on each line."""

    def __init__(self, write: Callable[[str], object], head: Head) -> None:
        """Write the first line."""
        self._write = write
        self._line(head_dict(SCHEMA, head))

    def add(self, result: CheckResult) -> None:
        """Write the line of a model."""
        self._line(model_dict(result))

    def end(self, totals: Totals) -> None:
        """Write the last line."""
        self._write('{"skipped": ')
        for part in array_of(skipped_dicts(totals)):
            self._write(part)
        self._write(", " + _console.json_text(totals_dict(totals), indent=None)[1:] + "\n")

    def _line(self, facts: dict[str, Any]) -> None:
        self._write(_console.json_text(facts, indent=None) + "\n")
