"""Check one model, in this process or another."""

from __future__ import annotations

import os
import time
import traceback
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from safeload._bytes.archives.locating import archive_at, given_ref, located, lock_folder
from safeload._bytes.paths import resolve_path
from safeload._text.addresses import without_secrets
from safeload._text.words import escaped, reason_of
from safeload.bert import check_bert
from safeload.bert._arguments import FULL_LENGTH, build_options
from safeload.bert._runtimes import KERAS_BERT
from safeload.elmo import check_elmo
from safeload.errors import LockError, SafeLoadError, SafeLoadWarning, UnsafeFileError
from safeload.fleet._kinds import no_model
from safeload.fleet._listing import absolute
from safeload.fleet._result import CheckResult
from safeload.lock import LOCK_NAME, lock_command
from safeload.weights import check_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from safeload.fleet._found import Model
    from safeload.report import LoadReport
    from safeload.weights.report import WeightsReport

N_TRACEBACK_ENTRIES = 3


def _check_unknown(path: str) -> NoReturn:
    """Raise the error for a path at which nothing says which model is there."""
    raise no_model(located(given_ref(path, "path", "model")))


CHECKS: Mapping[str, Callable[..., LoadReport | WeightsReport]] = {
    "bert": check_bert,
    "elmo": check_elmo,
    "weights": check_weights,
    "": _check_unknown,
}


@dataclass(frozen=True, kw_only=True)
class Checker:
    """A check that can be sent to another process.

    Attributes:
        options: Further arguments of the check.
        needs_lock: Whether a model without a lock file is bad.
        is_strict: Whether a model with warnings is bad.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    needs_lock: bool = False
    is_strict: bool = False

    def require_options(self, kind: str | None) -> None:
        """Require options that the checks of a kind have whatever the model is, before any is looked for.

        Raises:
            ArgumentError: One is invalid, or two contradict each other.
        """
        if kind == "bert":
            build_options(
                training=self.options["training"],
                seq_len=FULL_LENGTH,
                activation=self.options["activation"],
                backend=self.options.get("backend", KERAS_BERT.id),
            )

    def __call__(self, model: Model) -> CheckResult:
        """Check one model."""
        start = time.perf_counter()
        report, error = None, None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SafeLoadWarning)  # the report has them
                report = self._report(model)
        except SafeLoadError as exc:
            error = exc
        except (Exception, SystemExit) as exc:  # noqa: BLE001  (whatever one model causes, the others are checked)
            error = unexpected(model.path, exc)
        return CheckResult(
            path=without_secrets(model.path),
            kind=model.kind,
            report=report,
            error=error,
            seconds=time.perf_counter() - start,
            is_strict=self.is_strict,
        )

    def _report(self, model: Model) -> LoadReport | WeightsReport:
        report = CHECKS[model.kind](model.path, **(self.options if model.kind else {}))
        if self.needs_lock and not any(file.role == "lock" for file in report.files):
            path = report.files[0].path
            source = given_ref(model.path, "path", "model").source
            folder = lock_folder(path, source)
            message = "the model has no lock file"
            options = "--any" if model.kind == "weights" else ""
            command = lock_command(archive_at(path, source) or folder, options, folder=folder)
            hints = [f"when the files are known to be correct: {command}"]
            raise LockError(message, resolved=os.path.join(folder, LOCK_NAME), label="lock", hints=hints)
        return report


def unexpected(path: str, exc: BaseException) -> SafeLoadError:
    """Return the error of a model whose check failed in a way that no check foresees, with the last lines of the traceback."""
    lines = traceback.format_exception(exc)[-1 - N_TRACEBACK_ENTRIES :]
    return SafeLoadError(
        f"the check failed with {type(exc).__name__}: {reason_of(exc)}",
        resolved=absolute(path),
        given=path,
        label="model",
        details=[escaped(without_secrets(line)) for entry in lines for line in entry.splitlines()],
        hints=["this is a fault of safeload, whatever the files hold: please report it with these lines"],
    )


def crashed(model: Model, how: str, seconds: float, *, is_killed: bool = False) -> CheckResult:
    """Return the result of a model whose check took its process down; `is_killed` where memory may have run out."""
    try:
        resolved = resolve_path(model.path, argument="path", takes_address=True)
    except SafeLoadError:
        resolved = model.path
    hint = "one of its files crashes a library: do not load it"
    if is_killed:
        hint = "the system may have ended it for want of memory: check it alone, with more memory"
    message = f"the model could not be checked: {how}"
    error = UnsafeFileError(message, resolved=resolved, given=model.path, hints=[hint])
    return CheckResult(path=without_secrets(model.path), kind=model.kind, error=error, seconds=seconds)
