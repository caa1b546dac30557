"""Match the names that Keras gives the weights of a model's layers, which have the layer's number in one or more places."""

from __future__ import annotations

import re
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from safeload._compare import NUMBER
from safeload._naming import OTHER, TASK, TRAINING, Change, Naming
from safeload.bert._parameters import FIRST_VARIABLE, count_layers, template_of
from safeload.bert.namings._table import HEADS, POOLER, Row

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from safeload.report import TensorSpec

_FIRST_NUMBER = re.compile(NUMBER)
OF_TRAINING = ("optimizer_weights", "optimizer", "metrics")
_LAST_NORM = "{last}"
_VARS = "/vars"


def fields(number: int) -> dict[str, object]:
    """Return the text for the number of an encoder's layer, from 0, in a name.

    `at` counts from 1; `nth` is what Keras adds to the name of a class for its objects after the first; `one` and `two` are
    the numbers of the layer's LayerNorms.
    """
    return {
        "at": number + 1,
        "nth": f"_{number}" if number else "",
        "one": 2 * number + 1,
        "two": 2 * number + 2,
        "number": number,
    }


class Layers(Naming):
    """Names of Keras's layers, by a table; each row has one name.

    Attributes:
        rows: The names of the parameters, with `fields` in braces.
        inside: The beginnings of the names of the encoder.
        norms: The beginning of names whose place alone says whether they belong to a layer or to a head; "" for none.
        recorded: Group, with `fields` in braces -> the name that the layer has where its writer recorded it.
        moved: Group -> the group that the layer has in this file, where it is another.
    """

    rows: ClassVar[tuple[Row, ...]]
    inside: ClassVar[tuple[str, ...]]
    norms: ClassVar[str] = ""
    recorded: ClassVar[Mapping[str, str]] = {}
    moved: Mapping[str, str] = MappingProxyType({})

    def scopes(self, names: Collection[str]) -> list[str]:
        """Return the prefix of the name of the word embeddings."""
        first = self.stored_as(FIRST_VARIABLE, "")[0]
        return sorted({name.removesuffix(first) for name in names if name == first or name.endswith(f"/{first}")})

    def stored_as(self, parameter: str, scope: str, names: Collection[str] = ()) -> tuple[str, Change]:
        """Return the name of a parameter in the file, and the change of its values; others than the rows' keep Google's."""
        template, number = template_of(parameter)
        row = self._by_parameter.get(template)
        if row is None:
            return parameter, "same"
        last = {"last": self._last_norm(scope, names)} if _LAST_NORM in row.names[0] else {}
        return scope + self._moved(row.names[0].format(**fields(int(number or 0)), **last)), row.change

    def canonical(self, name: str, scope: str) -> str:
        """Return Google's name of a parameter; other names stay as they are."""
        inner = self._unmoved(name.removeprefix(scope))
        found = _FIRST_NUMBER.search(inner)
        numbers = {0, int(found[1]), int(found[1]) - 1} if found else {0}
        for row in self.rows:
            if not (self.norms and row.names[0].startswith(self.norms)):
                for number in numbers if "{" in row.parameter else (0,):
                    if row.names[0].format(**fields(number)) == inner:
                        return row.parameter.format(number)
        return name

    def shown(self, name: str, scope: str) -> str:
        """Return the stored name of a parameter, if its number does not depend on the file."""
        row = self._by_parameter.get(template_of(name)[0])
        return name if row is None or _LAST_NORM in row.names[0] else self.stored_as(name, scope)[0]

    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a tensor that a load does not read.

        Unexpected are encoder layers beyond the config, and unknown names in the encoder.
        """
        del spec
        if name.partition("/")[0] in OF_TRAINING:
            return TRAINING
        if not name.startswith(scope):
            return OTHER
        found, inner = self.canonical(name, scope), self._unmoved(name.removeprefix(scope))
        if not inner:
            return TASK
        if found.startswith("cls/") or (self.norms and inner.startswith(self.norms)):
            return HEADS
        if found.startswith("bert/pooler/"):
            return POOLER
        return "" if found != name or inner.startswith(self.inside) else TASK

    def labels(self, expected: Collection[str], scope: str, names: Collection[str]) -> dict[str, str]:
        """Return group -> the name of its layer, as the writer records it where it does, for the layers that are read."""
        found = {}
        last = self._last_norm(scope, names)
        for parameter in expected:
            template, number = template_of(parameter)
            if template not in self._by_parameter:
                continue
            for group, label in self.recorded.items():
                if self._by_parameter[template].names[0].startswith(group.removesuffix("vars")):
                    filled = {**fields(int(number or 0)), "last": last}
                    found[scope + self._moved(group.format(**filled))] = label.format(**filled)
        return found

    def _moved(self, inner: str) -> str:
        """Return the name in this file."""
        group, separator, rest = inner.partition(_VARS)
        return self.moved.get(group, group) + separator + rest

    def _unmoved(self, inner: str) -> str:
        """Return the name that a tensor would have without layers of others; "" if it has the place of another layer."""
        group, separator, rest = inner.partition(_VARS)
        first = next((first for first, now in self.moved.items() if now == group), None)
        if first is None and group in self.moved:
            return ""
        return (first or group) + separator + rest

    @cached_property
    def _by_parameter(self) -> dict[str, Row]:
        return {row.parameter: row for row in self.rows}

    def _last_norm(self, scope: str, names: Collection[str]) -> int:
        """Return the number of the MLM head's LayerNorm, which comes after those of all layers."""
        return 2 * count_layers(self, scope, names) + 1
