"""Compare the order in which Keras lists the layers and weights of an `.h5` file with that of a keras-bert model.

Keras loads `.h5` files by this order, whatever the names are: where names and order disagree, Keras makes another model.

Source:
    keras/src/saving/legacy/hdf5_format.py, load_weights_from_hdf5_group, Keras 2.15 and tf-keras 2.21.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Notes = Callable[[str, str], "list[str] | None"]

_BESIDE = ("Embedding-Segment",)
_HEADS = ("MLM-", "NSP")
"""The layers before the encoder and after it that are not in one line."""


def faults_of_layers(weights: Mapping[str, Sequence[str]], scope: str, notes: Notes) -> Iterator[tuple[str, str]]:
    """Yield (layer, what is wrong) of layers that are groups of their own.

    Args:
        weights: Layer -> the names of its weights, in the order of the model.
        scope: The prefix of the names of the layers.
        notes: Returns the list of texts that the writer attached to a group.
    """
    listed = names_listed(notes, scope.rstrip("/"), "layer_names")
    if listed is not None:
        yield from _faults(listed, list(weights), "layer_names", n_descents=0)
    for layer, wanted in weights.items():
        found = names_listed(notes, scope + layer, "weight_names")
        if found is not None:
            yield from _faults_in_layer(found, layer, wanted)


def faults_of_model(weights: Mapping[str, Sequence[str]], scope: str, notes: Notes) -> Iterator[tuple[str, str]]:
    """Yield (layer, what is wrong) of layers that are one group, since their model is a layer of another.

    Keras lists what is trained before what is frozen.

    Args:
        weights: Layer -> the names of its weights, in the order of the model.
        scope: The prefix of the names of the weights.
        notes: Returns the list of texts that the writer attached to a group.
    """
    outer, _, name = scope.rstrip("/").rpartition("/")
    models = names_listed(notes, outer, "layer_names")
    if models is not None and models.count(name) != 1:
        yield name, _times(models.count(name), "layer_names")
    found = names_listed(notes, scope.rstrip("/"), "weight_names")
    if found is None:
        return
    layer_of = {weight: layer for layer, inner in weights.items() for weight in inner}
    layers = [layer for layer, _ in itertools.groupby(layer_of[weight] for weight in found if weight in layer_of)]
    yield from _faults(layers, list(weights), "weight_names", n_descents=1)
    for layer, wanted in weights.items():
        yield from _faults_in_layer(found, layer, wanted)


def names_listed(notes: Notes, group: str, name: str) -> list[str] | None:
    """Return a list of names, which Keras cuts in pieces if it is long."""
    found = notes(group, name)
    if found is not None:
        return found
    pieces = itertools.takewhile(bool, (notes(group, f"{name}{at}") for at in itertools.count()))
    return list(itertools.chain.from_iterable(piece or () for piece in pieces)) or None


def _faults_in_layer(listed: Sequence[str], layer: str, wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
    found = [weight for weight in listed if weight in wanted]
    if found != list(wanted):
        yield layer, f"its weight_names should be {', '.join(wanted)}, but are {', '.join(found) or 'others'}"


def _faults(
    listed: Sequence[str], layers: Sequence[str], attribute: str, *, n_descents: int
) -> Iterator[tuple[str, str]]:
    numbers = {layer: [at for at, name in enumerate(listed) if name == layer] for layer in layers}
    for layer, places in numbers.items():
        if len(places) != 1:
            yield layer, _times(len(places), attribute)
    wrong: dict[tuple[str, str], None] = {}
    for chain in _chains(layers):
        pairs = [(one, two) for one, two in itertools.pairwise(chain) if numbers[one][:1] > numbers[two][:1]]
        wrong.update(dict.fromkeys(pairs if len(pairs) > n_descents else ()))
    for one, two in wrong:
        yield two, f"is listed before {one} in {attribute}; in the model it follows it"


def _times(count: int, attribute: str) -> str:
    return f"is {count} times in {attribute}" if count else f"is not in {attribute}, so that Keras would not load it"


def _chains(layers: Iterable[str]) -> list[list[str]]:
    """Return the layers that follow from each other, in each line of the model."""
    names = list(layers)
    main = [name for name in names if name not in _BESIDE]
    return [[name for name in main if not name.startswith(head)] for head in _HEADS]
