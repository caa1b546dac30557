"""Match stored tensors with a model's parameters, and compare expected and stored specs."""

from __future__ import annotations

import fnmatch
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from safeload._text.words import tally
from safeload.report import Problem, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

Change = Literal["same", "transposed"]
"""How stored values are changed to become a parameter."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """The mapping of a model's parameters to the names in a weight file.

    Attributes:
        scope: The prefix of every name in the file; may be "".
        stored: Parameter -> stored name.
        changes: Parameter -> the change of its stored values.
        unused: Class -> names, without the scope, of known tensors that this load does not need.
        unexpected: Names, without the scope, of unknown tensors.
        ignored: Names in `unexpected` that the caller chose to ignore.
    """

    scope: str
    stored: Mapping[str, str]
    changes: Mapping[str, Change]
    unused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unexpected: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def values(self, stored: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return parameter -> values from stored name -> values."""
        return {
            name: stored[self.stored[name]].T if change == "transposed" else stored[self.stored[name]]
            for name, change in self.changes.items()
        }


class Naming(ABC):
    """A convention for naming a model's parameters in weight files.

    Attributes:
        id: The name of the convention in tables and reports.
    """

    id: ClassVar[str]

    @abstractmethod
    def scopes(self, names: Collection[str]) -> list[str]:
        """Return the scopes, sorted, under which these names contain the model."""

    @abstractmethod
    def sort_unused(self, names: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
        """Split names that a load does not read into known ones, by class, and unexpected ones."""

    def stored_as(self, parameter: str) -> tuple[str, Change]:
        """Return the name of a parameter in the file, without the scope, and the change of its values."""
        return parameter, "same"

    def match(
        self, expected: Mapping[str, TensorSpec], stored: Mapping[str, TensorSpec], scope: str
    ) -> tuple[Match, dict[str, TensorSpec]]:
        """Match stored tensors with parameters.

        Returns:
            The match, and parameter or name without scope -> stored spec.
        """
        rows = {parameter: self.stored_as(parameter) for parameter in expected}
        parameters = {name: parameter for parameter, (name, _) in rows.items()}
        found = {}
        for full_name, spec in sorted(stored.items(), key=lambda item: item[0].startswith(scope)):
            name = full_name.removeprefix(scope)
            parameter = parameters.get(name)
            if parameter is None:
                found[name] = spec
            elif full_name.startswith(scope):
                is_turned = rows[parameter][1] == "transposed"
                found[parameter] = replace(spec, shape=spec.shape[::-1]) if is_turned else spec
        unused, unexpected = self.sort_unused(name for name in found if name not in expected)
        match = Match(
            scope=scope,
            stored={parameter: scope + name for parameter, (name, _) in rows.items()},
            changes={parameter: change for parameter, (_, change) in rows.items()},
            unused={what: tuple(names) for what, names in unused.items()},
            unexpected=tuple(unexpected),
        )
        return match, found


def compare(
    expected: Mapping[str, TensorSpec], found: Mapping[str, TensorSpec], *, unexpected: Iterable[str] = ()
) -> list[Problem]:
    """Compare specs: list missing tensors, then wrong shapes, wrong dtypes and unexpected tensors.

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
        elif other.dtype != spec.dtype:
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
