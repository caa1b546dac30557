"""Match names that differ from those in AllenNLP's HDF5 files only in a scope and in the variables of the LSTMs."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from safeload._compare import NUMBER
from safeload._naming import TASK, TRAINING, Change, Naming
from safeload.elmo._parameters import cell_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from safeload.report import TensorSpec

_IN_BILM = r"(?:CNN|CNN_proj|RNN_[01]|char_embed)(?:/|$)"
_CELL = re.compile(rf"RNN_([01])/RNN/MultiRNNCell/Cell{NUMBER}/LSTMCell/(W_0|B|W_P_0)")
_PARAMETER = re.compile(
    rf"CNN/[Wb]_cnn_[0-9]+|CNN_proj/[Wb]_proj|CNN_high_[0-9]+/[Wb]_(?:carry|transform)|char_embed|{_CELL.pattern}"
)
OTHER_BILMS = "other biLMs"
"""The class of the tensors of another biLM in the file."""

_KERNELS = {"W_0": "kernel", "B": "bias", "W_P_0": "projection/kernel"}


class Cells(Naming):
    """Names of a biLM, by the path of the LSTMs' cells.

    Attributes:
        cell: The path of a cell, with the numbers of its direction and layer in braces.
        only_cell: The path of the first cell in a biLM of one layer; "" if the number of layers makes no difference.
        parts: Variable of a cell -> its name.
        training: The first parts of the names, without the scope, of what only training needs.
        has_others: Whether a file may hold another model beside the biLM.
    """

    cell: ClassVar[str]
    only_cell: ClassVar[str] = ""
    parts: ClassVar[Mapping[str, str]] = _KERNELS
    training: ClassVar[tuple[str, ...]] = ("softmax", "global_step", "train_perplexity")
    has_others: ClassVar[bool] = False

    def scopes(self, names: Collection[str]) -> list[str]:
        """Return the prefix of the names of a biLM; for a naming of one layer, if there is a biLM of one layer."""
        found = {match[1] for name in names if (match := self._in_scope.match(name))}
        if self.only_cell:
            inner = tuple(self.only_cell.format(direction=direction) + "/" for direction in range(2))
            found = {scope for scope in found if any(name.startswith(inner, len(scope)) for name in names)}
        return sorted(found)

    def stored_as(self, parameter: str, scope: str, names: Collection[str] = ()) -> tuple[str, Change]:
        """Return the name of a parameter in the file, and the change of its values."""
        del names
        cell = _CELL.fullmatch(parameter)
        if cell is None:
            return scope + parameter, "same"
        direction, layer, part = cell.groups()
        path = self.only_cell if self.only_cell and not int(layer) else self.cell
        return f"{scope}{path.format(direction=direction, layer=layer)}/{self.parts[part]}", "same"

    def canonical(self, name: str, scope: str) -> str:
        """Return the parameter that a stored name means; other names stay as they are."""
        if not name.startswith(scope):
            return name
        inner = name.removeprefix(scope)
        for pattern in self._patterns:
            if found := pattern.fullmatch(inner):
                numbers = found.groupdict()
                part = next(part for part, ours in self.parts.items() if ours == numbers["part"])
                return f"{cell_of(int(numbers['direction']), int(numbers.get('layer') or 0))}/{part}"
        return inner if _PARAMETER.fullmatch(inner) else name

    def shown(self, name: str, scope: str) -> str:
        """Return the stored name of a parameter."""
        return self.stored_as(name, scope)[0] if _PARAMETER.fullmatch(name) else name

    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a tensor that a load does not read; those of training's softmax and steps are known."""
        if name.removeprefix(scope).split("/", 1)[0] in self.training:
            return TRAINING
        if not self.has_others or name.startswith(scope):
            return ""
        is_other = f"/{self.usual_scope}" in f"/{name}"
        return OTHER_BILMS if is_other else TRAINING if spec.shape == () else TASK

    @cached_property
    def _in_scope(self) -> re.Pattern[str]:
        """Match the name of a part of a biLM; the group is the prefix."""
        start = rf"((?:.*?/)?{re.escape(self.usual_scope)})" if self.usual_scope else "()"
        return re.compile(start + _IN_BILM)

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        """Match the names of the variables of a cell."""
        parts = "|".join(map(re.escape, self.parts.values()))
        numbers = {"direction": "(?P<direction>[01])", "layer": f"(?P<layer>{NUMBER[1:-1]})"}
        return [
            re.compile(f"{path.format(**numbers)}/(?P<part>{parts})") for path in (self.only_cell, self.cell) if path
        ]


def count_numbered(names: Iterable[str], pattern: str) -> int:
    """Return 1 more than the largest number that `pattern` captures with `NUMBER`, 0 without a match."""
    return max((int(match[1]) + 1 for name in names if (match := re.match(pattern, name))), default=0)
