"""Check one model, in this process or another."""

from __future__ import annotations

import os
import time
import traceback
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from safeload._bytes.archives.locating import archive_at, lock_folder
from safeload._text.words import escaped, reason_of
from safeload.bert import check_bert
from safeload.bert._arguments import FULL_LENGTH, build_options
from safeload.bert._runtimes import KERAS_BERT
from safeload.cli import _console
from safeload.elmo import check_elmo
from safeload.errors import LockError, SafeLoadError, SafeLoadWarning
from safeload.lock import LOCK_NAME
from safeload.weights import check_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from safeload.report import LoadReport
    from safeload.weights.report import WeightsReport

N_TRACEBACK_ENTRIES = 3
CHECKS: Mapping[str, Callable[..., LoadReport | WeightsReport]] = {
    "bert": check_bert,
    "elmo": check_elmo,
    "weights": check_weights,
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of checking one model.

    Attributes:
        path: Path of the model, as given or found.
        report: The report, or None if the check failed.
        error: The error, or None if the check passed.
        seconds: How long the check took.
        is_strict: Whether a model with warnings is bad.
    """

    path: str
    report: LoadReport | WeightsReport | None = None
    error: SafeLoadError | None = None
    seconds: float = 0.0
    is_strict: bool = False

    @property
    def is_bad(self) -> bool:
        """Whether the model is bad."""
        return self.error is not None or (self.is_strict and self.report is not None and bool(self.report.warnings))

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as a dict that `json.dumps` accepts."""
        return {
            "path": self.path,
            "ok": not self.is_bad,
            "seconds": round(self.seconds, 6),
            "report": self.report.to_dict() if self.report else None,
            "error": _console.error_dict(self.error) if self.error else None,
        }


@dataclass(frozen=True, kw_only=True)
class Checker:
    """A check that can be sent to another process.

    Attributes:
        kind: "bert", "elmo" or "weights".
        options: Further arguments of the check.
        needs_lock: Whether a model without a lock file is bad.
        is_strict: Whether a model with warnings is bad.
    """

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    needs_lock: bool = False
    is_strict: bool = False

    def require_options(self) -> None:
        """Require options that the check has whatever the model is, before any is looked for.

        Raises:
            ArgumentError: One is invalid, or two contradict each other.
        """
        if self.kind == "bert":
            build_options(
                training=self.options["training"],
                seq_len=FULL_LENGTH,
                activation=self.options["activation"],
                backend=self.options.get("backend", KERAS_BERT.id),
            )

    def __call__(self, path: str) -> Outcome:
        """Check one model."""
        start = time.perf_counter()
        report, error = None, None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SafeLoadWarning)  # the report has them
                report = self._report(path)
        except SafeLoadError as exc:
            error = exc
        except (Exception, SystemExit) as exc:  # noqa: BLE001  (whatever one model causes, the others are checked)
            error = unexpected(path, exc)
        seconds = time.perf_counter() - start
        return Outcome(path=path, report=report, error=error, seconds=seconds, is_strict=self.is_strict)

    def _report(self, path: str) -> LoadReport | WeightsReport:
        report = CHECKS[self.kind](path, **self.options)
        if self.needs_lock and not any(file.role == "lock" for file in report.files):
            path = report.files[0].path
            folder = lock_folder(path)
            message = "the model has no lock file"
            of_any = "--any " if self.kind == "weights" else ""
            hints = [f"when the files are known to be correct: safeload lock {of_any}{archive_at(path) or folder}"]
            raise LockError(message, resolved=os.path.join(folder, LOCK_NAME), label="lock", hints=hints)
        return report


def unexpected(path: str, exc: BaseException) -> SafeLoadError:
    """Return the error of a model whose check failed in a way that no check foresees, with the last lines of the traceback."""
    lines = traceback.format_exception(exc)[-1 - N_TRACEBACK_ENTRIES :]
    return SafeLoadError(
        f"the check failed with {type(exc).__name__}: {reason_of(exc)}",
        resolved=os.path.abspath(path),
        given=path,
        label="model",
        details=[escaped(line) for entry in lines for line in entry.splitlines()],
        hints=["this is a fault of safeload, whatever the files hold: please report it with these lines"],
    )
