"""Give every error of a public call its type: the last resort behind the checks of each reader."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from safeload._bytes.absent import failed, hints_of
from safeload._bytes.files import FileRef
from safeload._bytes.shortage import not_enough_memory, shortage_behind
from safeload._text.addresses import without_secrets
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

    What any library raises for want of memory becomes a `FileSystemError`, an error of safeload's that it caused too; OSError becomes
    what `failed` selects, and RecursionError, OverflowError and UnicodeError an `UnsafeFileError`.
    """

    @functools.wraps(call)
    def typed(*args: P.args, **kwargs: P.kwargs) -> Result:
        try:
            return call(*args, **kwargs)
        except Exception as exc:
            given = (value for value in (*args, *kwargs.values()) if isinstance(value, (str, bytes, os.PathLike)))
            error = _typed(exc, next(given, None))
            if error is None:
                raise
            raise error from exc

    vars(typed).update(
        autograph_info__={}
    )  # else a tf.function spends 10 s on translating the call's code for AutoGraph
    return typed


def _typed(exc: Exception, given: object) -> SafeLoadError | None:
    """Return the error for an exception; None if it stays as it is."""
    if isinstance(exc, FileSystemError):
        return None
    if (shortage := shortage_behind(exc)) is not None:
        return not_enough_memory(shortage, given)
    if isinstance(exc, SafeLoadError):
        return None
    if isinstance(exc, OSError):
        if isinstance(exc.filename, (str, bytes, os.PathLike)):
            return failed(FileRef(path=os.fsdecode(exc.filename), role="model", given=given), exc)
        reason = without_secrets(exc.strerror or reason_of(exc)) or type(exc).__name__
        text = f"the system cannot do what this call needs: {reason}"
        return FileSystemError(text, errno=exc.errno, given=given, hints=hints_of(exc))
    message = next((text for kind, text in _UNSAFE.items() if isinstance(exc, kind)), None)
    if message is None:
        return None
    context = [("reason", f"{type(exc).__name__}: {reason_of(exc)}".rstrip(": "))]
    return UnsafeFileError(message, given=given, context=context)
