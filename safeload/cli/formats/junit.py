"""Write JUnit's XML: a test case for each model."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from safeload._text.words import visible
from safeload.cli.formats import _places
from safeload.cli.formats._waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload.cli.formats import Head, Totals
    from safeload.fleet._result import CheckResult


class Writer:
    """Write a suite whose test cases are the models."""

    def __init__(self, write: Callable[[str], object], head: Head) -> None:
        """Begin to collect test cases."""
        self._write, self._head = write, head
        self._cases = Waiting()  # for the counts, which are before them

    def add(self, result: CheckResult) -> None:
        """Collect the test case of a model."""
        name, kind = (quoteattr(visible(text)) for text in (result.path, f"safeload.{result.kind or 'unknown'}"))
        found = [each for each in _places.findings(result) if each.level == "error"]
        self._cases.add(f'    <testcase classname={kind} name={name} time="{result.seconds:.6f}">\n')
        for each in found:
            message = quoteattr(visible(each.text.split("\n", 1)[0]))
            text = "\n".join(visible(line) for line in each.text.split("\n"))
            self._cases.add(f"      <failure type={quoteattr(each.rule)} message={message}>{escape(text)}</failure>\n")
        self._cases.add("    </testcase>\n")

    def end(self, totals: Totals) -> None:
        """Write the counts, and the test cases below them."""
        other = totals.other_count(self._head.n_expected)
        n_skipped = len(totals.skipped)
        n_tests = totals.n_good + totals.n_bad + n_skipped + bool(other)
        counts = f'tests="{n_tests}" failures="{totals.n_bad + bool(other)}" errors="0" skipped="{n_skipped}"'
        facts = f'{counts} time="{totals.seconds:.6f}"'
        self._write(f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites {facts}>\n')
        self._write(f'  <testsuite name="safeload check" timestamp="{self._head.time[:19]}" {facts}>\n')
        for part in self._cases.parts():
            self._write(part)
        for each in totals.skipped:
            path, reason = quoteattr(visible(each.path)), quoteattr(visible(each.reason))
            case = f'<testcase classname="safeload.skipped" name={path} time="0"><skipped message={reason}/></testcase>'
            self._write(f"    {case}\n")
        if other:
            failure = f'<failure type="expect" message={quoteattr(other)}/>'
            self._write(f'    <testcase classname="safeload" name="--expect" time="0">{failure}</testcase>\n')
        self._write("  </testsuite>\n</testsuites>\n")
