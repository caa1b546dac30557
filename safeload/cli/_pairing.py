"""Pair the tensors of two weight files by name, under the scopes that fit best."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MAX_SCOPE_PARTS = 16
"""The most parts of a scope; without a limit, a name of slashes would take quadratic time."""


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """The tensors of two files, each in one of the lists.

    Attributes:
        scopes: The scope before the common names, in each file.
        both: The names of the tensors that both have: in the first file, and in the second.
        first_only: The other names in the first file.
        second_only: The other names in the second file.
    """

    scopes: tuple[str, str]
    both: list[tuple[str, str]]
    first_only: list[str]
    second_only: list[str]


def pair(a: Collection[str], b: Collection[str]) -> Pairing:
    """Pair the names of two files; names outside the scopes are paired where they are equal."""
    scopes = _scopes(a, b)
    by_a, by_b = _without_scope(a, scopes[0]), _without_scope(b, scopes[1])
    both = [(name, by_b[key]) for key, name in by_a.items() if key in by_b]
    return _of(a, b, both, scopes)


def pair_rest(
    a: Collection[str], b: Collection[str], known: Iterable[tuple[str, str]], scopes: tuple[str, str]
) -> Pairing:
    """Complete the pairs of two encoders' parameters by names that are equal under, or beside, the encoders' scopes."""
    both = dict(known)
    free = set(b).difference(both.values())
    starts = [scopes, (_around(scopes[0]), _around(scopes[1])), ("", "")]
    for start_a, start_b in starts:
        for name in a:
            other = start_b + name.removeprefix(start_a)
            if name not in both and name.startswith(start_a) and other in free:
                both[name] = other
                free.remove(other)
    return _of(a, b, [(name, both[name]) for name in a if name in both], _without_common(scopes))


def _around(scope: str) -> str:
    """Return the parent of a scope."""
    inner = scope.rstrip("/.")
    return scope[: max(inner.rfind("/"), inner.rfind(".")) + 1]


def _without_common(scopes: tuple[str, str]) -> tuple[str, str]:
    """Return the scopes without the end that both have, if nothing but it is in one of them."""
    a, b = scopes
    if a == b:
        return "", ""
    if a and b.endswith(("/" + a, "." + a)):
        return "", b.removesuffix(a)
    if b and a.endswith(("/" + b, "." + b)):
        return a.removesuffix(b), ""
    return scopes


def _of(a: Collection[str], b: Collection[str], both: list[tuple[str, str]], scopes: tuple[str, str]) -> Pairing:
    paired_a, paired_b = {name for name, _ in both}, {name for _, name in both}
    return Pairing(
        scopes=scopes,
        both=both,
        first_only=[name for name in a if name not in paired_a],
        second_only=[name for name in b if name not in paired_b],
    )


def _without_scope(names: Collection[str], scope: str) -> dict[str, str]:
    """Return the name without the scope -> the name; a name under the scope comes before an equal one outside it."""
    inside = {name.removeprefix(scope): name for name in names if name.startswith(scope)}
    return inside | {name: name for name in names if not name.startswith(scope) and name not in inside}


def _scopes(a: Collection[str], b: Collection[str]) -> tuple[str, str]:
    """Return the scope in either file without which the most names agree; at most one is not empty."""
    known_a, known_b = set(a), set(b)
    best, scopes = len(known_a & known_b), ("", "")
    for names, others, is_second in ((b, known_a, True), (a, known_b, False)):
        for scope, n_common in sorted(_common_by_scope(names, others).items()):
            if n_common > best:
                best, scopes = n_common, ("", scope) if is_second else (scope, "")
    return scopes


def _common_by_scope(names: Collection[str], others: Collection[str]) -> Counter[str]:
    """Count, for each scope, the names that are among the others without it."""
    counts: Counter[str] = Counter()
    lengths = set(map(len, others))
    for name in names:
        at = -1
        for _ in range(MAX_SCOPE_PARTS):
            at = name.find("/", at + 1)
            if at < 0:
                break
            if len(name) - at - 1 in lengths and name[at + 1 :] in others:
                counts[name[: at + 1]] += 1
    return counts
