"""The result of checking one model of a fleet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safeload.errors import SafeLoadError
    from safeload.report import LoadReport
    from safeload.weights.report import WeightsReport


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The result of checking one model of a fleet.

    Attributes:
        path: Path of the model, as given or found.
        kind: "bert", "elmo" or "weights"; "" if it is unknown.
        report: The report, or None if the check failed.
        error: The error, or None if the check passed.
        seconds: How long the check took.
        is_strict: Whether a model with warnings is bad.
    """

    path: str
    kind: str
    report: LoadReport | WeightsReport | None = None
    error: SafeLoadError | None = None
    seconds: float = 0.0
    is_strict: bool = False

    @property
    def n_bytes(self) -> int:
        """Size in bytes of the files that were verified; 0 if the check failed."""
        return sum(file.n_bytes for file in self.report.files) if self.report else 0

    @property
    def is_bad(self) -> bool:
        """Whether the model is bad."""
        return self.error is not None or (self.is_strict and self.report is not None and bool(self.report.warnings))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain dicts, lists, strings and numbers for `json.dumps`."""
        return {
            "path": self.path,
            "kind": self.kind,
            "ok": not self.is_bad,
            "seconds": round(self.seconds, 6),
            "n_bytes": self.n_bytes,
            "report": self.report.to_dict() if self.report else None,
            "error": self.error.to_dict() if self.error else None,
        }
