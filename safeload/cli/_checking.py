"""Check any number of models, and write the results in a format."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

from safeload._bytes.paths import resolve_path
from safeload._bytes.writing import atomic_write
from safeload._text.progress import progress
from safeload._version import __version__
from safeload.cli import _console
from safeload.cli._ending import PROGRESS, Stopped
from safeload.cli._receiving import receiving
from safeload.cli.formats import FORMATS, IN_UTF8, Head, Totals, writer_of
from safeload.cli.formats.text import Writer as TextWriter
from safeload.errors import SafeLoadError
from safeload.fleet._ahead import Ahead, as_result
from safeload.fleet._cluster import checked_on, connect
from safeload.fleet._found import Skipped, Unreadable
from safeload.fleet._workers import checked

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from rich.console import Console

    from safeload._bytes.writing import NewFile
    from safeload.cli.formats import Writer
    from safeload.fleet._ahead import Outcome
    from safeload.fleet._checker import Checker
    from safeload.fleet._found import Found
    from safeload.fleet._result import CheckResult

MAX_HELD = 1_000
"""How many results one model that takes long may hold up; then they are written before its own."""

TEXT = FORMATS[0]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How models are checked and printed.

    Attributes:
        jobs: The number of models that are checked at once.
        kind: The kind of every model; None where it is found out.
        isolated: Whether each model has a process of its own.
        expected: The number of models that there must be; None for any.
        format: How results are written.
        output: The file that is written in the format, beside the text on the terminal; None to print the format.
        quiet: Whether good models are left out of a text.
        fail_fast: Whether the first bad model ends the check.
        dask: The address of the scheduler of a cluster that checks the models; None to check them here.
    """

    jobs: int
    kind: str | None = None
    isolated: bool = False
    expected: int | None = None
    format: str = TEXT
    output: str | None = None
    quiet: bool = False
    fail_fast: bool = False
    dask: str | None = None


def run(checker: Checker, found: Iterable[Found], wanted: Wanted) -> int:
    """Check the models, write the results, and return the exit code."""
    out = _console.console()
    totals, ahead = _Counted(), Ahead(found)

    def stopped() -> str:
        n_found = f"{ahead.n_found:,}" + ("" if ahead.is_complete else " found so far")
        return f"stopped after {totals.n_done:,} of {n_found}, {totals.n_bad:,} bad"

    PROGRESS.text = stopped
    try:
        with ExitStack() as stack:
            writers = _writers(stack, out, wanted)
            try:
                _check_all(checker, ahead, wanted, totals, writers)
            finally:  # what was done is written when a signal stops it too
                totals.end()
                for writer in writers:
                    writer.end(totals)
    except SafeLoadError as exc:  # of the output file, or of the cluster
        _console.print_error(exc, as_json=False)
        return 2
    if totals.n_unreadable:
        return 2
    return 1 if totals.n_bad or totals.other_count(wanted.expected) else 0


@dataclass(kw_only=True)
class _Counted(Totals):
    """Totals that are counted result by result."""

    n_unreadable: int = 0
    start: float = field(default_factory=time.perf_counter)

    @property
    def n_done(self) -> int:
        return self.n_good + self.n_bad

    def add(self, result: CheckResult, *, is_model: bool) -> None:
        self.n_bad += result.is_bad
        self.n_good += not result.is_bad
        self.n_unreadable += not is_model
        self.n_models += is_model

    def end(self) -> None:
        self.seconds = time.perf_counter() - self.start


def _check_all(checker: Checker, ahead: Ahead, wanted: Wanted, totals: _Counted, writers: Sequence[Writer]) -> None:
    totals.is_complete = False
    with (
        progress(_console.progress_console(), wanted.expected, "checking") as advance,
        closing(_numbered(checker, ahead, wanted)) as numbered,
    ):
        for each in in_order(numbered):
            if isinstance(each, Skipped):
                totals.skipped.append(each)
                continue
            result = as_result(each)
            totals.add(result, is_model=not isinstance(each, Unreadable))
            for writer in writers:
                writer.add(result)
            advance(totals.n_done, ahead.n_found if ahead.is_complete else None)
            if result.is_bad and wanted.fail_fast:
                return
    totals.is_complete = True


def _numbered(checker: Checker, ahead: Ahead, wanted: Wanted) -> Generator[tuple[int, Outcome], None, None]:
    if wanted.dask is not None:
        with closing(connect(wanted.dask)) as client:
            if not client.nthreads():
                click.echo("the cluster has no workers yet: waiting for one", err=True)
            yield from checked_on(client, checker, ahead)
        return
    only = None if wanted.isolated else ahead.take_only()
    if only is not None:
        with receiving():
            result = checker(only)
        yield 0, result
        return
    yield from checked(checker, ahead, wanted.jobs, isolated=wanted.isolated)


def in_order(numbered: Iterable[tuple[int, Outcome]]) -> Iterator[Outcome]:
    """Yield results by their numbers; where one holds up more than `MAX_HELD` others, these come before it."""
    held: dict[int, Outcome] = {}
    following = 0
    for number, result in numbered:
        if number < following:
            yield result
            continue
        held[number] = result
        while following in held or len(held) > MAX_HELD:
            if following in held:
                yield held.pop(following)
            following += 1
    yield from (held[number] for number in sorted(held))


def _writers(stack: ExitStack, out: Console, wanted: Wanted) -> list[Writer]:
    """Return what the results are given to: the text, unless the format itself is printed, and the format."""
    head = Head(
        time=datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        version=__version__,
        kind=wanted.kind,
        n_expected=wanted.expected,
        is_quiet=wanted.quiet,
    )
    if wanted.output is None:
        printed = _console.write_markup if wanted.format in IN_UTF8 else sys.stdout.write
        return [TextWriter(out, head) if wanted.format == TEXT else writer_of(wanted.format, printed, head)]
    file = stack.enter_context(kept_file(wanted.output))

    def write(text: str) -> None:
        file.write(text.encode("utf-8", "backslashreplace"))

    if wanted.format == TEXT:
        return [TextWriter(out, head), TextWriter(_console.file_console(write), head)]
    return [TextWriter(out, head), writer_of(wanted.format, write, head)]


@contextmanager
def kept_file(path: str) -> Iterator[NewFile]:
    """Yield a new file that replaces the one at `path`, with what was done by then where a signal stops the command.

    Raises:
        SafeLoadError: As `atomic_write`.
    """
    stopped = None
    with atomic_write(resolve_path(path, argument="--output"), role="output") as unfinished:
        try:
            yield unfinished
        except Stopped as exc:
            stopped = exc
    if stopped is not None:
        raise stopped
