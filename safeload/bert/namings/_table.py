"""Match names by a table of Google's names and another library's."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from safeload._compare import NUMBER
from safeload._naming import BUFFERS, OTHER, TASK, Change, Naming
from safeload.bert._parameters import FIRST_VARIABLE, HEAD, template_of
from safeload.bert.namings.google import SCOPE, buffer_named

if TYPE_CHECKING:
    from collections.abc import Collection

    from safeload._naming import Buffer
    from safeload.report import TensorSpec

POOLER, HEADS = "pooler", "heads"


class Row(NamedTuple):
    """One parameter, or the same parameter of every layer, with `{}` for the layer's number.

    Attributes:
        parameter: Google's name.
        names: The names in the file, of which it has one; a parameter may have several rows, for several changes.
        change: The change of the stored values.
    """

    parameter: str
    names: tuple[str, ...]
    change: Change = "same"


class Table(Naming):
    """Names by a table; those of the heads stand beside the encoder's scope.

    Attributes:
        separator: What is between the parts of a name.
        rows: The names of the parameters.
        copies: Name, without the scope -> the parameter of which it must be a copy.
        buffers: Name, without the scope -> the buffer's in Google's checkpoints.
        inside: The first parts of the names inside the encoder's scope.
        heads: The first parts of the names of the heads.
    """

    separator: ClassVar[str]
    rows: ClassVar[tuple[Row, ...]]
    copies: ClassVar[dict[str, str]] = {}
    buffers: ClassVar[dict[str, str]] = {}
    inside: ClassVar[tuple[str, ...]] = ("embeddings", "encoder", "pooler")
    heads: ClassVar[tuple[str, ...]] = ("cls",)

    @cached_property
    def _by_parameter(self) -> dict[str, list[tuple[str, Change]]]:
        found: dict[str, list[tuple[str, Change]]] = {}
        for row in self.rows:
            found.setdefault(row.parameter, []).extend((name, row.change) for name in row.names)
        return found

    @cached_property
    def _by_name(self) -> dict[str, str]:
        return {name: row.parameter for row in self.rows for name in row.names}

    @cached_property
    def _numbered(self) -> re.Pattern[str]:
        """Match the name of a variable of a layer; the group is its number."""
        starts = {name.partition("{}")[0] for row in self.rows for name in row.names if "{}" in name}
        return re.compile("(?:" + "|".join(map(re.escape, sorted(starts))) + f"){NUMBER}(?![0-9])")

    def scopes(self, names: Collection[str]) -> list[str]:
        """Return the prefix of the name of the word embeddings."""
        firsts = [name for name, _ in self._by_parameter[FIRST_VARIABLE]]
        return sorted(
            {
                name.removesuffix(first)
                for name in names
                for first in firsts
                if name == first or name.endswith(self.separator + first)
            }
        )

    def stored_as(self, parameter: str, scope: str, names: Collection[str] = ()) -> tuple[str, Change]:
        """Return the name of a parameter in the file, and the change of its values; other heads keep their own names."""
        template, number = template_of(parameter)
        if template not in self._by_parameter:
            return self._before_head(parameter, scope) + parameter, "same"
        is_inside = parameter.startswith(SCOPE)
        listed = [
            ((scope if is_inside else self._before_head(name, scope)) + name.replace("{}", number, 1), change)
            for name, change in self._by_parameter[template]
        ]
        return next((each for each in listed if each[0] in names), listed[0])

    def canonical(self, name: str, scope: str) -> str:
        """Return Google's name of a parameter; other names, and those of copies, stay as they are."""
        inner = self._inner(name, scope)
        if inner in self.copies:
            return name
        found = self._by_name.get(inner)
        if found is None and (layer := self._numbered.match(inner)):
            start, end = layer.span(1)
            found = self._by_name.get(f"{inner[:start]}{{}}{inner[end:]}")
            found = found and found.replace("{}", layer[1], 1)
        return found or name

    def shown(self, name: str, scope: str) -> str:
        """Return the stored name of a parameter."""
        return self.stored_as(name, scope)[0] if template_of(name)[0] in self._by_parameter else name

    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a tensor that a load does not read.

        Unexpected are encoder layers beyond the config, and unknown names in the encoder.
        """
        del spec
        inner, found = self._inner(name, scope), self.canonical(name, scope)
        if inner in self.buffers:
            return BUFFERS
        if self._is_inside(name, scope):
            return POOLER if found.startswith("bert/pooler/") else ""
        if self._is_of_heads(inner):
            return HEADS
        return OTHER if self._in_an_encoder(inner) else TASK

    def copy_of(self, name: str, scope: str, expected: Collection[str]) -> str | None:
        """Return the parameter of which a tensor must be a copy; copies in the heads count if the load reads the heads."""
        inner = self._inner(name, scope)
        parameter = self.copies.get(inner)
        counts = parameter in expected and (HEAD in expected or not self._is_of_heads(inner))
        return parameter if counts else None

    def buffer_of(self, name: str) -> Buffer | None:
        """Return the buffer with a stored name."""
        return next((buffer_named(ours) for theirs, ours in self.buffers.items() if name.endswith(theirs)), None)

    def _inner(self, name: str, scope: str) -> str:
        return name.removeprefix(scope if self._is_inside(name, scope) else self._before_head(name, scope))

    def _is_inside(self, name: str, scope: str) -> bool:
        return name.startswith(scope or tuple(f"{part}{self.separator}" for part in self.inside))

    def _before_head(self, name: str, scope: str) -> str:
        """Return the prefix of the name of a head: the scope that contains the encoder's."""
        del name
        return scope[: scope.rstrip(self.separator).rfind(self.separator) + 1]

    def _is_of_heads(self, inner: str) -> bool:
        return inner.partition(self.separator)[0] in self.heads

    def _in_an_encoder(self, inner: str) -> bool:
        return any(part in self.inside for part in inner.split(self.separator)[:-1])
