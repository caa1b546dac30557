"""Write one HTML page: the counts, charts of faults and times, the failures first, and a box to filter them."""

from __future__ import annotations

import heapq
import itertools
import os
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from safeload._text.html import escape
from safeload.cli import _console

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

_STYLE = """
:root { color-scheme: light dark; --text: #1a1a1a; --back: #fff; --line: #e4e4e4; --note: #555; --bad: #a40000; --good: #1b6e1b; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e6e6; --back: #16181c; --line: #34373d; --note: #a3a7ae; --bad: #ff8080; --good: #7fcf7f; }
}
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; color: var(--text); background: var(--back); }
h1 { font-size: 1.3rem; margin: 0; } h2 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
p { margin: .3rem 0; overflow-wrap: anywhere; } .note { color: var(--note); }
.bad { color: var(--bad); font-weight: bold; } .good { color: var(--good); }
table { border-collapse: collapse; width: 100%; } td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; }
td { border-top: 1px solid var(--line); overflow-wrap: anywhere; } .number { text-align: right; white-space: nowrap; }
.kind, .chart td:first-child, #models .bad, #models .good { white-space: nowrap; }
.charts { display: flex; flex-wrap: wrap; gap: 0 3rem; } .charts > div { flex: 1 1 18rem; }
.bar { background: #4a7fd6; height: 1rem; min-width: 2px; } .fault .bar { background: #d64a4a; } .chart td { border: 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0; font-size: 12px; }
input { font: inherit; padding: .3rem .5rem; width: 100%; max-width: 30rem; box-sizing: border-box; }
@media (max-width: 40rem) {
  body { margin: 1rem auto; } #models tr { display: block; border-top: 1px solid var(--line); padding: .3rem 0; }
  #models td { display: inline-block; border: 0; padding: 0 .8rem 0 0; } #models tr[hidden] { display: none; }
}
"""
_SCRIPT = """
const box = document.getElementById("filter"), rows = document.querySelectorAll("#models tbody tr");
box.addEventListener("input", () => {
  const words = box.value.toLowerCase().split(/\\s+/);
  let n = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every(word => text.includes(word));
    n += !row.hidden;
  }
  document.getElementById("shown").textContent = n + " shown";
});
"""


class _Row(NamedTuple):
    path: str
    kind: str
    seconds: float
    n_bytes: int
    fault: str
    text: str


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
        counts = f'<span class="good">{totals.n_good:,} good</span>, <span class="bad">{totals.n_bad:,} bad</span>'
        rate = f"{_console.bytes_text(self._n_bytes)} verified in {totals.seconds:.2f} s"
        stopped = "" if totals.is_complete else ", stopped early"
        other = totals.other_count(self._head.n_expected)
        yield f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{totals.n_good:,} good, {totals.n_bad:,} bad - safeload check</title><style>{_STYLE}</style></head><body>
<h1>safeload check</h1>
<p id="counts">{counts}{stopped}</p>
<p class="note">{rate}; {escape(self._head.time)}, safeload {escape(self._head.version)}, in {escape(os.getcwd())}</p>
"""
        if other:
            yield f'<p class="bad">{escape(other)}</p>\n'
        yield '<div class="charts">'
        yield _chart("Faults", "fault", self._faults.most_common())
        yield _chart("Seconds of a check", "time", [(_range(at), n) for at, n in sorted(self._times.items())])
        yield '</div>\n<h2>Slowest</h2><table id="slowest"><tbody>'
        yield from (_short(row) for _, _, row in sorted(self._slowest, reverse=True))
        yield '</tbody></table>\n<h2>Models</h2><p><input id="filter" type="search" placeholder="Filter by path, kind or fault">'
        yield ' <span class="note" id="shown"></span></p><table id="models"><tbody>\n'
        yield from (_long(row) for row in (*self._bad, *self._good))
        yield "</tbody></table>\n"
        if left := self._n - len(self._bad) - len(self._good):
            yield f'<p class="note">and {left:,} more, which safeload check --format jsonl lists</p>\n'
        yield from _skipped(totals)
        yield f"<script>{_SCRIPT}</script></body></html>\n"


def _row(result: CheckResult) -> _Row:
    fault = text = ""
    if result.error is not None:
        fault, text = type(result.error).__name__, _console.error_text(result.error)
    elif result.report is not None:
        fault = "warnings" if result.is_bad else ""
        text = "\n".join(result.report.warnings)
    short = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."
    return _Row(result.path, result.kind, result.seconds, result.n_bytes, fault, short)


def _chart(title: str, name: str, bars: Iterable[tuple[str, int]]) -> str:
    listed = list(bars)
    most = max((count for _, count in listed), default=1)
    rows = "".join(
        f'<tr><td>{escape(label)}</td><td class="number">{count:,}</td>'
        f'<td style="width:60%"><div class="bar" style="width:{100 * count / most:.1f}%"></div></td></tr>'
        for label, count in listed
    )
    body = f'<table class="chart"><tbody>{rows}</tbody></table>' if rows else '<p class="note">none</p>'
    return f'<div class="{name}"><h2>{title}</h2>{body}</div>'


def _range(at: int) -> str:
    if at == len(_BOUNDS):
        return f"more than {_BOUNDS[-1]:g}"
    return f"{_BOUNDS[at - 1]:g} to {_BOUNDS[at]:g}" if at else f"up to {_BOUNDS[0]:g}"


def _short(row: _Row) -> str:
    return f'<tr><td>{escape(row.path)}</td><td class="kind">{escape(row.kind)}</td><td class="number">{row.seconds:.2f} s</td></tr>\n'


def _long(row: _Row) -> str:
    mark = f'<td class="bad">{escape(row.fault)}</td>' if row.fault else '<td class="good">ok</td>'
    text = "\n".join(map(escape, row.text.split("\n")))
    facts = f'<td class="number">{_console.bytes_text(row.n_bytes)}</td><td class="number">{row.seconds:.2f} s</td>'
    message = f"<pre>{text}</pre>" if text else ""
    kind = f'<td class="kind">{escape(row.kind)}</td>'
    return f"<tr>{mark}<td>{escape(row.path)}{message}</td>{kind}{facts}</tr>\n"


def _skipped(totals: Totals) -> Iterator[str]:
    if not totals.skipped:
        return
    yield "<h2>Skipped</h2><table><tbody>"
    for each in itertools.islice(totals.skipped, MAX_ROWS):
        yield f"<tr><td>{escape(each.path)}</td><td>{escape(each.reason)}</td></tr>\n"
    yield "</tbody></table>\n"
