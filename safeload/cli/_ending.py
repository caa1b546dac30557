"""End a command early: by Ctrl-C or SIGTERM, or because its output cannot be written."""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from safeload._bytes import system

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GRACE_SECONDS = 0.4
"""Time in which a stopped command removes its temporary files; then the process ends, whatever it is doing."""

CLOSED_PIPE, NO_OUTPUT = 141, 74


class Stopped(BaseException):
    """The command ends now; no handler of errors catches this.

    Attributes:
        exit_code: The exit code.
        line: What is printed to stderr; "" for nothing.
    """

    def __init__(self, exit_code: int, line: str) -> None:
        """Store the facts."""
        super().__init__(line)
        self.exit_code = exit_code
        self.line = line


@dataclass
class Progress:
    """What a stopped command says about its work.

    Attributes:
        text: Returns the line.
    """

    text: Callable[[], str] = lambda: "stopped"


PROGRESS = Progress()
_ENDING = threading.Lock()
"""Held by the thread that ends the process."""


@contextmanager
def ended_early() -> Iterator[None]:
    """End the process with the right exit code if a signal, or output that cannot be written, stops the body."""
    outputs = sys.stdout, sys.stderr
    stopped = None
    try:
        sys.stdout, sys.stderr = _guarded(sys.stdout), _guarded(sys.stderr or sys.stdout)
        system.on_stop(_stop, _watch)
        try:
            yield
        finally:
            sys.stdout.flush()
    except Stopped as exc:
        stopped = exc.with_traceback(None)
    finally:
        sys.stdout, sys.stderr = outputs
    if stopped is not None:
        _end(stopped.exit_code, stopped.line)


def _stop(number: int) -> None:
    raise Stopped(system.SIGNALS_FROM + number, PROGRESS.text())


def _watch(number: int) -> None:
    time.sleep(GRACE_SECONDS)
    _end(system.SIGNALS_FROM + number, PROGRESS.text())


def _end(exit_code: int, line: str) -> NoReturn:
    """End the process without waiting for threads, nor for what libraries do at the end of Python."""
    with _ENDING:
        system.end_workers()
        if line:
            with suppress(OSError):
                os.write(2, f"{line}\n".encode("ascii", "backslashreplace"))
        os._exit(exit_code)


class _Guarded(io.RawIOBase):
    """A raw output stream that stops the command when the system cannot write.

    It does so once: what is left in the buffer is written again when Python closes the stream, which 3.13 would complain of.
    """

    def __init__(self, raw: Any) -> None:  # noqa: ANN401  (a raw stream of any system)
        self._raw = raw
        self._has_stopped = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def isatty(self) -> bool:
        return bool(self._raw.isatty())

    def write(self, data: Any) -> int | None:  # noqa: ANN401  (a buffer)
        if self._has_stopped:
            return memoryview(data).nbytes
        try:
            return self._raw.write(data)  # type: ignore[no-any-return]
        except BrokenPipeError as exc:
            self._has_stopped = True
            raise Stopped(CLOSED_PIPE, "") from exc
        except OSError as exc:
            self._has_stopped = True
            reason = os.strerror(exc.errno or errno.EIO)
            raise Stopped(NO_OUTPUT, f"the output cannot be written: {reason}") from exc


def _guarded(stream: Any) -> Any:  # noqa: ANN401  (a text stream, or what replaces it)
    """Return a text stream that writes to the same place; the stream itself if it has none.

    Raises:
        Stopped: It is closed.
    """
    if stream is None:
        raise Stopped(NO_OUTPUT, "the output cannot be written: standard output is closed")
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if raw is None:
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Guarded(raw)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
    )
