"""Hold the result of a diagnosis, and decide what is at fault."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from safeload._text.words import one_line, plain
from safeload.errors import SafeLoadError  # noqa: TC001  (the page of the API shows the types of a step)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from safeload.report import LoadReport

AtFault = Literal["nothing", "files", "versions", "keras-bert", "tensorflow", "safeload", "unknown"]
Status = Literal["ok", "failed", "skipped"]

MAX_PRINTED = 10

CHECK, BACKEND, KERAS_BERT, DIRECT, SAFELOAD = "check", "backend", "keras-bert", "direct", "safeload"
_TITLES = {
    CHECK: "safeload's check of the files",
    BACKEND: "TensorFlow, Keras and keras-bert",
    KERAS_BERT: "keras-bert's own loader",
    DIRECT: "TensorFlow's reader into keras-bert's graph",
    SAFELOAD: "safeload's load",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a diagnosis.

    Attributes:
        name: "check", "backend", "keras-bert", "direct" or "safeload".
        status: "ok", "failed" or "skipped".
        finding: The result in one sentence.
        seconds: How long the step took.
        error: The text of the error, or "".
        raised: The error, if it is one of safeload.
    """

    name: str
    status: Status
    finding: str
    seconds: float = 0.0
    error: str = ""
    raised: SafeLoadError | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """Every problem of the error, one string each."""
        return tuple(self.raised.to_dict()["problems"]) if self.raised else ()

    def to_dict(self) -> dict[str, Any]:
        """Return the step as a dict that `json.dumps` accepts."""
        found = dataclasses.asdict(dataclasses.replace(self, raised=None))
        del found["raised"]
        return {**found, "problems": list(self.problems)}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A variable or output on which two loads disagree.

    Attributes:
        between: The names of the two steps.
        variable: Name of a variable in the model graph, or "output 0", "output 1".
        max_abs: Largest absolute difference; None if the shapes differ, one has NaN, or one lacks the variable.
    """

    between: tuple[str, str]
    variable: str
    max_abs: float | None


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The result of `diagnose_bert`: what is at fault, and the evidence.

    Attributes:
        at_fault: "nothing", "files", "versions", "keras-bert", "tensorflow", "safeload" or "unknown".
        verdict: The same in one sentence, with the reason.
        steps: The steps, in order.
        differences: Every variable and output on which two loads disagree.
        report: The report of the check, if it passed.
    """

    at_fault: AtFault
    verdict: str
    steps: tuple[Step, ...]
    differences: tuple[Difference, ...] = ()
    report: LoadReport | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as a dict that `json.dumps` accepts."""
        found = dataclasses.asdict(dataclasses.replace(self, steps=()))
        return {**found, "steps": [step.to_dict() for step in self.steps]}

    def __str__(self) -> str:
        """Return the verdict, followed by the evidence."""
        return self.text()

    def text(self, where: str = "") -> str:
        """Return the same; `where` ends the lines that count what is left out, such as "with --json"."""
        lines = [one_line(self.verdict)]
        printed: set[str] = set()
        for step in self.steps:
            lines.append(f"  {step.status:<8}{_TITLES[step.name]}: {one_line(step.finding)} ({step.seconds:.2f} s)")
            if step.error and step.error not in printed:
                text = step.raised.text(where) if step.raised and where else step.error
                lines += [f"          {line}" for line in text.splitlines()[1:]]
            printed.add(step.error)
        for each in self.differences[:MAX_PRINTED]:
            far = "in shape or NaN" if each.max_abs is None else f"by up to {each.max_abs:.3g}"
            lines.append(f"  differs {one_line(each.variable)}: {' and '.join(each.between)}, {far}")
        left = len(self.differences) - MAX_PRINTED
        if left > 0:
            lines.append(f"  ... and {left} more {where or 'in diagnosis.differences'}")
        lines += [f"  warning {one_line(warning)}" for warning in (self.report.warnings if self.report else ())]
        return plain("\n".join(lines))


PAIRS = ((KERAS_BERT, DIRECT), (SAFELOAD, DIRECT), (KERAS_BERT, SAFELOAD))
_WHOSE: dict[str, AtFault] = {KERAS_BERT: "keras-bert", DIRECT: "tensorflow", SAFELOAD: "safeload"}
_ADVICE = {"keras-bert": "; safeload.load_bert reads it correctly", "safeload": "; please report it"}


def judge(
    steps: Sequence[Step], differences: Sequence[Difference], unproven: Sequence[str] = ()
) -> tuple[AtFault, str]:
    """Return what is at fault, and the verdict in one sentence.

    Args:
        steps: Every step; one of the loads is skipped where it cannot load this model, whatever its files hold.
        differences: What the loads disagree on.
        unproven: The settings that no file of the model can confirm.
    """
    by_name = {step.name: step for step in steps}
    check, backend = by_name[CHECK], by_name[BACKEND]
    if check.status == "failed":
        quietly = "; keras-bert loads them without an error" if by_name[KERAS_BERT].status == "ok" else ""
        return "files", f"the files are at fault: {check.finding}{quietly}"
    if backend.status == "failed":
        return "versions", f"the files are good and the versions are at fault: {backend.finding}"
    run = [name for name in (KERAS_BERT, DIRECT, SAFELOAD) if by_name[name].status != "skipped"]
    pairs = [pair for pair in PAIRS if set(pair) <= set(run)]
    agreed = [pair for pair in pairs if _agree(pair, by_name, differences)]
    if len(agreed) == len(pairs) and by_name[SAFELOAD].status == "ok":
        return "nothing", f"nothing is at fault: {_agreement(by_name, run)}; {_beyond_proof(unproven)}"
    if len(agreed) == 1:
        name = next(name for name in run if name not in agreed[0])
        odd = _WHOSE[name]
        why = _reason(by_name[name], differences)
        return odd, f"the files are good and {odd} is at fault: {why}, and the two others agree{_ADVICE.get(odd, '')}"
    failed = [name for name in run if by_name[name].status == "failed"]
    if len(failed) == 1 and len(run) < len(_WHOSE):
        odd = _WHOSE[failed[0]]
        why = _reason(by_name[failed[0]], differences)
        return odd, f"the files are good and {odd} is at fault: {why}{_ADVICE.get(odd, '')}"
    why = "; ".join(_reason(by_name[name], differences) for name in run)
    return "unknown", f"the files are good, and no two loads agree: {why}"


def _agreement(by_name: dict[str, Step], run: Sequence[str]) -> str:
    skipped = [name for name in (KERAS_BERT, DIRECT) if name not in run]
    if not skipped:
        return "the files, the versions and keras-bert agree on every variable and output"
    compared = [_TITLES[name] for name in run if name != SAFELOAD]
    agree = f", and agrees with {compared[0]} on every variable and output" if compared else ""
    left = " and ".join(_TITLES[name] for name in skipped)
    why = by_name[skipped[0]].finding
    return f"the files and the versions are good, and safeload loads the model{agree}; not compared with {left} ({why})"


def _beyond_proof(unproven: Sequence[str]) -> str:
    settings = f"{' and '.join(unproven)} of the config, nor " if unproven else ""
    return f"no loader can prove {settings}how the text was tokenised"


def _agree(pair: tuple[str, str], by_name: dict[str, Step], differences: Sequence[Difference]) -> bool:
    are_loaded = all(by_name[name].status == "ok" for name in pair)
    return are_loaded and not any(each.between == pair for each in differences)


def _reason(step: Step, differences: Sequence[Difference]) -> str:
    if step.status == "failed":
        return f"{_TITLES[step.name]} fails ({step.finding})"
    variables = sorted({each.variable for each in differences if step.name in each.between})
    if not variables:
        return f"{_TITLES[step.name]} succeeds"
    what = f"{variables[0]} and {len(variables) - 1} more" if len(variables) > 1 else "".join(variables)
    return f"{_TITLES[step.name]} differs in {what}"
