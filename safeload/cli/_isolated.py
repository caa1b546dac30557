"""A check in a process of its own: a file that makes a library abort ends that process and no other."""

from __future__ import annotations

import multiprocessing
import resource
import signal
import time
from typing import TYPE_CHECKING

from safeload._paths import resolve_path
from safeload.cli._models import Checker, Outcome
from safeload.errors import SafeLoadError, UnsafeFileError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CONTEXT = multiprocessing.get_context("forkserver")
"""Processes begin from one that has no threads and no open files of the caller's."""

TIMEOUT_SECONDS = 3600
CPU_SECONDS = 300
"""Of the processor's time; waiting for a disk takes none."""


def checked_apart(checker: Checker, path: str) -> Outcome:
    """Return what a check in a fresh process finds; that the process ends or hangs is the model's fault."""
    start = time.perf_counter()
    receiver, sender = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_check, args=(checker, path, sender), daemon=True)
    process.start()
    sender.close()
    try:
        if receiver.poll(TIMEOUT_SECONDS):
            found: Outcome = receiver.recv()
            process.join()
            return found
        process.kill()
        return _ended(path, start, f"it did not end within {TIMEOUT_SECONDS} s")
    except EOFError:
        process.join()
        return _ended(path, start, f"its process ended with {_ending(process.exitcode or 0)}")
    finally:
        receiver.close()


def _check(checker: Checker, path: str, sender: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    sender.send(checker(path))


def _ending(code: int) -> str:
    try:
        return f"the signal {signal.Signals(-code).name}" if code < 0 else f"the exit code {code}"
    except ValueError:
        return f"the signal {-code}"


def _ended(path: str, start: float, how: str) -> Outcome:
    message = f"the model could not be checked: {how}"
    hints = ["a file of it makes a library fail that nothing can catch: do not load it"]
    try:
        resolved = resolve_path(path, argument="path")
    except SafeLoadError:
        resolved = path
    error = UnsafeFileError(message, resolved=resolved, given=path, hints=hints)
    return Outcome(path=path, error=error, seconds=time.perf_counter() - start)
