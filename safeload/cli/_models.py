"""Find the models in a tree of folders, and check them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from safeload._recognise import models_of_folder
from safeload.bert import check_bert
from safeload.cli import _console
from safeload.elmo import check_elmo
from safeload.errors import LockError, SafeLoadError
from safeload.lock import LOCK_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from safeload.report import LoadReport

CHECKS: Mapping[str, Callable[..., LoadReport]] = {"bert": check_bert, "elmo": check_elmo}


def find_models(kind: str, paths: Iterable[str]) -> list[str]:
    """Return the models in each path: the path itself, or the folders below it that contain a model.

    A folder without any model is returned itself, so that its check reports what is missing.
    """
    return [model for path in paths for model in _in_tree(kind, path) or [path]]


def _in_tree(kind: str, path: str) -> list[str]:
    found = []
    seen: set[str] = set()
    for folder, inner, names in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            inner.clear()
            continue
        seen.add(real)
        inner[:] = sorted(name for name in inner if not name.startswith((".", "__MACOSX")))
        models = models_of_folder(name for name in names if not name.startswith("."))
        if kind in [model.lower() for model in models]:
            found.append(folder)
    return found


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of checking one model.

    Attributes:
        path: Path of the model, as given or found.
        report: The report, or None if the check failed.
        error: The error, or None if the check passed.
        seconds: How long the check took.
    """

    path: str
    report: LoadReport | None = None
    error: SafeLoadError | None = None
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as a dict that `json.dumps` accepts."""
        return {
            "path": self.path,
            "ok": self.error is None,
            "seconds": round(self.seconds, 6),
            "report": self.report.to_dict() if self.report else None,
            "error": _console.error_dict(self.error) if self.error else None,
        }


@dataclass(frozen=True, kw_only=True)
class Checker:
    """A check that can be sent to another process.

    Attributes:
        kind: "bert" or "elmo".
        options: Further arguments of `check_bert` or `check_elmo`.
        needs_lock: Whether a model without a lock file is bad.
    """

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    needs_lock: bool = False

    def __call__(self, path: str) -> Outcome:
        """Check one model."""
        start = time.perf_counter()
        try:
            report = CHECKS[self.kind](path, **self.options)
            if self.needs_lock and not any(file.role == "lock" for file in report.files):
                folder = os.path.dirname(report.files[0].path)
                message = "the model has no lock file"
                hints = [f"when the files are known to be correct: safeload lock {folder}"]
                raise LockError(message, resolved=os.path.join(folder, LOCK_NAME), label="lock", hints=hints)
        except SafeLoadError as exc:
            return Outcome(path=path, error=exc, seconds=time.perf_counter() - start)
        return Outcome(path=path, report=report, seconds=time.perf_counter() - start)
