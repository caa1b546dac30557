"""Check any number of models; print one line per good model and the full message of each bad one."""

from __future__ import annotations

import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from safeload._bytes import system
from safeload._text.progress import progress
from safeload._text.words import counted
from safeload.cli import _console
from safeload.cli._ending import PROGRESS, held
from safeload.cli._isolated import CONTEXT, check_isolated
from safeload.cli._models import Outcome, unexpected

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from rich.console import Console

    from safeload.cli._models import Checker
    from safeload.cli._tree import Found

SCHEMA = "safeload-check/1"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How models are checked and printed.

    Attributes:
        jobs: The number of models that are checked at once.
        isolated: Whether each model has a process of its own.
        expected: The number of models that there must be; None for any.
        as_json: Whether JSON is printed.
        quiet: Whether good models are not printed.
    """

    jobs: int
    isolated: bool = False
    expected: int | None = None
    as_json: bool = False
    quiet: bool = False


def run(checker: Checker, found: Found, wanted: Wanted) -> int:
    """Check the models, print the outcomes, and return the exit code."""
    start = time.perf_counter()
    out = _console.console()
    models = found.models
    outcomes = list(found.unreadable)

    def stopped() -> str:
        n_done = len(outcomes) - len(found.unreadable)
        return f"stopped after {n_done} of {len(models)}, {_count_bad(outcomes)} bad"

    PROGRESS.text = stopped
    if not wanted.as_json:
        for outcome in outcomes:
            _print(out, outcome, quiet=wanted.quiet)
    with (
        progress(out, len(models), "checking") as advance,
        closing(_checked(checker, models, wanted, advance)) as checked,
    ):
        for outcome in checked:
            outcomes.append(outcome)
            if not wanted.as_json:
                _print(out, outcome, quiet=wanted.quiet)
    seconds = time.perf_counter() - start
    n_bad = _count_bad(outcomes)
    is_other_count = wanted.expected not in (None, len(models))
    if wanted.as_json:
        _console.print_json(
            {
                "schema": SCHEMA,
                "kind": checker.kind,
                "n_good": len(outcomes) - n_bad,
                "n_bad": n_bad,
                "n_expected": wanted.expected,
                "seconds": round(seconds, 6),
                "models": [outcome.to_dict() for outcome in outcomes],
                "skipped": [{"path": path, "reason": reason} for path, reason in found.skipped.items()],
            }
        )
    else:
        if not wanted.quiet:
            _print_sum(out, found, len(outcomes) - n_bad, n_bad, seconds)
        if is_other_count:
            text = f"{counted(len(models), 'model')} found, {wanted.expected:,} expected"
            _console.line(out, ("BAD ", _console.BAD), f" {text}")
    if found.unreadable:
        return 2
    return 1 if n_bad or is_other_count else 0


def _print_sum(out: Console, found: Found, n_good: int, n_bad: int, seconds: float) -> None:
    for path, reason in found.skipped.items():
        _console.line(out, ("skipped", _console.NOTE), f" {path}  ", (reason, _console.NOTE))
    if n_good + n_bad > 1:
        _console.line(out, (f"{n_good} good, {n_bad} bad, {seconds:.2f} s", _console.NOTE))


def _count_bad(outcomes: Sequence[Outcome]) -> int:
    return sum(outcome.is_bad for outcome in outcomes)


def _checked(
    checker: Checker, models: Sequence[str], wanted: Wanted, advance: Callable[[int], None]
) -> Generator[Outcome, None, None]:
    """Yield the outcomes in the order of the models, each as soon as possible.

    Where a worker crashes, the models that are left are checked in a process each, so that the crash is the outcome of its
    model.
    """
    if len(models) == 1 and not wanted.isolated:
        yield checker(models[0])
        return
    system.start_workers()
    check, pool = _pool(checker, min(wanted.jobs, len(models)), isolated=wanted.isolated)
    n_yielded = 0
    try:
        with held():
            futures = [pool.submit(check, model) for model in models]
        for future in futures:
            while not future.done():
                wait([future], timeout=0.1)
                advance(sum(each.done() for each in futures))
            yield _outcome_of(future, models[n_yielded])
            n_yielded += 1
    except BrokenProcessPool:
        left = models[n_yielded:]
        yield from _checked(checker, left, replace(wanted, isolated=True), lambda done: advance(n_yielded + done))
    except BaseException:
        if wanted.isolated:
            pool.shutdown(wait=False, cancel_futures=True)
        system.end_workers()
        pool.shutdown()
        raise
    else:
        pool.shutdown()


def _pool(checker: Checker, jobs: int, *, isolated: bool) -> tuple[Callable[[str], Outcome], Executor]:
    if isolated:
        return partial(check_isolated, checker), ThreadPoolExecutor(jobs)
    return checker, ProcessPoolExecutor(jobs, CONTEXT, _prepare)


def _outcome_of(future: Future[Outcome], model: str) -> Outcome:
    """Return the outcome of a model.

    Raises:
        BrokenProcessPool: A worker crashed.
    """
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except Exception as exc:  # noqa: BLE001  (what one model causes on the way between two processes)
        return Outcome(path=model, error=unexpected(model, exc))


def _prepare() -> None:
    """Import NumPy and what readers share, so that the time of the first model does not include it."""
    system.obey_parent()
    import safeload._forms.arrays  # noqa: F401, PLC0415


def _print(out: Console, outcome: Outcome, *, quiet: bool) -> None:
    if outcome.error is not None:
        name = type(outcome.error).__name__
        _console.line(out, ("BAD ", _console.BAD), f" {outcome.path}  ", (name, _console.BAD))
        _console.lines(out, _console.error_text(outcome.error), "     ")
    elif outcome.report is not None and (outcome.is_bad or not quiet):
        report = outcome.report
        n_bytes = sum(file.n_bytes for file in report.files)
        locked = ", locked" if any(file.role == "lock" for file in report.files) else ""
        locked += ", signed" if report.signature else ""
        facts = f"{len(report.read)} {report.noun}, {_console.bytes_text(n_bytes)}{locked}, {outcome.seconds:.2f} s"
        mark = ("BAD ", _console.BAD) if outcome.is_bad else ("ok  ", _console.OK)
        _console.line(out, mark, f" {outcome.path}  ", (facts, _console.NOTE))
        for warning in report.warnings:
            _console.line(out, ("     warning: ", _console.BAD), _console.in_options(warning))
        for note in report.notes:
            _console.line(out, f"     note: {note}")
