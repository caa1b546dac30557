"""Check any number of models; print one line per good model and the full message of each bad one."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TYPE_CHECKING

import click

from safeload.cli import _console
from safeload.cli._isolated import CONTEXT, check_isolated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from safeload.cli._models import Checker, Outcome

SCHEMA = "safeload-check/1"


def run(checker: Checker, models: Sequence[str], *, jobs: int, isolated: bool, as_json: bool, quiet: bool) -> int:
    """Check the models, print the outcomes, and return the exit code."""
    start = time.perf_counter()
    out = _console.console()
    outcomes = []
    with _console.progress(out, len(models), "checking") as advance:
        for outcome in _checked(checker, models, min(jobs, len(models)), advance, isolated=isolated):
            outcomes.append(outcome)
            if not as_json:
                _print(out, outcome, quiet=quiet)
    seconds = time.perf_counter() - start
    n_bad = sum(outcome.error is not None for outcome in outcomes)
    if as_json:
        _console.print_json(
            {
                "schema": SCHEMA,
                "kind": checker.kind,
                "n_good": len(outcomes) - n_bad,
                "n_bad": n_bad,
                "seconds": round(seconds, 6),
                "models": [outcome.to_dict() for outcome in outcomes],
            }
        )
    elif len(outcomes) > 1 and not quiet:
        _console.line(out, (f"{len(outcomes) - n_bad} good, {n_bad} bad, {seconds:.2f} s", _console.NOTE))
    return 1 if n_bad else 0


def _checked(
    checker: Checker, models: Sequence[str], jobs: int, advance: Callable[[int], None], *, isolated: bool
) -> Iterator[Outcome]:
    """Yield the outcomes in the order of the models, each as soon as possible."""
    check: Callable[[str], Outcome]
    pool: Executor
    if isolated:
        check, pool = partial(check_isolated, checker), ThreadPoolExecutor(jobs)
    elif jobs > 1:
        check, pool = checker, ProcessPoolExecutor(jobs, CONTEXT, _prepare)
    else:
        for number, model in enumerate(models):
            advance(number)
            yield checker(model)
        return
    with pool:
        futures = [pool.submit(check, model) for model in models]
        pending: set[Future[Outcome]] = set(futures)
        for number, future in enumerate(futures):
            while not future.done():
                _, pending = wait(pending, timeout=0.1, return_when=FIRST_COMPLETED)
                advance(len(models) - len(pending))
            try:
                yield future.result()
            except BrokenProcessPool as exc:
                some = ", ".join(models[number:][:jobs])
                message = f"a worker crashed while checking one of these: {some}; rerun with --isolated to find it"
                raise click.ClickException(message) from exc


def _prepare() -> None:
    """Import NumPy and what readers share, so that the time of the first model does not include it."""
    import safeload._forms.arrays  # noqa: F401, PLC0415


def _print(out: Console, outcome: Outcome, *, quiet: bool) -> None:
    if outcome.error is not None:
        name = type(outcome.error).__name__
        _console.line(out, ("BAD ", _console.BAD), f" {_console.visible(outcome.path)}  ", (name, _console.BAD))
        _console.line(out, "\n".join(f"     {row}" for row in _console.error_text(outcome.error).splitlines()))
    elif outcome.report is not None and not quiet:
        report = outcome.report
        n_bytes = sum(file.n_bytes for file in report.files)
        locked = ", locked" if any(file.role == "lock" for file in report.files) else ""
        facts = f"{len(report.read)} {report.noun}, {_console.bytes_text(n_bytes)}{locked}, {outcome.seconds:.2f} s"
        _console.line(out, ("ok  ", _console.OK), f" {_console.visible(outcome.path)}  ", (facts, _console.NOTE))
        for note in report.notes:
            _console.line(out, f"     note: {_console.visible(note)}")
