"""Keep the reports of models that were loaded in this process."""

from __future__ import annotations

import sys
import warnings
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from safeload._text.words import escaped
from safeload.errors import ArgumentError, SafeLoadWarning

if TYPE_CHECKING:
    from safeload.report import FileRead, LoadReport

_REPORTS: weakref.WeakKeyDictionary[Any, LoadReport] = weakref.WeakKeyDictionary()


def remember(model: object, report: LoadReport) -> None:
    """Keep a model's report for as long as the model exists."""
    _REPORTS[model] = report


_NOT_THE_CALLER = frozenset({"safeload", "torch", "allennlp", "keras", "tf_keras", "tensorflow"})


def warn_caller(message: str) -> None:
    """Warn at the line outside safeload and the frameworks that made the call."""
    frame, level = sys._getframe(), 1  # noqa: SLF001  (there is no other way before Python 3.12)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _NOT_THE_CALLER:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, SafeLoadWarning, stacklevel=level)


class Report(Protocol):
    """What every report has that this needs."""

    @property
    def model(self) -> str:
        """The model."""

    @property
    def files(self) -> tuple[FileRead, ...]:
        """Every file."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is suspicious."""


def warn_of(report: Report, what: str | None = None) -> None:
    """Warn once of all that is suspicious; `what` is the kind of files, by default the model."""
    if report.warnings:
        given = getattr(report, "given", "")
        path = next((file.path for file in report.files if file.role in ("index", "weight", "config")), given)
        text = "".join(f"\n  {escaped(warning)}" for warning in report.warnings)
        warn_caller(f"suspicious {what or report.model} {escaped(path)}:{text}")


def report_of(model: object) -> LoadReport:
    """Return the report of a model that `load_bert` or `load_elmo` returned.

    Raises:
        ArgumentError: The model was not loaded by safeload in this process.
    """
    try:
        return _REPORTS[model]
    except (KeyError, TypeError) as exc:
        message = f"there is no report for this {type(model).__name__}: safeload did not load it in this process"
        hints = ["pass the object that safeload.load_bert or safeload.load_elmo returned"]
        raise ArgumentError(message, argument="model", hints=hints) from exc
