"""Write one HTML page: the counts, the failures first, charts of faults and times, every model, and a box to filter them."""

from __future__ import annotations

import heapq
import itertools
import os
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from safeload._text.html import escape
from safeload._text.words import counted
from safeload.cli import _console
from safeload.cli.pages.frame import CLOSING, bar_cell, cell, copied, facts, filter_box, head, heads, opening, scrolled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from safeload.cli.formats import Head, Totals
    from safeload.fleet._result import CheckResult

MAX_ROWS = 5_000
"""The most bad models on a page, and the most good ones."""

N_SLOWEST = 10
MAX_TEXT = 2_000
"""Characters of a message on the page."""

_BOUNDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Seconds between which models are counted."""

_GOOD = ("good", '<span aria-hidden="true">\N{CHECK MARK}</span> good')
_BAD = ("bad", '<span aria-hidden="true">\N{MULTIPLICATION X}</span> bad')


class _Row(NamedTuple):
    path: str
    kind: str
    seconds: float
    n_bytes: int
    fault: str
    text: str
    digest: str
    is_bad: bool


class Writer:
    """Collect what the page shows, and write it."""

    def __init__(self, write: Callable[[str], object], head: Head) -> None:
        """Begin to collect."""
        self._write, self._head = write, head
        self._bad: list[_Row] = []
        self._good: list[_Row] = []
        self._slowest: list[tuple[float, int, _Row]] = []
        self._faults: Counter[str] = Counter()
        self._times: Counter[int] = Counter()
        self._n = self._n_bytes = 0

    def add(self, result: CheckResult) -> None:
        """Collect a result."""
        row = _row(result)
        rows = self._bad if result.is_bad else self._good
        if len(rows) < MAX_ROWS:
            rows.append(row)
        if result.is_bad:
            self._faults[row.fault] += 1
        self._n += 1
        self._n_bytes += row.n_bytes
        self._times[sum(result.seconds > bound for bound in _BOUNDS)] += 1
        heapq.heappush(self._slowest, (result.seconds, -self._n, row))
        if len(self._slowest) > N_SLOWEST:
            heapq.heappop(self._slowest)

    def end(self, totals: Totals) -> None:
        """Write the page."""
        for part in self._page(totals):
            self._write(part)

    def _page(self, totals: Totals) -> Iterator[str]:
        other = totals.other_count(self._head.n_expected)
        name, sign = ("bad", "\N{WARNING SIGN}") if totals.n_bad or other else ("good", "\N{CHECK MARK}")
        said = f"{totals.n_good:,} good, {totals.n_bad:,} bad" + ("" if totals.is_complete else "; stopped early")
        said += f"; {other}" if other else ""
        yield opening(f"{totals.n_good:,} good, {totals.n_bad:,} bad - safeload check")
        yield f"""<header><h1>safeload check</h1>
<p id="counts" class="verdict {name}"><span aria-hidden="true">{sign}</span> {escape(said)}</p>
{facts(self._facts(totals))}</header>
<main>
"""
        yield from self._charts()
        yield '<section id="models"><h2>Models</h2>\n'
        yield filter_box("models", "Show models whose path, kind or fault has these words")
        yield from _messages([row for row in (*self._bad, *self._good) if row.text])
        yield from scrolled("Every model", _table((*self._bad, *self._good)))
        if left := self._n - len(self._bad) - len(self._good):
            yield f'<p class="note">and {left:,} more, which safeload check --format jsonl lists</p>\n'
        yield "</section>\n<section><h2>Slowest</h2>\n"
        yield from scrolled("Slowest models", _slowest(row for _, _, row in sorted(self._slowest, reverse=True)))
        yield "</section>\n"
        yield from _skipped(totals)
        yield f"</main>\n{CLOSING}"

    def _facts(self, totals: Totals) -> Iterator[tuple[str, str]]:
        rate = f", {_console.bytes_text(int(self._n_bytes / totals.seconds))} each second" if totals.seconds else ""
        expected = self._head.n_expected
        yield "Run in", copied(os.getcwd(), "the path")
        yield "Models", counted(totals.n_models, "model") + ("" if expected is None else f", {expected:,} expected")
        yield "Kind", escape(self._head.kind or "")
        yield "Verified", f"{_console.bytes_text(self._n_bytes)} of files in {totals.seconds:.2f} s{rate}"
        day, _, clock = self._head.time.partition("T")
        yield "Checked", f"{escape(day)} {escape(clock[:5])} UTC, by safeload {escape(self._head.version)}"

    def _charts(self) -> Iterator[str]:
        if not self._n:
            return
        yield '<div class="columns">'
        if self._faults:
            yield from _chart("Faults", "fault", "models", self._faults.most_common())
        yield from _chart(
            "Times", "seconds of a check", "models", [(_range(at), n) for at, n in sorted(self._times.items())]
        )
        yield "</div>\n"


def _row(result: CheckResult) -> _Row:
    fault = text = ""
    if result.error is not None:
        fault, text = type(result.error).__name__, _console.error_text(result.error)
    elif result.report is not None:
        fault = "warnings" if result.report.warnings else ""
        text = "\n".join(result.report.warnings)
    short = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."
    digest = result.report.digest if result.report else ""
    return _Row(result.path, result.kind, result.seconds, result.n_bytes, fault, short, digest, result.is_bad)


def _chart(title: str, label: str, unit: str, bars: list[tuple[str, int]]) -> Iterator[str]:
    total = sum(count for _, count in bars)
    yield f'<section><h2>{title}</h2>\n<table class="bars">'
    yield f"<caption>Of {counted(total, unit[:-1])}</caption>{heads((label, ''), (unit, 'wide'))}<tbody>"
    for name, count in bars:
        yield f"<tr>{head(escape(name), 'short')}{bar_cell(count / total, f'{count:,}')}</tr>\n"
    yield "</tbody></table></section>\n"


def _range(at: int) -> str:
    if at == len(_BOUNDS):
        return f"more than {_BOUNDS[-1]:g} s"
    return f"{_BOUNDS[at - 1]:g} to {_BOUNDS[at]:g} s" if at else f"up to {_BOUNDS[0]:g} s"


def _slowest(rows: Iterable[_Row]) -> Iterator[str]:
    titles = heads(("model", "name"), ("kind", ""), ("size", "number"), ("time", "number"))
    yield f"<table><caption>The {N_SLOWEST} that took longest</caption>{titles}<tbody>\n"
    for row in rows:
        yield f"<tr>{head(escape(row.path), 'name')}{cell(escape(row.kind), 'short')}{_numbers(row)}</tr>\n"
    yield "</tbody></table>"


def _numbers(row: _Row) -> str:
    size = _console.bytes_text(row.n_bytes) if row.n_bytes else ""
    return cell(size, "number") + cell(f"{row.seconds:.2f} s", "number")


def _messages(rows: list[_Row]) -> Iterator[str]:
    for row in rows:
        name, state = _BAD if row.is_bad else _GOOD
        text = "\n".join(map(escape, row.text.split("\n")))
        kind = f", {escape(row.kind)}" if row.kind else ""
        yield f"""<article class="{name}"><h3>{copied(row.path, "the path")}</h3>
<p><span class="{name}">{state}</span>: {escape(row.fault)}{kind}</p><pre>{text}</pre></article>
"""


def _table(rows: Iterable[_Row]) -> Iterator[str]:
    titles = heads(
        ("state", ""),
        ("model", "name"),
        ("fault", ""),
        ("kind", ""),
        ("size", "number"),
        ("time", "number"),
        ("digest", ""),
    )
    yield f"<table><caption>Every model, the bad ones first</caption>{titles}<tbody>\n"
    for row in rows:
        name, state = _BAD if row.is_bad else _GOOD
        digest = copied(row.digest, "the digest", "whole cut") if row.digest else ""
        yield f"<tr>{cell(state, f'short {name}')}{head(copied(row.path, 'the path'), 'name')}{cell(escape(row.fault), 'short')}"
        yield f"{cell(escape(row.kind), 'short')}{_numbers(row)}{cell(digest, 'short')}</tr>\n"
    yield "</tbody></table>"


def _skipped(totals: Totals) -> Iterator[str]:
    if not totals.skipped:
        return
    yield "<section><h2>Skipped</h2>\n"
    titles = heads(("folder", "name"), ("reason", "name"))
    rows = (
        f"<tr>{head(copied(each.path, 'the path'), 'name')}{cell(escape(each.reason), 'name')}</tr>\n"
        for each in itertools.islice(totals.skipped, MAX_ROWS)
    )
    yield from scrolled(
        "Skipped folders",
        itertools.chain(
            [f"<table><caption>Neither good nor bad</caption>{titles}<tbody>\n"], rows, ["</tbody></table>"]
        ),
    )
    yield "</section>\n"
