"""Compare two weight files: names, shapes, dtypes and values."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from safeload._boundary import typed_errors
from safeload._compare import compare
from safeload._forms.look import count_non_finite
from safeload._text.progress import progress
from safeload._text.words import counted
from safeload.cli import _console
from safeload.cli._renaming import paired
from safeload.cli._values import ValueDifference, values_differ
from safeload.cli._weights import open_given
from safeload.errors import SafeLoadError
from safeload.report import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from safeload.cli._pairing import Pairing
    from safeload.cli._renaming import Side

SCHEMA = "safeload-diff/1"
FINE_TUNED_BELOW = 0.5
"""Relative distance below which weights count as fine-tuned; it is about 1.4 between unrelated weights."""

MAX_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class FileDifference:
    """How two weight files differ.

    Attributes:
        verdict: The conclusion in one sentence.
        is_same: Whether every tensor of either file is in the other with the same values, damaged or not.
        scopes: The scope before the common names, in each file.
        problems: Names, shapes and dtypes that differ; "missing" is only in the first file, "unexpected" in the second.
        n_equal: Number of tensors with equal shape, dtype and values.
        changed: Tensors whose values differ, the largest distance first.
        faults: Damaged or unreadable values, one line each.
    """

    verdict: str
    is_same: bool
    scopes: tuple[str, str]
    problems: Sequence[Problem]
    n_equal: int
    changed: Sequence[ValueDifference]
    faults: Sequence[str]


def run(first: str, second: str, *, scope: str | None, as_json: bool) -> int:
    """Print how two weight files differ, and return the exit code."""
    try:
        found, paths = _compare(first, second, scope)
    except SafeLoadError as exc:
        _console.print_error(exc, as_json=as_json)
        return 2
    if as_json:
        _console.print_json(_as_dict(found, paths))
    else:
        _print(found, paths)
    return 0 if found.is_same and not found.faults else 1


@typed_errors
def _compare(first: str, second: str, scope: str | None) -> tuple[FileDifference, tuple[str, str]]:
    with closing(open_given(first)) as a, closing(open_given(second)) as b:
        return difference(*paired(a, b, scope)), (a.file.ref.path, b.file.ref.path)


def difference(a: Side, b: Side, names: Pairing) -> FileDifference:
    """Compare two open weight files; every tensor is read, so that damage is found wherever it is."""
    problems = _problems(a, b, names)
    unfit = {problem.name for problem in problems if problem.kind in ("shape", "dtype")}
    rows = [*names.both, *((name, None) for name in names.first_only), *((None, name) for name in names.second_only)]
    changed: list[ValueDifference] = []
    damage = Damage()
    equal: list[str] = []
    with progress(_console.console(), len(rows), "comparing") as advance:
        for number, (name_a, name_b) in enumerate(rows, 1):
            left = damage.look(a, name_a, "first")
            right = damage.look(b, name_b, "second")
            advance(number)
            if name_a is None or name_b is None or name_a in unfit:
                continue
            if left is None or right is None:
                damage.n_unread += 1
            elif each := values_differ(name_a, left, right, a.tensors[name_a].spec.dtype):
                changed.append(each)
            else:
                equal.append(name_a)
    changed.sort(key=lambda each: -(each.distance if each.distance is not None else np.inf))
    return FileDifference(
        verdict=_verdict(names, _names_text(a, b), problems, len(equal), _relation(a, equal, changed), damage),
        is_same=not (problems or changed or damage.n_unread),
        scopes=names.scopes,
        problems=problems,
        n_equal=len(equal),
        changed=changed,
        faults=damage.faults,
    )


@dataclass
class Damage:
    """The damaged tensors that were met.

    Attributes:
        faults: One line each.
        counts: Which file -> number of its tensors.
        n_unread: The number of tensors of both files that could not be compared.
    """

    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    n_unread: int = 0

    def look(self, side: Side, name: str | None, which: str) -> NDArray[Any] | None:
        """Return a tensor's values, None if they cannot be read, and keep what is wrong with them."""
        if name is None:
            return None
        values, fault = side.look(name)
        if not fault and values is not None and values.dtype.kind == "f" and (n_bad := count_non_finite(values)):
            fault = f"NOT FINITE: {n_bad:,} of {values.size:,} values are NaN or infinite"
        if fault:
            self.faults.append(f"{which:<12} {name}: {fault}")
            self.counts[which] += 1
        return values


def _problems(a: Side, b: Side, names: Pairing) -> list[Problem]:
    specs_a = {name: tensor.spec for name, tensor in a.tensors.items()}
    specs_b = {name_a: b.tensors[name_b].spec for name_a, name_b in names.both}
    extra = [Problem(kind="unexpected", name=name, found=b.tensors[name].spec) for name in names.second_only]
    return [*compare(specs_a, specs_b), *extra]


def _names_text(a: Side, b: Side) -> str:
    return f"{a.naming} and {b.naming}" if a.naming else ""


class Relation(NamedTuple):
    """What the values of two files have to do with each other.

    Attributes:
        what: The relation in words.
        typical: The median distance of the tensors that count.
        n_changed: The number of tensors that differ.
    """

    what: str
    typical: float
    n_changed: int


def _relation(a: Side, equal: Sequence[str], changed: Sequence[ValueDifference]) -> Relation:
    """Return the relation by kernels and tables, if any differ: norms and biases have the same initial values everywhere."""
    kernels = [each for each in changed if len(a.tensors[each.name].spec.shape) > 1]
    counting = kernels or changed
    n_equal = sum(len(a.tensors[name].spec.shape) > 1 for name in equal) if kernels else len(equal)
    known = [each.distance for each in counting if each.distance is not None]
    typical = float(np.median(known)) if known else np.inf
    if typical < FINE_TUNED_BELOW:
        what = "one is fine-tuned from the other, or both from a third"
    elif n_equal > len(counting):
        what = "equal weights except for a few tensors"
    else:
        what = "unrelated weights of equal shapes"
    return Relation(what, typical, len(changed))


def _verdict(
    names: Pairing,
    namings: str,
    problems: Sequence[Problem],
    n_equal: int,
    relation: Relation,
    damage: Damage,
) -> str:
    other = ""
    if any(names.scopes):
        other = f", under another scope ({names.scopes[0]!r} and {names.scopes[1]!r})"
    other += f", under other names ({namings})" if namings else ""
    also = f"; {counted(len(problems), 'tensor')} in one file only, or of another shape or dtype" if problems else ""
    also += f"; the values of {counted(damage.n_unread, 'tensor')} could not be compared" if damage.n_unread else ""
    equal = f"{counted(n_equal, 'tensor')} equal"
    n_changed = relation.n_changed
    counts = f"{counted(n_changed, 'tensor')} differ{'s' * (n_changed == 1)}, {n_equal:,} equal"
    if damage.faults:
        where = " and ".join(
            f"{counted(count, 'tensor')} of the {which} file" for which, count in damage.counts.items()
        )
        return f"damaged: {where}{other}; {counts if n_changed else equal}{also}"
    if not (n_equal or n_changed):
        return (
            f"nothing in common: no tensor has the same name, shape and dtype in both{also if damage.n_unread else ''}"
        )
    if not n_changed:
        return f"{'equal where both have it' if also else 'the same values' if namings else 'the same weights'}{other}: {equal}{also}"
    return f"{relation.what}{other}: {counts}, typical relative distance {relation.typical:.2g}{also}"


def _as_dict(found: FileDifference, paths: tuple[str, str]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "first": paths[0],
        "second": paths[1],
        "verdict": found.verdict,
        "is_same": found.is_same,
        "scopes": list(found.scopes),
        "n_equal": found.n_equal,
        "problems": [{"kind": each.kind, "name": each.name, "text": str(each)} for each in found.problems],
        "faults": list(found.faults),
        "changed": [vars(each) for each in found.changed],
    }


def _print(found: FileDifference, paths: tuple[str, str]) -> None:
    out = _console.console()
    style = _console.BAD if found.faults else _console.OK if found.is_same else "bold"
    _console.line(out, (found.verdict, style))
    for label, path in zip(("first", "second"), paths, strict=True):
        _console.line(out, f"  {label + ':':<8}{path}")
    for fault in found.faults[:MAX_ROWS]:
        _console.line(out, ("  damaged", _console.BAD), f"      {fault}")
    _print_rest(out, len(found.faults))
    for problem in found.problems[:MAX_ROWS]:
        title = {"missing": "first only", "unexpected": "second only"}.get(problem.kind, f"other {problem.kind}")
        specs = [str(spec) for spec in (problem.expected, problem.found) if spec is not None]
        _console.line(out, f"  {title:<12} {problem.name}  ", (" -> ".join(specs), _console.NOTE))
    _print_rest(out, len(found.problems))
    if found.changed:
        columns = [_console.Column("  values differ", is_text=True, is_wide=True)]
        columns += [_console.Column(title) for title in ("max abs", "relative", "how many")]
        columns = columns if out.width >= _console.WIDE else columns[:-1]
        rows = [("", _cells(each)[: len(columns)]) for each in found.changed[:MAX_ROWS]]
        _console.table(out, columns, lambda: rows)
        _print_rest(out, len(found.changed))


def _cells(each: ValueDifference) -> tuple[str, ...]:
    numbers = ["-" if value is None else f"{value:.3g}" for value in (each.max_abs, each.distance)]
    return f"  {each.name}", *numbers, f"{each.n_different:,} of {each.count:,}"


def _print_rest(out: Any, count: int) -> None:  # noqa: ANN401  (a console)
    if count > MAX_ROWS:
        _console.line(out, (f"  ... and {count - MAX_ROWS:,} more: --json has all", _console.NOTE))
