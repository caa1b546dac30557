"""Match the tensors of a weight file with a model's parameters, and explain the others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from safeload.report import TensorSpec

Change = Literal["same", "transposed", "heads first", "heads last", "below zeros", "one value"]
"""How stored values are changed to become a parameter.

With "heads first", the first two axes, (heads, size of a head), become one; with "heads last", the last two. Values that
are stored with these axes as one stay the same. With "below zeros", the file may have a row of zeros before the first one;
with "one value", it may store a vector of one value as a scalar.
"""


class Buffer(NamedTuple):
    """A tensor that a model computes itself, which some converters store.

    Attributes:
        name: Its name without the scope.
        holds: What it must hold: the numbers of the positions, 0, 1, 2, ..., or zeros.
    """

    name: str
    holds: Literal["positions", "zeros"]


TRAINING, BUFFERS, COPIES, OTHER, TASK = "training", "buffers", "copies", "other encoders", "task heads"
"""Classes of unused tensors: for training alone, computed by a model itself, equal to others, of another model in the file,
of what is built on the model."""


class Match(NamedTuple):
    """The mapping of a model's parameters to the names in a weight file.

    Attributes:
        scope: The prefix of the model's names in the file; may be "".
        stored: Parameter -> stored name.
        changes: Parameter -> the change of its stored values.
        unused: Class -> names, without the scope, of known tensors that this load does not need.
        buffers: Stored name -> buffer, of the unused tensors that are none if they hold anything else than they must.
        copies: Stored name -> parameter, of the unused tensors that must be equal to a parameter.
        unexpected: Names, without the scope, of unknown tensors.
        faults: Unexpected name -> why, of a tensor that its name explains and its shape does not.
    """

    scope: str
    stored: Mapping[str, str]
    changes: Mapping[str, Change]
    unused: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    buffers: Mapping[str, Buffer] = MappingProxyType({})
    copies: Mapping[str, str] = MappingProxyType({})
    unexpected: tuple[str, ...] = ()
    faults: Mapping[str, str] = MappingProxyType({})


class Naming(ABC):
    """A convention for naming a model's parameters in weight files.

    Attributes:
        id: The name of the convention in tables and reports.
        usual_scope: The scope of published files.
        gelu: What the library that writes these names computes for "gelu".
        has_torch_heads: Whether a head of a model of transformers is in such files under a name that its name in torch says.
    """

    id: ClassVar[str]
    usual_scope: ClassVar[str] = ""
    gelu: ClassVar[Literal["gelu_erf", "gelu_tanh"]] = "gelu_tanh"
    has_torch_heads: ClassVar[bool] = False

    @abstractmethod
    def scopes(self, names: Collection[str]) -> list[str]:
        """Return the scopes, sorted, under which these names contain the model."""

    @abstractmethod
    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a tensor that a load does not read, by its stored name; "" if it is unexpected."""

    def stored_as(self, parameter: str, scope: str, names: Collection[str] = ()) -> tuple[str, Change]:
        """Return the name of a parameter in the file, and the change of its values.

        Where a parameter may have several names, it is the one in `names`.
        """
        del names
        return scope + parameter, "same"

    def canonical(self, name: str, scope: str) -> str:
        """Return the parameter that a stored name means, or the name without the scope."""
        return name.removeprefix(scope)

    def buffer_of(self, name: str) -> Buffer | None:
        """Return the buffer with a name, without the scope; None if there is none."""
        del name
        return None

    def copy_of(self, name: str, scope: str, expected: Collection[str]) -> str | None:
        """Return the parameter of which a tensor must be a copy, in a load that reads the parameters `expected`; else None.

        `name` is its stored name.
        """
        del name, scope, expected
        return None

    def _original(self, full_name: str, name: str, scope: str, expected: Collection[str]) -> str | None:
        """Return the parameter of which a tensor must be a copy: a known one, or the one that has another name in the file."""
        if name in expected and self.stored_as(name, scope, (full_name,))[0] == full_name:
            return name
        return self.copy_of(full_name, scope, expected)

    def placed(
        self,
        stored: Mapping[str, TensorSpec],
        groups: Collection[str],
        scope: str,
        label_of: Callable[[str], str | None],
    ) -> Naming:
        """Return the naming for this file, where the names of its tensors depend on what else is in it.

        Args:
            stored: Stored name -> spec.
            groups: The groups of the file, also those without tensors.
            scope: The prefix of the model's names.
            label_of: Returns the name of a group's layer, if its writer recorded it.
        """
        del stored, groups, scope, label_of
        return self

    def unproven(self, expected: Collection[str], scope: str, names: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the name of a layer -> the groups that it may be, where a file does not say which holds the parameters `expected`."""
        del expected, scope, names
        return {}

    def misordered(
        self, expected: Collection[str], scope: str, notes: Callable[[str, str], list[str] | None]
    ) -> list[tuple[str, str]]:
        """Return (layer, what is wrong) where a file lists the parameters `expected` in another order than their names say.

        `notes` returns the list of texts that the writer attached to a group under a name.
        """
        del expected, scope, notes
        return []

    def labels(self, expected: Collection[str], scope: str, names: Collection[str]) -> Mapping[str, str]:
        """Return group -> the name of its layer, which the writer may have recorded, for the parameters `expected`.

        Only names by place, which say nothing of the layer, need it.
        """
        del expected, scope, names
        return {}

    def shown(self, name: str, scope: str) -> str:
        """Return a canonical name as messages show it, so that it is found in the file."""
        del scope
        return name

    def match(
        self, expected: Mapping[str, TensorSpec], stored: Mapping[str, TensorSpec], scope: str
    ) -> tuple[Match, dict[str, TensorSpec]]:
        """Match stored tensors with parameters.

        Returns:
            The match, and parameter or name without scope -> stored spec; transposed shapes are those of the parameters.
        """
        rows = {parameter: self.stored_as(parameter, scope, stored) for parameter in expected}
        found = {}
        changes = {
            parameter: needed(change, stored[name].shape, expected[parameter].shape) if name in stored else change
            for parameter, (name, change) in rows.items()
        }
        for parameter, (name, change) in rows.items():
            if name in stored:
                spec = stored[name]
                found[parameter] = replace(spec, shape=spec.shape[::-1]) if change == "transposed" else spec
        classes: dict[str, list[str]] = {}
        buffers: dict[str, Buffer] = {}
        copies: dict[str, str] = {}
        faults: dict[str, str] = {}
        parameters = {name for name, _ in rows.values()}
        for full_name, spec in stored.items():
            if full_name in parameters:
                continue
            name = self.canonical(full_name, scope)
            what = _class_of_slot(full_name, stored)
            original = self._original(full_name, name, scope, expected) if what is None else None
            if original is not None:
                copies[full_name], what = original, COPIES
            if what == "":
                base = name.rpartition("/")[0]
                shape = stored[full_name.rpartition("/")[0]].shape_text()
                faults[name] = (
                    f"an optimizer's variable for {base} would have its shape, {shape}, or lack one axis of it"
                )
            if what is None:
                what = OTHER if name in expected else self.class_of(full_name, spec, scope)
            buffer = self.buffer_of(name) if what == BUFFERS else None
            if buffer is not None:
                buffers[full_name] = buffer
            classes.setdefault(what, []).append(name)
            if name not in expected:
                found.setdefault(name, spec)
        match = Match(
            scope=scope,
            stored={parameter: name for parameter, (name, _) in rows.items()},
            changes=changes,
            unused={what: tuple(names) for what, names in classes.items() if what},
            buffers=buffers,
            copies=copies,
            unexpected=tuple(classes.get("", ())),
            faults=faults,
        )
        return match, found


def as_stored(spec: TensorSpec, change: Change, n_heads: int) -> TensorSpec:
    """Return the spec of a parameter as the file stores it: with the axis of its heads split, with a row more, as a scalar."""
    if change == "below zeros":
        return replace(spec, shape=(spec.shape[0] + 1, *spec.shape[1:]), size_keys=("", *spec.size_keys[1:]))
    if change == "one value":
        return replace(spec, shape=(), size_keys=())
    if not change.startswith("heads"):
        return spec
    at = 0 if change == "heads first" else len(spec.shape) - 1
    shape = (*spec.shape[:at], n_heads, spec.shape[at] // n_heads, *spec.shape[at + 1 :])
    keys = (*spec.size_keys[:at], "num_attention_heads", "", *spec.size_keys[at + 1 :])
    return replace(spec, shape=shape, size_keys=keys)


def needed(change: Change, stored: Sequence[int], wanted: Sequence[int]) -> Change:
    """Return the change of a parameter, by its shapes: none where the file stores it as the parameter has it."""
    is_needed = {
        "heads first": len(stored) != len(wanted),
        "heads last": len(stored) != len(wanted),
        "below zeros": [*stored[:1]] == [size + 1 for size in wanted[:1]],
        "one value": not stored,
    }
    return change if is_needed.get(change, True) else "same"


def _class_of_slot(name: str, stored: Mapping[str, TensorSpec]) -> str | None:
    """Return the class of a tensor whose name is that of another tensor of the file and one more part.

    Such a tensor is an optimizer's slot if it has the other's shape, or that shape without one axis, as Adafactor's; with
    another shape it is unexpected.
    """
    base = stored.get(name.rpartition("/")[0])
    if base is None:
        return None
    shapes = {base.shape, *(base.shape[:at] + base.shape[at + 1 :] for at in range(len(base.shape)))}
    return TRAINING if stored[name].shape in shapes else ""
