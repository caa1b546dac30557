"""Find models ahead of their checks, so that it is known how many are left."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from safeload.fleet._found import Model, Skipped, Unreadable
from safeload.fleet._result import CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safeload.fleet._found import Found

Outcome = CheckResult | Skipped | Unreadable
"""What becomes of what a search finds: a model's result, and what is not checked as it is."""

MAX_AHEAD = 10_000
"""How many models are found and not yet checked."""


class Ahead:
    """What a search finds, kept until its check begins.

    Attributes:
        n_found: How many models were found, and folders that could not be read.
        is_complete: Whether the search has ended.
    """

    def __init__(self, found: Iterable[Found]) -> None:
        """Begin before the first model."""
        self._found = iter(found)
        self._waiting: deque[Found] = deque()
        self._n_taken = 0
        self.n_found = 0
        self.is_complete = False

    def fetch(self) -> bool:
        """Search for one more, unless enough are waiting; return whether one was found."""
        if self.is_complete or len(self._waiting) >= MAX_AHEAD:
            return False
        found = next(self._found, None)
        if found is None:
            self.is_complete = True
            return False
        self._waiting.append(found)
        self.n_found += not isinstance(found, Skipped)
        return True

    def take(self) -> tuple[int, Found] | None:
        """Return the next, with its number from 0; None at the end."""
        if not (self._waiting or self.fetch()):
            return None
        self._n_taken += 1
        return self._n_taken - 1, self._waiting.popleft()

    def take_only(self) -> Model | None:
        """Return the model that is all there is; None, and nothing is taken, if there is more or something else."""
        while len(self._waiting) < 2 and self.fetch():  # noqa: PLR2004  (a second one)
            pass
        only = self._waiting[0] if len(self._waiting) == 1 and self.is_complete else None
        return self._waiting.popleft() if isinstance(only, Model) else None  # type: ignore[return-value]


def as_result(outcome: CheckResult | Unreadable) -> CheckResult:
    """Return what came of a model, or of a folder that could not be read, as a result."""
    if isinstance(outcome, CheckResult):
        return outcome
    return CheckResult(path=outcome.path, kind="", error=outcome.error)
