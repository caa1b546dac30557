"""List what is wrong with a model, each with the file in which it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from safeload._bytes.addresses import is_address
from safeload.cli import _console
from safeload.fleet._listing import absolute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload.fleet._result import CheckResult

WARNING = "SafeLoadWarning"


class Finding(NamedTuple):
    """What is wrong with a model.

    Attributes:
        rule: The class of the error or warning.
        level: "error", or "warning" where the model is good all the same.
        path: The file, or the model's own path.
        text: The whole message.
    """

    rule: str
    level: Literal["error", "warning"]
    path: str
    text: str


def findings(result: CheckResult) -> Iterator[Finding]:
    """Yield what is wrong with a model: its error, or its warnings."""
    if result.error is not None:
        path = result.error.resolved or absolute(result.path)
        yield Finding(type(result.error).__name__, "error", path, _console.error_text(result.error))
    elif result.report is not None:
        level: Literal["error", "warning"] = "error" if result.is_bad else "warning"
        for text in result.report.warnings:
            yield Finding(WARNING, level, absolute(result.path), _console.in_options(text))


def relative(path: str) -> str:
    """Return a path as it is below the working folder; one that is elsewhere stays as it is."""
    if is_address(path):
        return path
    below = os.path.relpath(path)
    return path if below.startswith(os.pardir) else Path(below).as_posix()
