"""Check models in worker processes, so that what breaks one of them is the result of its model alone."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from safeload._bytes import system
from safeload.fleet._checker import crashed, unexpected
from safeload.fleet._found import Model
from safeload.fleet._result import CheckResult

if TYPE_CHECKING:
    from collections.abc import Generator
    from multiprocessing.connection import Connection

    from safeload.fleet._ahead import Ahead, Outcome
    from safeload.fleet._checker import Checker

TIMEOUT_SECONDS = 3600.0
CPU_SECONDS = 300
"""CPU time of one model, which does not include waiting for a disk."""

POLL_SECONDS = 0.5
END_SECONDS = 5.0
IMPORTED = ("safeload.fleet._checker", "safeload._forms.arrays")
"""What each check imports; NumPy's import takes longer than the check of a tiny model."""

_CONTEXT = system.process_context()
"""Processes are started without the threads and open files of this one."""


def checked(
    checker: Checker, found: Ahead, jobs: int, *, isolated: bool = False
) -> Generator[tuple[int, Outcome], None, None]:
    """Yield the number and result of each model in the order of completion, and of what is not checked.

    Args:
        checker: The check.
        found: The models.
        jobs: How many models are checked at once.
        isolated: Whether each model has a process of its own.
    """
    system.start_workers([*IMPORTED])
    workers: list[_Worker] = []
    try:
        while True:
            while len(workers) < jobs or any(worker.model is None for worker in workers):
                taken = found.take()
                if taken is None:
                    break
                number, each = taken
                if isinstance(each, Model):
                    _idle(workers, checker).give(number, each)
                else:
                    yield number, each
            busy = {worker.pipe: worker for worker in workers if worker.model is not None}
            if not busy:
                return
            is_ready = set(system.wait_for(list(busy), 0 if found.fetch() else POLL_SECONDS))
            for pipe, worker in busy.items():
                if pipe in is_ready or worker.is_late():
                    yield worker.number, worker.take()
                    if isolated or not worker.is_alive:
                        workers.remove(worker)
                        worker.end()
    finally:
        for worker in workers:
            worker.end()


def _idle(workers: list[_Worker], checker: Checker) -> _Worker:
    worker = next((each for each in workers if each.model is None), None)
    if worker is None:
        worker = _Worker(checker)
        workers.append(worker)
    return worker


class _Worker:
    """A process that checks one model after another.

    Attributes:
        pipe: Its results come through it.
        number, model: What it checks; no model if it is idle.
        is_alive: Whether it can check another.
    """

    def __init__(self, checker: Checker) -> None:
        """Start the process."""
        self.pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(checker, theirs, dict(os.environ)), daemon=True)
        system.start_worker(self._process)
        theirs.close()
        self.number, self.model = 0, None
        self.is_alive = True
        self._start = 0.0

    number: int
    model: Model | None

    def give(self, number: int, model: Model) -> None:
        """Give it a model to check; one that has died is noticed when its result is taken."""
        self.number, self.model, self._start = number, model, time.perf_counter()
        try:
            self.pipe.send(model)
        except OSError:
            self.is_alive = False

    def is_late(self) -> bool:
        """Return whether its model takes longer than any."""
        return time.perf_counter() - self._start > TIMEOUT_SECONDS

    def take(self) -> CheckResult:
        """Return the result that is there, or what became of the process."""
        model, self.model = self.model, None
        assert model is not None  # noqa: S101  (only a busy worker is asked)
        try:
            if self.pipe.poll():
                found: CheckResult = self.pipe.recv()
                return found
            how, is_killed = f"it did not finish within {TIMEOUT_SECONDS:g} s", False
        except (EOFError, OSError):
            self._process.join(END_SECONDS)
            code = self._process.exitcode or 0
            how, is_killed = f"its process ended with {system.exit_text(code)}", system.is_killed(code)
        self.is_alive = False
        return crashed(model, how, time.perf_counter() - self._start, is_killed=is_killed)

    def end(self) -> None:
        """End the process."""
        self.is_alive = False
        self._process.kill()
        self._process.join(END_SECONDS)
        self.pipe.close()


def _serve(checker: Checker, pipe: Connection, environment: dict[str, str]) -> None:
    """Check the models that come through the pipe, in a process of their own."""
    os.environ.clear()  # the fork server may be older than credentials that the caller has set since
    os.environ.update(environment)
    system.obey_parent()
    system.limit_memory()
    import safeload._forms.arrays  # noqa: F401, PLC0415  (so that the time of the first model does not include NumPy's import)

    while True:
        try:
            model = pipe.recv()
        except EOFError:
            return
        system.limit_cpu_seconds(CPU_SECONDS)
        result = checker(model)
        try:
            pipe.send(result)
        except Exception as exc:  # noqa: BLE001  (what one model causes on the way between two processes)
            error = unexpected(model.path, exc)
            pipe.send(CheckResult(path=model.path, kind=model.kind, error=error, seconds=result.seconds))
