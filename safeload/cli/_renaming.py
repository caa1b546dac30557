"""Pair the tensors of two files by the parameters of their encoders, whatever the scopes and the names."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._fit import placed
from safeload._naming import needed
from safeload._scopes import Scoped, chosen_scope
from safeload._values import rearranged
from safeload.bert._model import SCOPED as BERT_SCOPED
from safeload.bert._parameters import FIRST_VARIABLE, count_layers, ranks_of_parameters
from safeload.bert.namings import namings_of
from safeload.cli._pairing import Pairing, pair, pair_rest
from safeload.cli._weights import Tensor, layer_of
from safeload.elmo._characters import N_CHARACTERS
from safeload.elmo._model import SCOPED as ELMO_SCOPED
from safeload.elmo._module import dataset_of, list_module_parameters, sizes_of
from safeload.elmo._options import published_options
from safeload.elmo._parameters import CHAR_EMBED, list_parameters
from safeload.elmo.namings import namings_in
from safeload.elmo.namings._cells import Cells
from safeload.elmo.namings.allennlp import AllenNlp
from safeload.errors import SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray

    from safeload._forms.weight_file import WeightFile
    from safeload._naming import Change, Naming
    from safeload.cli._weights import Weights
    from safeload.elmo._options import ElmoOptions


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
        return (None if values is None else rearranged(values, change)), fault


_SAME: Change = "same"


def paired(a: Weights, b: Weights, scope: str | None = None) -> tuple[Side, Side, Pairing]:
    """Return both files and the pairs of their tensors.

    Names of two libraries become those of the parameters; names of one are paired by the parameters that they mean.

    Args:
        a: The first file.
        b: The second file.
        scope: Of several encoders in a file, the one to compare; None for the one that a load would choose.

    Raises:
        AmbiguousCheckpointError: A file has several encoders, none is chosen, and their names have no pair.
        ArgumentError: No encoder is under `scope`.
    """
    sides = (_side(a), _side(b))
    encoders = _encoders(a, b, scope)
    if encoders is None:
        return *sides, pair(a.tensors, b.tensors)
    (naming_a, scope_a), (naming_b, scope_b) = encoders
    naming_a, naming_b = placed(naming_a, a.file, scope_a), placed(naming_b, b.file, scope_b)
    if naming_a.id != naming_b.id:
        sides = _as_canonical(a, naming_a, scope_a), _as_canonical(b, naming_b, scope_b)
        return *sides, pair(sides[0].tensors, sides[1].tensors)
    stored = {parameter: name for name, (parameter, _) in _parameters_in(b, naming_b, scope_b).items()}
    known = _parameters_in(a, naming_a, scope_a).items()
    both = [(name, stored[parameter]) for name, (parameter, _) in known if parameter in stored]
    return *sides, pair_rest(a.tensors, b.tensors, both, (scope_a, scope_b))


def _side(weights: Weights) -> Side:
    return Side(weights=weights, tensors=weights.tensors, stored={})


class _Kind(NamedTuple):
    """What differs between the models that are compared by their parameters."""

    scoped: Scoped
    first: str
    namings: Callable[[Collection[str]], Mapping[str, Naming]]


_KINDS = (
    _Kind(BERT_SCOPED, FIRST_VARIABLE, lambda names: {scope: naming for naming, scope in namings_of(names)}),
    _Kind(ELMO_SCOPED, CHAR_EMBED, namings_in),
)


def _encoders(a: Weights, b: Weights, scope: str | None) -> tuple[tuple[Naming, str], tuple[Naming, str]] | None:
    """Return the naming and scope of the models to compare; None if stored names pair them, or a file has none."""
    rows = [(kind, [kind.namings(each.tensors) for each in (a, b)]) for kind in _KINDS]
    kind, found = next((row for row in rows if any(row[1])), rows[0])
    if scope is not None and not any(scope in (each, each.rstrip("/.")) for names in found for each in names):
        _chosen(kind, found[0], scope, a)
    if not all(found) or (scope is None and max(map(len, found)) > 1 and _has_pair(a, b, kind.first, found[0])):
        return None
    chosen_a, chosen_b = (
        _chosen(kind, namings, scope if len(namings) > 1 else None, weights)
        for weights, namings in zip((a, b), found, strict=True)
    )
    return (found[0][chosen_a], chosen_a), (found[1][chosen_b], chosen_b)


def _chosen(kind: _Kind, namings: Mapping[str, Naming], scope: str | None, weights: Weights) -> str:
    facts, title = weights.file.ref.facts, weights.file.title
    return chosen_scope(list(namings), scope, kind.scoped, title=title, facts=facts) or ""


def _has_pair(a: Weights, b: Weights, first: str, namings: Mapping[str, Naming]) -> bool:
    """Return whether stored names pair the first parameter of a model of the first file."""
    firsts = {naming.stored_as(first, scope, a.tensors)[0] for scope, naming in namings.items()}
    return any(name in firsts for name, _ in pair(a.tensors, b.tensors).both)


def _as_canonical(weights: Weights, naming: Naming, scope: str) -> Side:
    """Return a file by the names of the parameters; a state dict of AllenNLP by those of the datasets that it makes."""
    if isinstance(naming, AllenNlp):
        return _as_hdf5(weights, naming, scope)
    return _renamed(weights, naming, scope)


def _as_hdf5(weights: Weights, naming: Naming, scope: str) -> Side:
    """Return a state dict of AllenNLP as the datasets of an HDF5 file; as it is if its biLM is not whole."""

    def shape_of(parameter: str) -> tuple[int, ...]:
        name = naming.stored_as(parameter, scope)[0]
        return weights.tensors[name].spec.shape if name in weights.tensors else ()

    try:
        options = published_options(sizes_of(shape_of))
    except ValueError:  # ConfigError is one
        return _side(weights)
    stored = {parameter: naming.stored_as(parameter, scope)[0] for parameter in list_module_parameters(options)}
    if not all(shape_of(parameter) == spec.shape for parameter, spec in list_module_parameters(options).items()):
        return _side(weights)
    of_bilm = set(stored.values())
    tensors = {
        name: Tensor(spec=spec, layer=layer_of(name), n_bytes=4 * math.prod(spec.shape))
        for name, spec in list_parameters(options).items()
    }
    rest = {name: tensor for name, tensor in weights.tensors.items() if name not in of_bilm}
    bilm = _Bilm(weights.file, stored, options)
    return ModuleSide(weights=weights, tensors=tensors | rest, stored={}, naming=naming.id, bilm=bilm)


class _Bilm(dict[str, Any]):
    """The values of a biLM's parameters, each read when it is asked for; the first fault ends the reading."""

    def __init__(self, file: WeightFile, stored: Mapping[str, str], options: ElmoOptions) -> None:
        super().__init__()
        self.options = options
        self._file, self._stored = file, stored

    def __missing__(self, parameter: str) -> Any:  # noqa: ANN401  (an array)
        import numpy as np  # noqa: PLC0415  (only where a state dict is compared)

        from safeload._forms.floats import put  # noqa: PLC0415  (imports NumPy)

        name = self._stored[parameter]
        values, fault = self._file.look(name)
        if values is None or fault:
            raise LookupError(fault)
        found = np.empty(values.shape, np.float32)
        put(values, found, self._file.tensors[name].spec.dtype)
        return found


@dataclass(frozen=True, kw_only=True)
class ModuleSide(Side):
    """A state dict of AllenNLP, seen as the datasets of an HDF5 file.

    Attributes:
        bilm: The values of its biLM.
    """

    bilm: _Bilm

    def look(self, name: str) -> tuple[NDArray[Any] | None, str]:
        """Read a dataset for display, of the parameters that make it; another tensor as it is stored."""
        if name in self.weights.tensors:
            return super().look(name)
        try:
            return dataset_of(name, self.bilm, self.bilm.options), ""
        except LookupError as exc:
            return None, str(exc)


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
    """Return stored name -> parameter and change, of the parameters of a model that a file has."""
    names = weights.tensors
    if isinstance(naming, Cells):
        return _parameters_of_elmo(weights, naming, scope)
    found = {}
    ranks = ranks_of_parameters(count_layers(naming, scope, names))
    unproven = {group for groups in naming.unproven(ranks, scope, names).values() for group in groups}
    for parameter, rank in ranks.items():
        name, change = naming.stored_as(parameter, scope, names)
        if name in names and name.partition("/vars/")[0] not in unproven:
            found[name] = parameter, needed(change, names[name].spec.shape, (0,) * rank)
    return found


def _parameters_of_elmo(weights: Weights, naming: Cells, scope: str) -> dict[str, tuple[str, Change]]:
    found = {}
    for name, tensor in weights.tensors.items():
        parameter = naming.canonical(name, scope)
        stored, change = naming.stored_as(parameter, scope, weights.tensors)
        if stored == name:
            wanted = (N_CHARACTERS - 1, *tensor.spec.shape[1:])
            found[name] = parameter, needed(change, tensor.spec.shape, wanted)
    return found


def _is_equal(weights: Weights, name: str, original: str) -> bool:
    try:
        return original in weights.tensors and weights.file.is_equal(name, original)
    except SafeLoadError:  # the comparison says which is damaged
        return False


def _shape(shape: tuple[int, ...], change: Change) -> tuple[int, ...]:
    import numpy as np  # noqa: PLC0415  (an array of this shape, without values)

    return rearranged(np.broadcast_to(np.uint8(0), shape), change).shape
