"""Recognise that memory ran out, whatever a library raises for it."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

from safeload._text.words import reason_of
from safeload.errors import FileSystemError

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLASSES = ("ResourceExhaustedError", "OutOfMemoryError")
"""TensorFlow's class, and torch's for a GPU."""

_TEXT = re.compile(r"can't allocate memory|not enough memory")
"""What torch's allocator for a CPU says, in a RuntimeError. libhdf5 says as much of a damaged size, so its words decide nothing."""


def is_shortage(exc: BaseException) -> bool:
    """Return whether an exception says that memory ran out."""
    if isinstance(exc, MemoryError) or type(exc).__name__ in _CLASSES:
        return True
    return type(exc) is RuntimeError and bool(_TEXT.search(str(exc)))


def shortage_behind(exc: BaseException) -> BaseException | None:
    """Return the exception for want of memory that an exception is, or that caused it; None if there is none."""
    return next(filter(is_shortage, _causes(exc)), None)


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__


def not_enough_memory(exc: BaseException, given: object) -> FileSystemError:
    """Return the error for a call that needs more memory than there is."""
    context = [("reason", f"{type(exc).__name__}: {reason_of(exc)}".rstrip(": "))]
    message = "the system has not enough memory for this call"
    hints = ["free some memory, or allow this process more: ulimit -v"]
    return FileSystemError(message, errno=errno.ENOMEM, given=given, context=context, hints=hints)
