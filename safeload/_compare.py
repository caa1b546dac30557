"""Compare expected and stored tensor specs."""

from __future__ import annotations

import fnmatch
from collections import Counter
from typing import TYPE_CHECKING

from safeload._text.words import tally
from safeload.report import Problem, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence


def compare(
    expected: Mapping[str, TensorSpec],
    found: Mapping[str, TensorSpec],
    *,
    unexpected: Iterable[str] = (),
    widened: Collection[str] = (),
) -> list[Problem]:
    """Compare specs: list missing tensors, then wrong shapes, wrong dtypes and unexpected tensors.

    Where float32 is expected, the types in `widened` are no problem.
    A tensor with a wrong shape and a wrong dtype is listed once, under shape.
    """
    missing = [
        Problem(kind="missing", name=name, expected=spec) for name, spec in expected.items() if name not in found
    ]
    extra = [Problem(kind="unexpected", name=name, found=found[name]) for name in unexpected]
    shape = []
    dtype = []
    for name, spec in expected.items():
        other = found.get(name, spec)
        if other.shape != spec.shape:
            shape.append(Problem(kind="shape", name=name, expected=spec, found=other))
        elif other.dtype != spec.dtype and not (spec.dtype == "float32" and other.dtype in widened):
            dtype.append(Problem(kind="dtype", name=name, expected=spec, found=other))
    return [*missing, *shape, *dtype, *extra]


def split_ignored(names: Iterable[str], patterns: Iterable[str]) -> tuple[list[str], list[str]]:
    """Split names into those that a shell-style pattern matches, and the others."""
    ignored: list[str] = []
    left: list[str] = []
    for name in names:
        covered = any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        (ignored if covered else left).append(name)
    return ignored, left


def matched(problems: Sequence[Problem], expected: Mapping[str, TensorSpec], noun: str) -> str:
    """Summarise a comparison: "36 of 37 variables match, 1 wrong shape"."""
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


MAX_DIGITS = 5
NUMBER = rf"([0-9]{{1,{MAX_DIGITS}}})"
"""Matches the number of a layer in a name; a name may hold any number of digits."""


def size_claims(expected: Mapping[str, TensorSpec], found: Mapping[str, TensorSpec]) -> dict[str, tuple[int, int]]:
    """Find config keys whose size differs in every tensor: key -> (size in the config, size in the file).

    A dimension written "2*key" counts for the key if the stored size is divisible by 2.
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


def size_hint(key: str, wanted: int, size: int, *, config: str, weights: str, path: str) -> str:
    """Return the hint for a size that differs: the key, the value to set and the file to set it in."""
    return (
        f"{key} is {wanted} in the {config} but {size} in the {weights}; "
        f'to load this {weights}, set "{key}": {size} in {path}'
    )
