"""Run the steps of a diagnosis independently, and compare what the loads give."""

from __future__ import annotations

import time
import warnings
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._bytes.files import DISK
from safeload._diagnosis import BACKEND, CHECK, Diagnosis, Difference, Status, Step, Subject, judge
from safeload.errors import ArgumentError, InvalidPathError, SafeLoadError, SafeLoadWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from safeload._bytes.files import FileRef, Source
    from safeload._model_kind import Places, Request
    from safeload.report import LoadReport

    Array = NDArray[Any]

TOLERANCE = 1e-4
"""Largest difference between outputs that count as equal: the order of additions may differ. Also that of rounded values."""


class Loaded(NamedTuple):
    """What a loaded model holds and computes.

    Attributes:
        values: Name of a variable -> values.
        outputs: Its outputs for one input.
        rounded: The variables whose values are computed here, so that the last bit may differ.
    """

    values: dict[str, Array]
    outputs: Sequence[Array] = ()
    rounded: Collection[str] = ()


def places_of(
    request: Request, config: Callable[[Request, Source], FileRef], others: Callable[[Request, FileRef], Places]
) -> Places | None:
    """Find the files that other libraries would read, whether or not they are locked; None if they are not found."""
    try:
        return others(request, config(request, DISK))
    except SafeLoadError:
        return None


class Trials:
    """The steps of one diagnosis so far, and what the loads gave.

    Attributes:
        steps: The steps that were run or skipped, in order.
    """

    def __init__(self, subject: Subject) -> None:
        """Start without steps."""
        self._subject = subject
        self.steps: list[Step] = []
        self._loaded: dict[str, Loaded] = {}

    def check(self, attempt: Callable[[], LoadReport]) -> LoadReport | None:
        """Return the report of safeload's check, or None if it fails."""
        report: LoadReport | None = self.run(CHECK, attempt, lambda found: found.headline())
        return report

    def packages(self, attempt: Callable[[], Any], versions: Callable[[Any], Mapping[str, str]]) -> Any:  # noqa: ANN401
        """Return the packages, or None if they do not work."""
        return self.run(
            BACKEND, attempt, lambda found: ", ".join(f"{name} {number}" for name, number in versions(found).items())
        )

    def load(self, loaders: Mapping[str, Callable[[], Loaded]], skipped: Mapping[str, str], found: str) -> None:
        """Run each way to load, or skip it.

        Args:
            loaders: Name of a way -> its loader.
            skipped: Name of a way -> why it is not run.
            found: What follows the number of variables in a finding.
        """
        for way in self._subject.ways:
            if way.name in skipped:
                self._add(way.name, "skipped", skipped[way.name], time.perf_counter())
                continue
            loaded = self.run(way.name, loaders[way.name], lambda each: f"{len(each.values)} {found}")
            if loaded is not None:
                self._loaded[way.name] = loaded._replace(values=self._shared(loaded.values))

    def diagnosis(self, report: LoadReport | None) -> Diagnosis:
        """Return what the steps show."""
        differences = tuple(self._differences())
        unproven = tuple(report.taken_from_config) if report else ()
        at_fault, verdict = judge(self._subject, self.steps, differences, unproven)
        return Diagnosis(
            at_fault=at_fault, verdict=verdict, steps=tuple(self.steps), differences=differences, report=report
        )

    def run(self, name: str, attempt: Callable[[], Any], finding: Callable[[Any], str]) -> Any:  # noqa: ANN401
        """Return the result of the attempt, or None if it raises; record either as a step."""
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SafeLoadWarning)  # the report has it, and a filter may raise it
                found = attempt()
        except (ArgumentError, InvalidPathError):
            raise
        except Exception as exc:  # noqa: BLE001  (whatever the other libraries raise is evidence)
            raised = exc if isinstance(exc, SafeLoadError) else None
            text = raised.text("in step.problems") if raised else f"{type(exc).__name__}: {exc}"
            self._add(name, "failed", text.split("\n", 1)[0][:300], start, error=text, raised=raised)
            return None
        self._add(name, "ok", finding(found), start)
        return found

    def _add(self, name: str, status: Status, finding: str, start: float, **failure: Any) -> None:  # noqa: ANN401
        seconds, title = time.perf_counter() - start, self._subject.titles[name]
        self.steps.append(Step(name=name, title=title, status=status, finding=finding, seconds=seconds, **failure))

    def _shared(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Return the values with an earlier load's arrays in the place of equal ones, so that equal models take one's memory."""
        return {
            name: next(
                (
                    earlier.values[name]
                    for earlier in self._loaded.values()
                    if name in earlier.values and _distance(earlier.values[name], array) == 0
                ),
                array,
            )
            for name, array in values.items()
        }

    def _differences(self) -> list[Difference]:
        found = []
        for pair in combinations(self._loaded, 2):
            one, two = (self._loaded[name] for name in pair)
            for name in one.values.keys() | two.values.keys():
                distance = _distance(one.values.get(name), two.values.get(name))
                is_rounded = name in one.rounded or name in two.rounded
                if distance is None or distance > (TOLERANCE if is_rounded else 0):
                    found.append(Difference(between=pair, variable=name, max_abs=distance))
            for number, outputs in enumerate(zip(one.outputs, two.outputs, strict=False)):
                distance = _distance(*outputs)
                if distance is None or distance > TOLERANCE:
                    found.append(Difference(between=pair, variable=f"output {number}", max_abs=distance))
        return sorted(found, key=lambda each: (each.between, each.variable))


def _distance(a: Array | None, b: Array | None) -> float | None:
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    if a is None or b is None or a.shape != b.shape:
        return None
    if a is b or np.array_equal(a, b, equal_nan=True):
        return 0.0
    largest = float(np.max(np.abs(a.astype(np.float64) - b)))
    return largest if np.isfinite(largest) else None
