"""Print one line for each good model, the full message of each bad one, and the bad ones again at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._text.words import counted_of
from safeload.cli import _console

if TYPE_CHECKING:
    from rich.console import Console

    from safeload.cli.formats import Head, Totals
    from safeload.fleet._result import CheckResult

MAX_LISTED = 100
"""How many bad models are listed again at the end."""


class Writer:
    """Print on a console."""

    def __init__(self, out: Console, head: Head) -> None:
        """Begin."""
        self._out, self._head = out, head
        self._bad: list[tuple[str, str]] = []

    def add(self, result: CheckResult) -> None:
        """Print a result."""
        if result.is_bad and len(self._bad) < MAX_LISTED:
            what = (
                f"{type(result.error).__name__}: {result.error.message}" if result.error else "warnings, under --strict"
            )
            self._bad.append((result.path, what))
        if result.error is not None:
            name = type(result.error).__name__
            _console.line(self._out, ("BAD ", _console.BAD), f" {result.path}  ", (name, _console.BAD))
            _console.lines(self._out, _console.error_text(result.error), "     ")
        elif result.report is not None and (result.is_bad or not self._head.is_quiet):
            self._print_report(result)

    def _print_report(self, result: CheckResult) -> None:
        report = result.report
        assert report is not None  # noqa: S101  (the caller has looked)
        locked = ", locked" if any(file.role == "lock" for file in report.files) else ""
        locked += ", signed" if report.signature else ""
        size = _console.bytes_text(result.n_bytes)
        facts = f"{counted_of(len(report.read), report.noun)}, {size}{locked}, {result.seconds:.2f} s"
        mark = ("BAD ", _console.BAD) if result.is_bad else ("ok  ", _console.OK)
        _console.line(self._out, mark, f" {result.path}  ", (facts, _console.NOTE))
        for warning in report.warnings:
            _console.line(self._out, ("     warning: ", _console.BAD), _console.in_options(warning))
        for note in report.notes:
            _console.line(self._out, f"     note: {note}")

    def end(self, totals: Totals) -> None:
        """Print what was skipped, the counts, and where several models were checked the bad ones."""
        is_one = totals.n_good + totals.n_bad <= 1
        if not self._head.is_quiet:
            for path, reason in totals.skipped:
                _console.line(self._out, ("skipped", _console.NOTE), f" {path}  ", (reason, _console.NOTE))
        if self._head.is_quiet or not is_one:
            counts = _console.counts_text(totals.n_good, totals.n_bad, totals.seconds)
            _console.line(self._out, (counts, _console.NOTE))
        if not (self._head.is_quiet or is_one):
            for path, what in self._bad:
                _console.line(self._out, ("  BAD ", _console.BAD), f" {path}  ", (what, _console.BAD))
            if totals.n_bad > len(self._bad):
                _console.line(self._out, f"  ... and {totals.n_bad - len(self._bad):,} more")
        if other := totals.other_count(self._head.n_expected):
            _console.line(self._out, ("BAD ", _console.BAD), f" {other}")
