"""Hold the result of a diagnosis, and decide what is at fault."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from safeload._layers import LayerDifference, table
from safeload._text.words import one_line, plain
from safeload.errors import SafeLoadError  # noqa: TC001  (the page of the API shows the types of a step)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from safeload.report import LoadReport

AtFault = Literal[
    "nothing", "files", "versions", "keras-bert", "transformers", "keras-hub", "allennlp", "tensorflow", "h5py", "safeload",
    "unknown",
]  # fmt: skip
Status = Literal["ok", "failed", "skipped"]

MAX_PRINTED = 10

CHECK, BACKEND, SAFELOAD = "check", "backend", "safeload"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a diagnosis.

    Attributes:
        name: "check", "backend", "direct"; for a BERT "keras-bert" and "safeload", or "keras-bert" and the runtime it is
            compared with; for an ELMo "allennlp", "safeload-torch", "safeload-allennlp" and "safeload-keras".
        title: The same in words.
        status: "ok", "failed" or "skipped".
        finding: The result in one sentence.
        seconds: How long the step took.
        error: The text of the error, or "".
        raised: The error, if it is one of safeload.
    """

    name: str
    title: str
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
    """A variable, output or layer on which two loads disagree.

    Attributes:
        between: The names of the two steps.
        variable: Name of a variable in keras-bert's graph or of a parameter of AllenNLP's biLM, "output 0", "output 1", or
            the name of a layer.
        max_abs: Largest absolute difference; None if the shapes differ, one has NaN, or one lacks the variable.
    """

    between: tuple[str, str]
    variable: str
    max_abs: float | None


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The result of `diagnose_bert` or `diagnose_elmo`: what is at fault, and the evidence.

    Attributes:
        at_fault: "nothing", "files", "versions", "keras-bert", "transformers", "keras-hub", "allennlp", "tensorflow",
            "h5py", "safeload" or "unknown".
        verdict: The same in one sentence, with the reason.
        steps: The steps, in order.
        differences: Every variable, output and layer on which two loads disagree; layers in the order of the model.
        report: The report of the check, if it passed.
        layers: Every layer of the two models that `against` compares, in the order of the model.
        bound: The largest difference at which two layers count as equal; None if no layers were compared.
        notes: What may explain a difference, such as another GELU.
    """

    at_fault: AtFault
    verdict: str
    steps: tuple[Step, ...]
    differences: tuple[Difference, ...] = ()
    report: LoadReport | None = None
    layers: tuple[LayerDifference, ...] = ()
    bound: float | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as a dict that `json.dumps` accepts."""
        found = dataclasses.asdict(dataclasses.replace(self, steps=()))
        return {**found, "steps": [step.to_dict() for step in self.steps]}

    def __str__(self) -> str:
        """Return the verdict, followed by the evidence."""
        return self.text()

    def text(self, where: str = "", told: Callable[[str], str] = str) -> str:
        """Return the same; `where` ends the lines that count what is left out, such as "with --json".

        `told` says a hint, a note or a warning in another way, as in `SafeLoadError.text`.
        """
        lines = [one_line(self.verdict)]
        printed: set[str] = set()
        for step in self.steps:
            lines.append(f"  {step.status:<8}{step.title}: {one_line(step.finding)} ({step.seconds:.2f} s)")
            if step.error and step.error not in printed:
                text = step.raised.text(where, told) if step.raised and where else step.error
                lines += [f"          {line}" for line in text.splitlines()[1:]]
            printed.add(step.error)
        if self.bound is not None:
            lines += [f"  {line}" for line in table(self.layers, self.bound)]
        lines += [] if self.layers else self._differences(where)
        lines += [f"  note    {one_line(told(note))}" for note in self.notes]
        warnings = self.report.warnings if self.report else ()
        lines += [f"  warning {one_line(told(warning))}" for warning in warnings]
        return plain("\n".join(lines))

    def _differences(self, where: str) -> list[str]:
        lines = []
        for each in self.differences[:MAX_PRINTED]:
            far = "in shape or NaN" if each.max_abs is None else f"by up to {each.max_abs:.3g}"
            lines.append(f"  differs {one_line(each.variable)}: {' and '.join(each.between)}, {far}")
        left = len(self.differences) - MAX_PRINTED
        if left > 0:
            lines.append(f"  ... and {left} more {where or 'in diagnosis.differences'}")
        return lines


class Way(NamedTuple):
    """A way to load a model.

    Attributes:
        name: The name of its step.
        title: The same in words.
        party: What is at fault if this way alone goes wrong.
        compared: What of its model is compared with the other ways'.
    """

    name: str
    title: str
    party: AtFault
    compared: str = "variable and output"


class Subject(NamedTuple):
    """What the diagnoses of the two models differ in.

    Attributes:
        call: safeload's load.
        packages: The title of the step that imports the packages.
        ways: The ways to load, in order: that of the library that safeload is compared with is the first, safeload's are
            the last.
        library: The name of that library.
        config_word: The name of the config in messages.
    """

    call: str
    packages: str
    ways: tuple[Way, ...]
    library: str
    config_word: str

    @property
    def titles(self) -> dict[str, str]:
        """The title of each step, in order."""
        first = {CHECK: "safeload's check of the files", BACKEND: self.packages}
        return {**first, **{way.name: way.title for way in self.ways}}

    def called(self, party: AtFault) -> str:
        """Return the name of a party in a sentence."""
        return self.library if party == self.ways[0].party else party

    def advice(self, party: AtFault) -> str:
        """Return what ends the verdict when a party is at fault."""
        return {
            self.ways[0].party: f"; safeload.{self.call} reads it correctly",
            "safeload": "; please report it",
        }.get(party, "")


def judge(
    subject: Subject, steps: Sequence[Step], differences: Sequence[Difference], unproven: Sequence[str] = ()
) -> tuple[AtFault, str]:
    """Return what is at fault, and the verdict in one sentence.

    Args:
        subject: The ways to load.
        steps: Every step; one of the loads is skipped where it cannot load this model, whatever its files hold.
        differences: What the loads disagree on.
        unproven: The settings that no file of the model can confirm.
    """
    by_name = {step.name: step for step in steps}
    check, backend = by_name[CHECK], by_name[BACKEND]
    if check.status == "failed":
        is_quiet = by_name[subject.ways[0].name].status == "ok"
        quietly = f"; {subject.library} loads them without an error" if is_quiet else ""
        return "files", f"the files are at fault: {check.finding}{quietly}"
    if backend.status == "failed":
        return "versions", f"the files are good and the versions are at fault: {backend.finding}"
    loads = _Loads(subject, by_name, differences)
    if loads.run and loads.agree(loads.run):
        beyond = _beyond_proof(subject, unproven)
        return "nothing", f"nothing is at fault: {loads.agreement()}; {beyond}"
    suspects = [party for party in dict.fromkeys(way.party for way in loads.run) if loads.agree_without(party)]
    if len(suspects) == 1:
        party = suspects[0]
        verdict = f"the files are good and {subject.called(party)} is at fault: {loads.oddity(party)}"
        return party, verdict + subject.advice(party)
    why = "; ".join(loads.reason(way) for way in loads.run)
    return "unknown", f"the files are good, and {loads.disagreement()}: {why}"


def _beyond_proof(subject: Subject, unproven: Sequence[str]) -> str:
    listed = " and ".join(part for part in (", ".join(unproven[:-1]), *unproven[-1:]) if part)
    settings = f"{listed} of the {subject.config_word}, nor " if unproven else ""
    return f"no loader can prove {settings}how the text was tokenised"


class _Loads:
    """The ways that were run, and what they agree on."""

    def __init__(self, subject: Subject, by_name: dict[str, Step], differences: Sequence[Difference]) -> None:
        self._subject, self._steps, self._differences = subject, by_name, differences
        self.run = [way for way in subject.ways if by_name[way.name].status != "skipped"]

    def agree(self, ways: Sequence[Way]) -> bool:
        """Return whether all of these ways load, and no two of them differ."""
        names = {way.name for way in ways}
        differ = any(names.issuperset(each.between) for each in self._differences)
        return not differ and not any(map(self._fails, ways))

    def agree_without(self, party: AtFault) -> bool:
        """Return whether all ways of the others agree."""
        return self.agree([way for way in self.run if way.party != party])

    def oddity(self, party: AtFault) -> str:
        """Return what a party does wrong."""
        mine = [way for way in self.run if way.party == party]
        others = [way for way in self.run if way.party != party]
        right = [way for way in mine if self.agree([way, *others])]
        wrong = [way for way in mine if way not in right or not self.agree(right)]
        n_others = len(self.run) - len(wrong)
        agree = "" if n_others < 2 else f", and the {'two ' if n_others == 2 else ''}others agree"  # noqa: PLR2004
        return " and ".join(map(self.reason, wrong)) + agree

    def reason(self, way: Way) -> str:
        """Return what a way does."""
        step = self._steps[way.name]
        if self._fails(way):
            return f"{way.title} fails ({step.finding})"
        variables = sorted({each.variable for each in self._differences if way.name in each.between})
        if not variables:
            return f"{way.title} succeeds"
        n_more = len(variables) - 1
        return f"{way.title} differs in {variables[0]}" + (f" and {n_more} more" if n_more else "")

    def agreement(self) -> str:
        """Return what agrees, and what was not compared."""
        subject = self._subject
        others = [way for way in subject.ways if way.party != SAFELOAD]
        skipped = [way for way in others if way not in self.run]
        if not skipped:
            return f"the files, the versions and {subject.library} agree on every {others[0].compared}"
        agrees = [f", and agrees with {way.title} on every {way.compared}" for way in others if way in self.run]
        findings = {self._steps[way.name].finding for way in skipped}
        if len(findings) == 1:
            left = f"{' and '.join(way.title for way in skipped)} ({findings.pop()})"
        else:
            left = " and ".join(f"{way.title} ({self._steps[way.name].finding})" for way in skipped)
        good = f"the files and the versions are good, and {SAFELOAD} loads the model"
        return f"{good}{''.join(agrees)}; not compared with {left}"

    def disagreement(self) -> str:
        """Return how far the ways disagree."""
        pairs = [[one, two] for number, one in enumerate(self.run) for two in self.run[number + 1 :]]
        return "the loads disagree" if any(map(self.agree, pairs)) else "no two loads agree"

    def _fails(self, way: Way) -> bool:
        return self._steps[way.name].status == "failed"
