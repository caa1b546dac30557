"""Expected against found: pure, and the same for variables and datasets."""

from __future__ import annotations

import fnmatch
from collections import Counter
from typing import TYPE_CHECKING

from safeload.report import Problem, TensorSpec, tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def compare(
    expected: Mapping[str, TensorSpec], found: Mapping[str, TensorSpec], *, unexpected: Iterable[str] = ()
) -> list[Problem]:
    """Return every difference, in the order missing, shape, dtype, unexpected, each sorted as given.

    A tensor of another shape is reported once, as that, whatever its dtype.
    """
    missing = [
        Problem(kind="missing", name=name, expected=spec) for name, spec in expected.items() if name not in found
    ]
    extra = [Problem(kind="unexpected", name=name, found=found[name]) for name in unexpected]
    shape = []
    dtype = []
    for name, spec in expected.items():
        other = found.get(name)
        if other is None:
            continue
        if other.shape != spec.shape:
            shape.append(Problem(kind="shape", name=name, expected=spec, found=other))
        elif other.dtype != spec.dtype:
            dtype.append(Problem(kind="dtype", name=name, expected=spec, found=other))
    return [*missing, *shape, *dtype, *extra]


def split_ignored(names: Iterable[str], patterns: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the names that any of the shell-style patterns covers, and the others."""
    ignored: list[str] = []
    left: list[str] = []
    for name in names:
        covered = any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        (ignored if covered else left).append(name)
    return ignored, left


def matched(problems: Sequence[Problem], expected: Mapping[str, TensorSpec], noun: str) -> str:
    """Return the counts of a comparison: "36 of 37 variables match, 1 wrong shape"."""
    kinds = Counter(problem.kind for problem in problems)
    n_wrong = kinds["missing"] + kinds["shape"] + kinds["dtype"]
    counts = tally(
        [
            (kinds["missing"], "missing"),
            (kinds["unexpected"], "unexpected"),
            (kinds["shape"], "wrong shape"),
            (kinds["dtype"], "wrong dtype"),
        ]
    )
    return f"{len(expected) - n_wrong} of {len(expected)} {noun} match, {counts}"


def size_claims(expected: Mapping[str, TensorSpec], found: Mapping[str, TensorSpec]) -> dict[str, tuple[int, int]]:
    """Return the config keys whose sizes the file contradicts everywhere: key -> (the config's size, the file's).

    A dimension that is a multiple of a key, written "2*key", counts for the key where it is the same multiple.
    """
    claims: dict[str, Counter[tuple[int, int]]] = {}
    for name, spec in expected.items():
        other = found.get(name)
        if other is None or len(other.shape) != len(spec.shape):
            continue
        for text, wanted, size in zip(spec.size_keys, spec.shape, other.shape, strict=True):
            times, _, key = text.rpartition("*")
            factor = int(times or 1)
            if key and size % factor == 0:
                claims.setdefault(key, Counter())[wanted // factor, size // factor] += 1
    return {
        key: sizes.most_common(1)[0][0]
        for key, sizes in claims.items()
        if not any(wanted == size for wanted, size in sizes)
    }
