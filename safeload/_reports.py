"""Keep the reports of models that were loaded in this process."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from safeload.report import LoadReport

_REPORTS: weakref.WeakKeyDictionary[Any, LoadReport] = weakref.WeakKeyDictionary()


def remember(model: object, report: LoadReport) -> None:
    """Keep a model's report for as long as the model exists."""
    _REPORTS[model] = report


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
