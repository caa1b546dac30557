"""Give every error of a public call its type: the last resort behind the checks of each reader."""

from __future__ import annotations

import errno
import functools
import os
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from safeload._bytes.absent import failed
from safeload._bytes.files import FileRef
from safeload._text.words import reason_of
from safeload.errors import FileSystemError, SafeLoadError, UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
Result = TypeVar("Result")

_UNSAFE = {
    RecursionError: "a file is nested deeper than Python's stack allows, or this program's own calls are",
    OverflowError: "a number in a file is larger than any model needs",
    UnicodeError: "text in a file cannot be encoded",
}


def typed_errors(call: Callable[P, Result]) -> Callable[P, Result]:
    """Decorate a public call so that what files and systems cause is a `SafeLoadError`; a bug is left as it is.

    OSError becomes what `failed` selects, MemoryError a `FileSystemError`, and RecursionError, OverflowError and
    UnicodeError an `UnsafeFileError`.
    """

    @functools.wraps(call)
    def typed(*args: P.args, **kwargs: P.kwargs) -> Result:
        try:
            return call(*args, **kwargs)
        except SafeLoadError:
            raise
        except (OSError, MemoryError, *_UNSAFE) as exc:
            given = (value for value in (*args, *kwargs.values()) if isinstance(value, (str, bytes, os.PathLike)))
            raise _typed(exc, next(given, None)) from exc

    vars(typed).update(
        autograph_info__={}
    )  # else a tf.function spends 10 s on translating the call's code for AutoGraph
    return typed


def _typed(exc: Exception, given: object) -> SafeLoadError:
    if isinstance(exc, OSError):
        path = os.fsdecode(exc.filename) if isinstance(exc.filename, (str, bytes, os.PathLike)) else ""
        return failed(FileRef(path=path, role="model", given=given), exc)
    context = [("reason", f"{type(exc).__name__}: {reason_of(exc)}".rstrip(": "))]
    if isinstance(exc, MemoryError):
        message = "the system has not enough memory for this call"
        hints = ["free some memory, or allow this process more: ulimit -v"]
        return FileSystemError(message, errno=errno.ENOMEM, given=given, context=context, hints=hints)
    message = next(text for kind, text in _UNSAFE.items() if isinstance(exc, kind))
    return UnsafeFileError(message, given=given, context=context)
