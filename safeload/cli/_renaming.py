"""Give the tensors of two files that name them differently the names and shapes of the model's parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from safeload._naming import needed
from safeload._values import rearranged
from safeload.bert._parameters import count_layers, ranks_of_parameters
from safeload.bert.namings import naming_of
from safeload.errors import SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from safeload._naming import Change, Naming
    from safeload.cli._weights import Tensor, Weights


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of two files that are compared.

    Attributes:
        weights: The open file.
        tensors: Name -> tensor, by the names that are compared.
        stored: Name -> stored name and change, where they differ.
        naming: The id of the naming from which the tensors were renamed; "" if they were not.
    """

    weights: Weights
    tensors: Mapping[str, Tensor]
    stored: Mapping[str, tuple[str, Change]]
    naming: str = ""

    def look(self, name: str) -> tuple[NDArray[Any] | None, str]:
        """Read a tensor for display, in the arrangement of the parameter."""
        stored, change = self.stored.get(name, (name, "same"))
        values, fault = self.weights.file.look(stored)
        return (None if values is None else rearranged(values, change, {})), fault


_SAME: Change = "same"


def sides_of(a: Weights, b: Weights) -> tuple[Side, Side]:
    """Return both files, with the names of the parameters if two libraries named them."""
    found = naming_of(a.tensors), naming_of(b.tensors)
    if found[0] is None or found[1] is None or found[0][0].id == found[1][0].id:
        return Side(weights=a, tensors=a.tensors, stored={}), Side(weights=b, tensors=b.tensors, stored={})
    return _renamed(a, *found[0]), _renamed(b, *found[1])


def _renamed(weights: Weights, naming: Naming, scope: str) -> Side:
    known = _parameters_in(weights, naming, scope)
    parameters = {parameter for parameter, _ in known.values()}
    tensors: dict[str, Tensor] = {}
    stored: dict[str, tuple[str, Change]] = {}
    for name, tensor in weights.tensors.items():
        original = naming.copy_of(name, scope, parameters) if name not in known else None
        if original is not None and _is_equal(weights, name, naming.stored_as(original, scope, weights.tensors)[0]):
            continue
        new, change = known.get(name, (name, _SAME))
        stored[new] = name, change
        spec = replace(tensor.spec, name=new, shape=_shape(tensor.spec.shape, change))
        tensors[new] = replace(tensor, spec=spec)
    return Side(weights=weights, tensors=tensors, stored=stored, naming=naming.id)


def _parameters_in(weights: Weights, naming: Naming, scope: str) -> dict[str, tuple[str, Change]]:
    """Return stored name -> parameter and change, of the parameters of a BERT that a file has."""
    names = weights.tensors
    found = {}
    for parameter, rank in ranks_of_parameters(count_layers(naming, scope, names)).items():
        name, change = naming.stored_as(parameter, scope, names)
        if name in names:
            found[name] = parameter, needed(change, len(names[name].spec.shape), rank)
    return found


def _is_equal(weights: Weights, name: str, original: str) -> bool:
    try:
        return original in weights.tensors and weights.file.is_equal(name, original)
    except SafeLoadError:  # the comparison says which is damaged
        return False


def _shape(shape: tuple[int, ...], change: Change) -> tuple[int, ...]:
    import numpy as np  # noqa: PLC0415  (an array of this shape, without values)

    return rearranged(np.broadcast_to(np.uint8(0), shape), change, {}).shape
