"""Check a model in a separate process, so that a file that crashes a library ends only that process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from safeload._bytes import system
from safeload._bytes.paths import resolve_path
from safeload.cli._models import Checker, Outcome
from safeload.errors import SafeLoadError, UnsafeFileError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CONTEXT = system.process_context()
"""Processes are started without the threads and open files of this one."""

TIMEOUT_SECONDS = 3600
CPU_SECONDS = 300
"""CPU time, which does not include waiting for a disk."""


def check_isolated(checker: Checker, path: str) -> Outcome:
    """Check a model in a new process; if the process crashes or hangs, the outcome is an error of the model."""
    start = time.perf_counter()
    receiver, sender = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_check, args=(checker, path, sender), daemon=True)
    system.start_worker(process)
    sender.close()
    try:
        if receiver.poll(TIMEOUT_SECONDS):
            found: Outcome = receiver.recv()
            process.join()
            return found
        process.kill()
        return _failed(path, start, f"it did not finish within {TIMEOUT_SECONDS} s")
    except EOFError:
        process.join()
        return _failed(path, start, f"its process ended with {system.exit_text(process.exitcode or 0)}")
    finally:
        receiver.close()


def _check(checker: Checker, path: str, sender: Connection) -> None:
    system.obey_parent()
    system.limit_cpu_seconds(CPU_SECONDS)
    sender.send(checker(path))


def _failed(path: str, start: float, how: str) -> Outcome:
    message = f"the model could not be checked: {how}"
    hints = ["one of its files crashes a library: do not load it"]
    try:
        resolved = resolve_path(path, argument="path")
    except SafeLoadError:
        resolved = path
    error = UnsafeFileError(message, resolved=resolved, given=path, hints=hints)
    return Outcome(path=path, error=error, seconds=time.perf_counter() - start)
