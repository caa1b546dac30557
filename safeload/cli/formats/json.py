"""Write one JSON object, model by model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload.cli import _console

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload.cli.formats import Head, Totals
    from safeload.fleet._result import CheckResult

SCHEMA = "safeload-check/1"


def model_dict(result: CheckResult) -> dict[str, Any]:
    """Return a result as a dict that JSON has a form for."""
    return {**result.to_dict(), "error": _console.error_dict(result.error) if result.error else None}


def head_dict(schema: str, head: Head) -> dict[str, Any]:
    """Return what stands before the first model."""
    return {
        "schema": schema,
        "time": head.time,
        "version": head.version,
        "kind": head.kind,
        "n_expected": head.n_expected,
    }


def totals_dict(totals: Totals) -> dict[str, Any]:
    """Return what stands after the last model."""
    return {
        "skipped": [each._asdict() for each in totals.skipped],
        "n_good": totals.n_good,
        "n_bad": totals.n_bad,
        "complete": totals.is_complete,
        "seconds": round(totals.seconds, 6),
    }


class Writer:
    """Write an object whose models come one after another."""

    def __init__(self, write: Callable[[str], object], head: Head) -> None:
        """Write what stands before the models."""
        self._write = write
        self._before = "\n    "
        write("{" + self._members(head_dict(SCHEMA, head)) + ',\n  "models": [')

    def add(self, result: CheckResult) -> None:
        """Write a model."""
        self._write(self._before + _console.json_text(model_dict(result)).replace("\n", "\n    "))
        self._before = ",\n    "

    def end(self, totals: Totals) -> None:
        """Write what stands after the models."""
        self._write("\n  ]," + self._members(totals_dict(totals)) + "\n}\n")

    @staticmethod
    def _members(facts: dict[str, Any]) -> str:
        return _console.json_text(facts)[1:-2]
