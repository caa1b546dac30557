"""The HDF5 datasets that a biLM of characters reads, from `ElmoOptions`; and what the others in a weight file are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from safeload.elmo._characters import N_CHARACTERS
from safeload.report import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from safeload.elmo._options import ElmoOptions

CHAR_EMBED = "char_embed"
DIRECTIONS = ("forward", "backward")

_Size = tuple[str, int]
_TRAINING = ("softmax", "global_step")


def list_datasets(options: ElmoOptions) -> dict[str, TensorSpec]:
    """List the datasets that a biLM reads, all float32.

    Args:
        options: Validated `options.json`; sizes are counts of units, not bytes.

    Returns:
        Path in the file -> spec. `RNN_0` runs forward, `RNN_1` backward; `W_0` is the kernel of the input and of the
        previous output together, `(2*projection_dim, 4*dim)`, with the gates input, new memory, forget, output.

    Source:
        allennlp/modules/elmo.py, _ElmoCharacterEncoder._load_weights; allennlp/modules/elmo_lstm.py,
        ElmoLstm.load_weights, AllenNLP 2.10.1; allenai/bilm-tf, bilm/training.py, dump_weights.
    """
    return {spec.name: spec for rows in (_encoder(options), _lstms(options)) for spec in rows}


def cell_of(direction: int, layer: int) -> str:
    """Return the group of an LSTM's datasets."""
    return f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"


def _encoder(options: ElmoOptions) -> Iterator[TensorSpec]:
    char_dim = ("char_cnn.embedding.dim", options.char_dim)
    n_filters = ("sum of char_cnn.filters", options.n_filters)
    projection = ("lstm.projection_dim", options.projection_dim)
    yield _spec(CHAR_EMBED, ("char_cnn.n_characters - 1", N_CHARACTERS - 1), char_dim)
    for index, (width, number) in enumerate(options.filters):
        columns = (f"char_cnn.filters[{index}][1]", number)
        yield _spec(f"CNN/W_cnn_{index}", ("", 1), (f"char_cnn.filters[{index}][0]", width), char_dim, columns)
        yield _spec(f"CNN/b_cnn_{index}", columns)
    for layer in range(options.n_highway):
        for part in ("carry", "transform"):
            yield _spec(f"CNN_high_{layer}/W_{part}", n_filters, n_filters)
            yield _spec(f"CNN_high_{layer}/b_{part}", n_filters)
    yield _spec("CNN_proj/W_proj", n_filters, projection)
    yield _spec("CNN_proj/b_proj", projection)


def _lstms(options: ElmoOptions) -> Iterator[TensorSpec]:
    projection = ("lstm.projection_dim", options.projection_dim)
    gates = ("4*lstm.dim", 4 * options.dim)
    for direction in range(len(DIRECTIONS)):
        for layer in range(options.n_layers):
            cell = cell_of(direction, layer)
            yield _spec(f"{cell}/W_0", ("2*lstm.projection_dim", 2 * options.projection_dim), gates)
            yield _spec(f"{cell}/B", gates)
            yield _spec(f"{cell}/W_P_0", ("lstm.dim", options.dim), projection)


def _spec(name: str, *sizes: _Size) -> TensorSpec:
    keys, shape = zip(*sizes, strict=True)
    return TensorSpec(name=name, shape=shape, dtype="float32", size_keys=keys)


def sort_unused(names: Iterable[str]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Sort what a load does not read: class -> names that only training needs, and the names that are unexpected."""
    training: list[str] = []
    unexpected: list[str] = []
    for name in names:
        (training if name.split("/", 1)[0] in _TRAINING else unexpected).append(name)
    return ({"training": tuple(training)} if training else {}), unexpected


def count_numbered(names: Iterable[str], pattern: str) -> int:
    """Return how many numbered things there are: 1 more than the largest number that `pattern` finds."""
    return max((int(match[1]) + 1 for name in names if (match := re.match(pattern, name))), default=0)


def recognise(datasets: Mapping[str, object], groups: Iterable[str]) -> tuple[str, str] | None:
    """Return what an HDF5 file without a biLM of characters is, and what to do; None where nothing is known."""
    top = {name.split("/", 1)[0] for name in (*datasets, *groups)}
    if "sentence_to_index" in top or (top and all(name.isdigit() for name in top)):
        hint = (
            "these are vectors that a biLM computed; pass the weights of the biLM itself, published as ..._weights.hdf5"
        )
        return "a file of computed embeddings", hint
    if "embedding" in top and CHAR_EMBED not in top and any(name.startswith("RNN_") for name in top):
        hint = "only biLMs of characters give an ELMo; pass the weights of one"
        return "the weights of a biLM of whole words", hint
    if top & {
        "model_weights",
        "layer_names",
        "optimizer_weights",
        "top_level_model_weights",
        "_layer_checkpoint_dependencies",
        "layers",
    }:
        return "a model that Keras saved", "load it with Keras"
    return None
