"""Compare two weight files: names, shapes, dtypes and values."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table
from rich.text import Text

from safeload._compare import compare
from safeload._text.words import counted
from safeload.cli import _console
from safeload.cli._weights import Weights, open_given
from safeload.errors import SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from safeload.report import Problem

SCHEMA = "safeload-diff/1"
FINE_TUNED_BELOW = 0.5
"""Relative distance below which weights count as fine-tuned; it is about 1.4 between unrelated weights."""

MAX_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class ValueDifference:
    """How the values of one tensor differ.

    Attributes:
        name: Its name in the first file.
        n_different: Number of values that differ; NaN equals NaN.
        count: Number of values.
        max_abs: Largest absolute difference of finite values; None for types that are not numbers.
        distance: Norm of the difference divided by the norm of the first; None if that is 0.
    """

    name: str
    n_different: int
    count: int
    max_abs: float | None
    distance: float | None


@dataclass(frozen=True, kw_only=True)
class FileDifference:
    """How two weight files differ.

    Attributes:
        verdict: The conclusion in one sentence.
        is_same: Whether both hold the same weights, damaged or not.
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


def run(first: str, second: str, *, as_json: bool) -> int:
    """Print how two weight files differ, and return the exit code."""
    try:
        with closing(open_given(first)) as a, closing(open_given(second)) as b:
            found = difference(a, b)
            paths = (a.file.ref.path, b.file.ref.path)
    except SafeLoadError as exc:
        _console.print_error(exc, as_json=as_json)
        return 2
    if as_json:
        _console.print_json(_as_dict(found, paths))
    else:
        _print(found, paths)
    return 0 if found.is_same else 1


def difference(a: Weights, b: Weights) -> FileDifference:
    """Compare two open weight files."""
    scopes = _scopes(list(a.tensors), list(b.tensors))
    of_a, of_b = (
        {name.removeprefix(scope): tensor for name, tensor in weights.tensors.items() if name.startswith(scope)}
        for weights, scope in zip((a, b), scopes, strict=True)
    )
    specs_a, specs_b = ({name: tensor.spec for name, tensor in of.items()} for of in (of_a, of_b))
    problems = compare(specs_a, specs_b, unexpected=[name for name in specs_b if name not in specs_a])
    common = [name for name in specs_a if name in specs_b and specs_a[name].shape == specs_b[name].shape]
    same_type = [name for name in common if specs_a[name].dtype == specs_b[name].dtype]
    changed, faults, n_unread = [], [], 0
    with _console.progress(_console.console(), len(same_type), "comparing") as advance:
        for number, name in enumerate(same_type, 1):
            (left, fault_a), (right, fault_b) = a.file.look(scopes[0] + name), b.file.look(scopes[1] + name)
            pairs = (("first", fault_a), ("second", fault_b))
            faults += [f"{which:<12} {name}: {fault}" for which, fault in pairs if fault]
            if left is None or right is None:
                n_unread += 1
            elif each := _values_differ(scopes[0] + name, left, right, specs_a[name].dtype):
                changed.append(each)
            advance(number)
    changed.sort(key=lambda each: -(each.distance if each.distance is not None else np.inf))
    n_equal = len(same_type) - len(changed) - n_unread
    verdict = _verdict(scopes, problems, n_equal, changed)
    verdict += f"; the values of {counted(n_unread, 'tensor')} could not be compared" if n_unread else ""
    return FileDifference(
        verdict=verdict,
        is_same=not (problems or changed or n_unread),
        scopes=scopes,
        problems=problems,
        n_equal=n_equal,
        changed=changed,
        faults=faults,
    )


def _scopes(a: list[str], b: list[str]) -> tuple[str, str]:
    """Return the scope in either file without which the most names agree; at most one is not empty."""
    best, scopes = len(set(a) & set(b)), ("", "")
    for names, others in ((b, set(a)), (a, set(b))):
        for scope in sorted({name[: at + 1] for name in names for at, c in enumerate(name) if c == "/"}):
            n_common = sum(name.startswith(scope) and name.removeprefix(scope) in others for name in names)
            if n_common > best:
                best, scopes = n_common, ("", scope) if names is b else (scope, "")
    return scopes


def _values_differ(name: str, a: NDArray[Any], b: NDArray[Any], dtype: str) -> ValueDifference | None:
    unequal = (a != b) & ~((a != a) & (b != b))  # noqa: PLR0124  (NaN is unequal to itself)
    n_different = int(np.count_nonzero(unequal))
    if not n_different:
        return None
    if a.dtype.kind not in "fiu" or a.dtype.name != dtype:
        return ValueDifference(name=name, n_different=n_different, count=a.size, max_abs=None, distance=None)
    with np.errstate(all="ignore"):
        step = b.astype(np.float64) - a.astype(np.float64)
        finite = step[np.isfinite(step)]
        norm = float(np.linalg.norm(a[np.isfinite(step)].astype(np.float64)))
    return ValueDifference(
        name=name,
        n_different=n_different,
        count=a.size,
        max_abs=float(np.abs(finite).max()) if finite.size else None,
        distance=float(np.linalg.norm(finite)) / norm if norm else None,
    )


def _verdict(
    scopes: tuple[str, str], problems: Sequence[Problem], n_equal: int, changed: Sequence[ValueDifference]
) -> str:
    n_common = n_equal + len(changed)
    if not n_common:
        return "nothing in common: no tensor has the same name, shape and dtype in both"
    other = f", under another scope ({scopes[0]!r} and {scopes[1]!r})" if any(scopes) else ""
    also = f"; {counted(len(problems), 'tensor')} in one file only, or of another shape or dtype" if problems else ""
    if not changed:
        return f"the same weights{other}: {counted(n_equal, 'tensor')} equal{also}"
    known = [each.distance for each in changed if each.distance is not None]
    typical = float(np.median(known)) if known else np.inf
    if typical < FINE_TUNED_BELOW:
        what = "one is fine-tuned from the other, or both from a third"
    elif n_equal > len(changed):
        what = "the same weights except for a few tensors"
    else:
        what = "unrelated weights of the same shapes"
    return (
        f"{what}{other}: {counted(len(changed), 'tensor')} differ{'s' * (len(changed) == 1)}, {n_equal:,} equal, "
        f"typical relative distance {typical:.2g}{also}"
    )


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
    _console.line(out, (found.verdict, _console.OK if found.is_same else "bold"))
    for label, path in zip(("first", "second"), paths, strict=True):
        _console.line(out, f"  {label + ':':<8}{path}")
    for problem in found.problems[:MAX_ROWS]:
        title = {"missing": "first only", "unexpected": "second only"}.get(problem.kind, f"other {problem.kind}")
        specs = [str(spec) for spec in (problem.expected, problem.found) if spec is not None]
        _console.line(out, f"  {title:<12} {_console.visible(problem.name)}  ", (" -> ".join(specs), _console.NOTE))
    _print_rest(out, len(found.problems))
    for fault in found.faults[:MAX_ROWS]:
        _console.line(out, ("  damaged", _console.BAD), f"      {_console.visible(fault)}")
    _print_rest(out, len(found.faults))
    if found.changed:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=_console.NOTE)
        table.add_column("  values differ", overflow="fold", min_width=30)
        titles = ["max abs", "relative"] + ["how many"] * (out.width >= _console.WIDE)
        for title in titles:
            table.add_column(title, justify="right", no_wrap=True)
        for each in found.changed[:MAX_ROWS]:
            numbers = ["-" if value is None else f"{value:.3g}" for value in (each.max_abs, each.distance)]
            table.add_row(
                Text(f"  {_console.visible(each.name)}"),
                *[*numbers, f"{each.n_different:,} of {each.count:,}"][: len(titles)],
            )
        out.print(table, soft_wrap=False)
        _print_rest(out, len(found.changed))


def _print_rest(out: Any, count: int) -> None:  # noqa: ANN401  (a console)
    if count > MAX_ROWS:
        _console.line(out, (f"  ... and {count - MAX_ROWS:,} more: --json has all", _console.NOTE))
