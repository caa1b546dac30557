"""Match the names of keras-bert's models in Keras's files.

`.h5` files have the names of the layers: `Encoder-1-FeedForward/Encoder-1-FeedForward/Encoder-1-FeedForward_W1:0`, in a whole
model below `model_weights/`. `.weights.h5` and `.keras` number the layers of each class: `layers/feed_forward_1/vars/0`. In a
TensorFlow checkpoint or SavedModel the variables have their own names: `Encoder-1-FeedForward/Encoder-1-FeedForward_W1`.

Source:
    keras_bert/bert.py, get_model, keras-bert 0.89.0; keras/src/saving/legacy/hdf5_format.py, saving_lib.py and
    engine/training.py, save_weights, Keras 2.15 and tf-keras 2.21.
"""

from __future__ import annotations

from copy import copy
from types import MappingProxyType
from typing import TYPE_CHECKING

from safeload._naming import TASK, TRAINING
from safeload.bert._parameters import FIRST_VARIABLE, HEAD, count_layers
from safeload.bert._runtimes import SEGMENTS
from safeload.bert.namings._layers import OF_TRAINING, Layers, fields
from safeload.bert.namings._order import faults_of_layers, faults_of_model
from safeload.bert.namings._placing import Layer, find_places, groups_by_word, word_of, words_in
from safeload.bert.namings._table import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from safeload._naming import Change
    from safeload.bert.namings._order import Notes
    from safeload.report import TensorSpec

_L = "bert/encoder/layer_{}"
_ATTENTION = ("self/query", "self/key", "self/value", "output/dense")
_DENSE = ("intermediate/dense", "output/dense")
_TRANSFORM = "cls/predictions/transform"
_PAIR = ("kernel", "bias")
_NORM = ("gamma", "beta")

NAMES = {
    "token": "Embedding-Token", "position": "Embedding-Position", "segment": "Embedding-Segment", "norm": "Embedding-Norm",
    "attention": "Encoder-{at}-MultiHeadSelfAttention", "attention norm": "Encoder-{at}-MultiHeadSelfAttention-Norm",
    "forward": "Encoder-{at}-FeedForward", "forward norm": "Encoder-{at}-FeedForward-Norm",
    "mlm": "MLM-Dense", "mlm norm": "MLM-Norm", "mlm bias": "MLM-Sim", "pooler": "NSP-Dense", "nsp": "NSP",
}  # fmt: skip
"""Part of the model -> the name of its layer."""

NUMBERED = {
    "token": "token_embedding", "position": "position_embedding", "segment": "embedding", "norm": "layer_normalization",
    "attention": "multi_head_attention{nth}", "attention norm": "layer_normalization_{one}",
    "forward": "feed_forward{nth}", "forward norm": "layer_normalization_{two}",
    "mlm": "dense", "mlm norm": "layer_normalization_{last}", "mlm bias": "embedding_similarity", "pooler": "dense_1",
    "nsp": "dense_2",
}  # fmt: skip
"""Part of the model -> its class, numbered."""

_ATTENTION_CLASS, _FORWARD_CLASS, _DENSE_CLASS, _N_DENSE = "multi_head_attention", "feed_forward", "dense", 3
_SENTENCES = 2
_WITHOUT_WEIGHTS = ("input_layer", "add", "dropout", "extract", "masked", "concatenate")
_WORDS = {*(word_of(group.format(**fields(0), last=0)) for group in NUMBERED.values()), *_WITHOUT_WEIGHTS}
"""The classes of keras-bert's layers."""


def _parts() -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Yield a part of the model, its parameters, and keras-bert's names of their variables, in the order of the layer's."""
    for part, parameter in (("token", "word"), ("position", "position"), ("segment", "token_type")):
        yield part, (f"bert/embeddings/{parameter}_embeddings",), ("embeddings",)
    yield "norm", tuple(f"bert/embeddings/LayerNorm/{each}" for each in _NORM), _NORM
    attention = tuple(f"{_L}/attention/{part}/{each}" for part in _ATTENTION for each in _PAIR)
    yield "attention", attention, ("Wq", "bq", "Wk", "bk", "Wv", "bv", "Wo", "bo")
    yield "attention norm", tuple(f"{_L}/attention/output/LayerNorm/{each}" for each in _NORM), _NORM
    yield "forward", tuple(f"{_L}/{part}/{each}" for part in _DENSE for each in _PAIR), ("W1", "b1", "W2", "b2")
    yield "forward norm", tuple(f"{_L}/output/LayerNorm/{each}" for each in _NORM), _NORM
    yield "mlm", tuple(f"{_TRANSFORM}/dense/{each}" for each in _PAIR), _PAIR
    yield "mlm norm", tuple(f"{_TRANSFORM}/LayerNorm/{each}" for each in _NORM), _NORM
    yield "mlm bias", (HEAD,), ("bias",)
    yield "pooler", tuple(f"bert/pooler/dense/{each}" for each in _PAIR), _PAIR
    yield "nsp", ("cls/seq_relationship/output_weights", "cls/seq_relationship/output_bias"), _PAIR


def _rows(name_of: Callable[[str, str, int], str]) -> Iterator[Row]:
    for part, parameters, variables in _parts():
        for number, (parameter, variable) in enumerate(zip(parameters, variables, strict=True)):
            change: Change = "transposed" if parameter.endswith("output_weights") else "same"
            yield Row(parameter, (name_of(part, variable, number),), change)


def _by_name(part: str, variable: str, number: int) -> str:
    return f"{NAMES[part]}/{_by_variable(part, variable, number)}:0"


def _by_variable(part: str, variable: str, _: int) -> str:
    layer = NAMES[part]
    return f"{layer}/{f'{layer}_' if part in ('attention', 'forward') else ''}{variable}"


def _by_number(part: str, _: str, number: int) -> str:
    return f"{NUMBERED[part]}/vars/{number}"


def _in_model(part: str, variable: str, number: int) -> str:
    return f"{_by_variable(part, variable, number)}:0"


class KerasBert(Layers):
    """The names of keras-bert's layers, in `.h5` files."""

    id = "keras-bert"
    rows = tuple(_rows(_by_name))
    inside = ("Embedding-", "Encoder-")

    def misordered(self, expected: Collection[str], scope: str, notes: Notes) -> list[tuple[str, str]]:
        """Return (layer, what is wrong) of layers and weights that the file lists in another order than the model's."""
        weights: dict[str, list[str]] = {}
        for parameter in expected:
            layer, _, weight = self.stored_as(parameter, "")[0].partition("/")
            weights.setdefault(layer, []).append(weight)
        return list(faults_of_layers(weights, scope, notes))


class NestedKerasBert(Layers):
    """The names of keras-bert's layers in a model that is a layer of another, in `.h5` files."""

    id = "keras-bert-nested"
    usual_scope = "model/"
    rows = tuple(_rows(_in_model))
    inside = KerasBert.inside

    def scopes(self, names: Collection[str]) -> list[str]:
        """Return the prefix of the name of the word embeddings: the name of the model, and what it is in."""
        found = (scope.split("/") for scope in super().scopes(names) if scope)
        return ["/".join(parts) for parts in found if parts[-2] != NAMES["token"] and parts[0] not in OF_TRAINING]

    def misordered(self, expected: Collection[str], scope: str, notes: Notes) -> list[tuple[str, str]]:
        """Return (layer, what is wrong) of layers and weights that the file lists in another order than the model's."""
        weights: dict[str, list[str]] = {}
        for parameter in expected:
            weight = self.stored_as(parameter, "")[0]
            weights.setdefault(weight.partition("/")[0], []).append(weight)
        return list(faults_of_model(weights, scope, notes))


class KerasBertTf(Layers):
    """The names of keras-bert's variables, in checkpoints and SavedModels of TensorFlow."""

    id = "keras-bert-tf"
    rows = tuple(_rows(_by_variable))
    inside = KerasBert.inside

    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a variable that a load does not read; scalars are states of an optimizer or a metric."""
        return TRAINING if spec.shape == () else super().class_of(name, spec, scope)


class NumberedKerasBert(Layers):
    """The numbered classes of keras-bert's layers, in `.weights.h5` and `.keras` files.

    Attributes:
        doubts: Group, in a file of the model alone -> the groups that it may be in this file.
    """

    id = "keras-bert-numbered"
    usual_scope = "layers/"
    rows = tuple(_rows(_by_number))
    inside = (
        "token_embedding/", "position_embedding/", "embedding/", "task_embedding/", _ATTENTION_CLASS, _FORWARD_CLASS,
    )  # fmt: skip
    norms = "layer_normalization"
    recorded = {  # noqa: RUF012  (the base class declares it)
        f"{NUMBERED[part]}/vars": NAMES[part] for part, _, _ in _parts()
    }
    doubts: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def placed(
        self,
        stored: Mapping[str, TensorSpec],
        groups: Collection[str],
        scope: str,
        label_of: Callable[[str], str | None],
    ) -> NumberedKerasBert:
        """Return the naming with the places of keras-bert's layers among those of a user."""
        found = groups_by_word(stored, scope, label_of)
        words = words_in(groups, scope)
        has_heads = NUMBERED["mlm bias"] in found
        is_whole = words <= _WORDS and len(found[_DENSE_CLASS]) == _N_DENSE
        moved: dict[str, str] = {}
        doubts: dict[str, tuple[str, ...]] = {}
        n_layers = max(count_layers(self, scope, stored), len(found[_FORWARD_CLASS]))
        for word, layers in self._layers(stored, scope, n_layers, has_heads=has_heads).items():
            is_dense = word == _DENSE_CLASS
            places = find_places(layers, found[word], is_chain=not is_dense, is_whole=is_dense and is_whole)
            moved.update(places.moved)
            doubts.update(places.unproven if has_heads or not is_dense else {})
        new = copy(self)
        new.moved, new.doubts = moved, doubts
        return new

    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a tensor that a load does not read; Keras's own attention has layers inside, keras-bert's none."""
        layer, has_variables, _ = name.removeprefix(scope).partition("/vars/")
        is_keras_s_own = has_variables and layer.startswith(_ATTENTION_CLASS) and "/" in layer
        return TASK if is_keras_s_own else super().class_of(name, spec, scope)

    def unproven(self, expected: Collection[str], scope: str, names: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return the name of a layer -> the groups that it may be, of the layers that a load reads."""
        labels = self.labels(expected, scope, names)
        found = {labels.get(f"{scope}{self._moved(group)}/vars"): rows for group, rows in self.doubts.items()}
        return {label: tuple(scope + row for row in rows) for label, rows in found.items() if label is not None}

    def _layers(
        self, stored: Mapping[str, TensorSpec], scope: str, n_layers: int, *, has_heads: bool
    ) -> dict[str, list[Layer]]:
        """Return the layers of the model that may be numbered otherwise, by class."""
        first = stored[self.stored_as(FIRST_VARIABLE, scope)[0]].shape
        hidden = first[-1] if first else 0
        norm, square = ((hidden,), (hidden,)), ((hidden, hidden), (hidden,))
        found: dict[str, list[Layer]] = {}

        def add(part: str, shapes: tuple[tuple[int, ...], ...], number: int = 0) -> None:
            filled = {**fields(number), "last": 2 * n_layers + 1}
            group = NUMBERED[part].format(**filled)
            found.setdefault(word_of(group), []).append(Layer(group, NAMES[part].format(**filled), shapes))

        add("segment", ((SEGMENTS, hidden),))
        add("norm", norm)
        for number in range(n_layers):
            add("attention norm", norm, number)
            add("forward norm", norm, number)
        if has_heads:
            add("mlm norm", norm)
        add("mlm", square)
        add("pooler", square)
        add("nsp", ((hidden, _SENTENCES), (_SENTENCES,)))
        return found
