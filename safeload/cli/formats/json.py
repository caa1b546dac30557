"""Write one JSON object, with a line for each model: Python indents four times as slowly as it writes a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload.cli import _console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from safeload.cli.formats import Head, Totals
    from safeload.fleet._result import CheckResult

SCHEMA = "safeload-check/1"


def model_dict(result: CheckResult) -> dict[str, Any]:
    """Return a result as a dict that JSON has a form for."""
    return {**result.to_dict(), "error": _console.error_dict(result.error) if result.error else None}


def head_dict(schema: str, head: Head) -> dict[str, Any]:
    """Return the members before the first model."""
    return {
        "schema": schema,
        "time": head.time,
        "version": head.version,
        "kind": head.kind,
        "n_expected": head.n_expected,
    }


def array_of(rows: Iterable[Mapping[str, Any]], before: str = "") -> Iterator[str]:
    """Yield a JSON array in parts; `before` is written before each member."""
    opening = "["
    for row in rows:
        yield opening + before + _console.json_text(row, indent=None)
        opening = ", " if not before else ","
    yield "[]" if opening == "[" else f"{before[:-2]}]"


def skipped_dicts(totals: Totals) -> Iterator[dict[str, str]]:
    """Yield the folders that were skipped."""
    return (each._asdict() for each in totals.skipped)


def totals_dict(totals: Totals) -> dict[str, Any]:
    """Return the members after the last model and the skipped folders."""
    return {
        "n_good": totals.n_good,
        "n_bad": totals.n_bad,
        "complete": totals.is_complete,
        "seconds": round(totals.seconds, 6),
    }


class Writer:
    """Write an object whose models come one after another."""

    def __init__(self, write: Callable[[str], object], head: Head) -> None:
        """Write the members before the models."""
        self._write = write
        self._before = "\n    "
        write("{" + self._members(head_dict(SCHEMA, head)) + ',\n  "models": [')

    def add(self, result: CheckResult) -> None:
        """Write a model."""
        self._write(self._before + _console.json_text(model_dict(result), indent=None))
        self._before = ",\n    "

    def end(self, totals: Totals) -> None:
        """Write the members after the models."""
        self._write('\n  ],\n  "skipped": ')
        for part in array_of(skipped_dicts(totals), "\n    "):
            self._write(part)
        self._write("," + self._members(totals_dict(totals)) + "\n}\n")

    @staticmethod
    def _members(facts: dict[str, Any]) -> str:
        return _console.json_text(facts)[1:-2]
