"""Which folders of a tree hold models, and what is checked in them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import safeload
from safeload.errors import LockError, SafeLoadError
from safeload.lock import LOCK_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from safeload.report import LoadReport

BERT, ELMO = "bert", "elmo"
_ENDINGS = {BERT: (".index",), ELMO: (".hdf5", ".h5")}
_CONFIGS = {BERT: "bert_config", ELMO: "options"}


def is_model_folder(kind: str, names: list[str]) -> bool:
    """Tell whether a folder with these names holds a model of this kind, or is meant to."""
    return any(name.endswith(_ENDINGS[kind]) for name in names) or any(
        name.endswith(".json") and _CONFIGS[kind] in name for name in names
    )


def find_models(kind: str, paths: Iterable[str]) -> list[str]:
    """Return every model that one of the paths is or, where it is a folder above models, holds.

    A folder that has no model anywhere is returned itself, so that its check says what is missing.
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
        if is_model_folder(kind, [name for name in names if not name.startswith(".")]):
            found.append(folder)
    return found


def kind_of_folder(path: str) -> str | None:
    """Return which kind of model a folder holds; None where it is neither or both."""
    names = os.listdir(path)
    kinds = [kind for kind in (BERT, ELMO) if is_model_folder(kind, names)]
    return kinds[0] if len(kinds) == 1 else None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One model, checked.

    Attributes:
        path: What was checked, as it was given or found.
        report: What was read; None where an error was raised.
        error: What is wrong; None where nothing is.
        seconds: How long it took.
    """

    path: str
    report: LoadReport | None = None
    error: SafeLoadError | None = None
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain dicts, lists, strings and numbers."""
        return {
            "path": self.path,
            "ok": self.error is None,
            "seconds": round(self.seconds, 6),
            "report": self.report.to_dict() if self.report else None,
            "error": self.error.to_dict() if self.error else None,
        }


@dataclass(frozen=True, kw_only=True)
class Checker:
    """A check that another process can run.

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
        check = safeload.check_bert if self.kind == BERT else safeload.check_elmo
        start = time.perf_counter()
        try:
            report = check(path, **self.options)
            if self.needs_lock and not any(file.role == "lock" for file in report.files):
                folder = os.path.dirname(report.files[0].path)
                message = "the model has no lock file"
                hints = [f"once the files are known to be right: safeload lock {folder}"]
                raise LockError(message, resolved=os.path.join(folder, LOCK_NAME), label="lock", hints=hints)
        except SafeLoadError as exc:
            return Outcome(path=path, error=exc, seconds=time.perf_counter() - start)
        return Outcome(path=path, report=report, seconds=time.perf_counter() - start)
