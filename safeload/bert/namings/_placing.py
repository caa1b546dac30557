"""Find the layers of a model among groups that Keras numbers by class, where the model has layers of a user too.

Keras numbers the layers of a class in the order of the model. Which of them are keras-bert's is proven by the names that the writer
recorded; else by their shapes, and where a model has no other layers by their number.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from safeload.report import TensorSpec

    Shapes = tuple[tuple[int, ...], ...]

_NUMBERED = re.compile(r"(.*?)(?:_([1-9]\d{0,5}))?")


class Layer(NamedTuple):
    """A layer that a model has.

    Attributes:
        group: Its group, in a file of the model alone.
        label: Its name.
        shapes: The shapes of its tensors.
    """

    group: str
    label: str
    shapes: Shapes


class Group(NamedTuple):
    """A group of a file.

    Attributes:
        name: Its name without the scope.
        label: The name of its layer, if it is recorded.
        shapes: The shapes of its tensors.
    """

    name: str
    label: str | None
    shapes: Shapes


class Places(NamedTuple):
    """Where the layers of a model are.

    Attributes:
        moved: Group, in a file of the model alone -> the group in this file, of those that are elsewhere.
        unproven: Group, in a file of the model alone -> the groups that it may be in this file.
    """

    moved: Mapping[str, str]
    unproven: Mapping[str, tuple[str, ...]]


def word_of(group: str) -> str:
    """Return the class of a numbered group."""
    found = _NUMBERED.fullmatch(group)
    return found[1] if found else group


def groups_by_word(
    stored: Mapping[str, TensorSpec], scope: str, label_of: Callable[[str], str | None]
) -> dict[str, list[Group]]:
    """Return the groups below a scope, by class and in the order of their numbers."""
    shapes: dict[str, dict[str, tuple[int, ...]]] = defaultdict(dict)
    for name, spec in stored.items():
        group, _, number = name.removeprefix(scope).partition("/vars/")
        if name.startswith(scope) and number.isdecimal() and "/" not in group:
            shapes[group][number.zfill(6)] = spec.shape
    found: dict[str, list[Group]] = defaultdict(list)
    for group in sorted(shapes, key=lambda each: (len(each), each)):
        in_order = tuple(shape for _, shape in sorted(shapes[group].items()))
        found[word_of(group)].append(Group(group, label_of(f"{scope}{group}/vars"), in_order))
    return found


def find_places(layers: Sequence[Layer], groups: Sequence[Group], *, is_chain: bool, is_whole: bool) -> Places:
    """Find layers of one class, which are in the order of the model.

    Args:
        layers: The layers to find.
        groups: The groups of the class.
        is_chain: Whether each layer follows from the one before, so that they have this order in every model.
        is_whole: Whether the file has no layers but those of the model.
    """
    labels = [group.label for group in groups if group.label is not None]
    if labels:
        return Places(_by_label(layers, groups, is_chain=is_chain), {})
    if is_whole:
        return Places({}, {})
    moved: dict[str, str] = {}
    unproven: dict[str, tuple[str, ...]] = {}
    for shapes, wanted in _by_shapes(layers).items():
        fitting = [group.name for group in groups if group.shapes == shapes]
        if is_chain and len(fitting) == len(wanted):
            moved.update(zip(wanted, fitting, strict=True))
        elif len(fitting) >= len(wanted):
            unproven.update(dict.fromkeys(wanted, tuple(fitting)))
    return Places({group: name for group, name in moved.items() if group != name}, unproven)


def _by_label(layers: Sequence[Layer], groups: Sequence[Group], *, is_chain: bool) -> dict[str, str]:
    """Return the places that the names of the layers say; none for the names of the model alone, or in another order."""
    found = {group.label: number for number, group in enumerate(groups)}
    wanted = {layer.label for layer in layers}
    numbers = [found[layer.label] for layer in layers if layer.label in found]
    is_other = any(one >= two for one, two in itertools.pairwise(numbers))
    if {group.label for group in groups} <= wanted or (is_chain and is_other) or len(found) < len(groups):
        return {}
    return {layer.group: groups[found[layer.label]].name for layer in layers if layer.label in found}


def _by_shapes(layers: Iterable[Layer]) -> dict[Shapes, list[str]]:
    found: dict[Shapes, list[str]] = defaultdict(list)
    for layer in layers:
        found[layer.shapes].append(layer.group)
    return found


def words_in(groups: Collection[str], scope: str) -> set[str]:
    """Return the classes of the groups below a scope, with weights or without."""
    inner = (name.removeprefix(scope) for name in groups if name.startswith(scope))
    return {word_of(name) for name in inner if "/" not in name}
