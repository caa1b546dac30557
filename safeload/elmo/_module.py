"""List the parameters of a biLM as AllenNLP's torch module has them, and compute the datasets of an HDF5 file from them.

The module's values are not the file's: it has other matrices, transposed, with the gates in another order; it adds 1 to the biases of
the forget gates, and has a row for padding before the characters.

Source:
    allennlp/modules/elmo.py and elmo_lstm.py, AllenNLP 2.10.1.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from safeload.elmo._characters import N_CHARACTERS
from safeload.elmo._parameters import CHAR_EMBED, DIRECTIONS, MIX_SCALE, MIX_WEIGHTS, SUM_OF_FILTERS, list_parameters
from safeload.report import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping

    from numpy.typing import NDArray

    from safeload.elmo._options import ElmoOptions

    Array = NDArray[Any]

ENCODER, LSTMS = "_token_embedder", "_elmo_lstm"
"""The modules in a biLM."""

CHARACTERS = f"{ENCODER}._char_embedding_weights"
ROWS = "char_cnn.n_characters"
SUM = "scalar_mix_0"
"""The first weighted sum, beside the biLM."""

SECOND_SUM = "scalar_mix_1.gamma"
"""A parameter of the second one."""

_CONVOLUTION = re.compile(r"CNN/([Wb])_cnn_(\d+)")
_HIGHWAY = re.compile(r"CNN_high_(\d+)/([Wb])_(carry|transform)")
_CELL = re.compile(r"RNN_(\d)/RNN/MultiRNNCell/Cell(\d+)/LSTMCell/(\w+)")
_PARTS = {"W": "weight", "b": "bias"}
_GATES = (0, 2, 1, 3)
"""Position in the module of each of the file's gates: input, new memory, forget, output."""
_FORGET = 2
_N_STRIP_ROWS = 64


def list_module_parameters(options: ElmoOptions, *, with_mix: bool = False) -> dict[str, TensorSpec]:
    """List the parameters of the module that a load reads; all are float32.

    Args:
        options: Validated `options.json`.
        with_mix: Whether the learned weights of the first weighted sum, and its scale, are read too.

    Returns:
        Name in the biLM, or of a sum beside it -> spec.
    """
    rows = [*_encoder(options), *_lstms(options), *(_mix(options) if with_mix else ())]
    return {name: TensorSpec.of_sizes(name, *sizes) for name, *sizes in rows}


def sizes_of(shape_of: Callable[[str], tuple[int, ...]]) -> dict[str, dict[str, Any]]:
    """Return the options that the shapes of a module's parameters prove.

    Args:
        shape_of: Returns the shape of a parameter, () for one that is not there.

    Raises:
        ValueError: A parameter is missing, or has another number of dimensions.
    """
    projection, dim = shape_of(f"{LSTMS}.forward_layer_0.state_projection.weight")
    _, char_dim = shape_of(CHARACTERS)
    filters: list[list[int]] = []
    while shape := shape_of(f"{ENCODER}.char_conv_{len(filters)}.weight"):
        number, _, width = shape
        filters.append([width, number])
    n_layers = _count(shape_of, LSTMS + ".forward_layer_{}.state_projection.weight")
    n_highway = _count(shape_of, ENCODER + "._highways._layers.{}.weight")
    return {
        "lstm": {"projection_dim": projection, "dim": dim, "n_layers": n_layers},
        "char_cnn": {"filters": filters, "n_highway": n_highway, "embedding": {"dim": char_dim}},
    }


def _count(shape_of: Callable[[str], tuple[int, ...]], name: str) -> int:
    return next(number for number in itertools.count() if not shape_of(name.format(number)))


def take_sum(values: MutableMapping[str, Array]) -> tuple[list[float], float]:
    """Take the weights of the first weighted sum, and its scale, out of the values of a file."""
    if MIX_SCALE in values:
        return values.pop(MIX_WEIGHTS).tolist(), float(values.pop(MIX_SCALE)[0])
    scale = float(values.pop(f"{SUM}.gamma")[0])
    return [float(values.pop(name)[0]) for name in list(values) if name.startswith(f"{SUM}.")], scale


def _mix(options: ElmoOptions) -> Iterator[tuple[Any, ...]]:
    for layer in range(options.n_layers + 1):
        yield f"{SUM}.scalar_parameters.{layer}", ("", 1)
    yield f"{SUM}.gamma", ("", 1)


def _encoder(options: ElmoOptions) -> Iterator[tuple[Any, ...]]:
    char_dim = ("char_cnn.embedding.dim", options.char_dim)
    n_filters = (SUM_OF_FILTERS, options.n_filters)
    both = (f"2*{SUM_OF_FILTERS}", 2 * options.n_filters)
    projection = ("lstm.projection_dim", options.projection_dim)
    yield CHARACTERS, (ROWS, N_CHARACTERS), char_dim
    for index, (width, number) in enumerate(options.filters):
        rows, columns = (f"char_cnn.filters[{index}][1]", number), (f"char_cnn.filters[{index}][0]", width)
        yield f"{ENCODER}.char_conv_{index}.weight", rows, char_dim, columns
        yield f"{ENCODER}.char_conv_{index}.bias", rows
    for layer in range(options.n_highway):
        yield f"{ENCODER}._highways._layers.{layer}.weight", both, n_filters
        yield f"{ENCODER}._highways._layers.{layer}.bias", both
    yield f"{ENCODER}._projection.weight", projection, n_filters
    yield f"{ENCODER}._projection.bias", projection


def _lstms(options: ElmoOptions) -> Iterator[tuple[Any, ...]]:
    projection, dim = ("lstm.projection_dim", options.projection_dim), ("lstm.dim", options.dim)
    gates = ("4*lstm.dim", 4 * options.dim)
    for layer in range(options.n_layers):
        for word in DIRECTIONS:
            cell = f"{LSTMS}.{word}_layer_{layer}"
            yield f"{cell}.input_linearity.weight", gates, projection
            yield f"{cell}.state_linearity.weight", gates, projection
            yield f"{cell}.state_linearity.bias", gates
            yield f"{cell}.state_projection.weight", projection, dim


def is_of_module(values: Mapping[str, Any]) -> bool:
    """Return whether values are those of the module, not the datasets of an HDF5 file."""
    return CHARACTERS in values


def as_datasets(values: Mapping[str, Array], options: ElmoOptions) -> Mapping[str, Array]:
    """Return values as the datasets of an HDF5 file; those of a module lose the last bit of a few biases, see `notes_of_datasets`."""
    if not is_of_module(values):
        return values
    return {name: dataset_of(name, values, options) for name in list_parameters(options)}


def notes_of_datasets(values: Mapping[str, Array], options: ElmoOptions) -> list[str]:
    """Return the note on the biases of a module that are others once 1 is subtracted and added again."""
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    dim = options.dim
    gates = [values[name][dim : 2 * dim] for name in values if name.endswith(".state_linearity.bias")]
    n_inexact = sum(int(np.count_nonzero((gate - 1) + 1 != gate)) for gate in gates)
    if not n_inexact:
        return []
    what = f"{n_inexact:,} of {dim * len(gates):,} biases of the forget gates"
    return [f"{what} differ in their last bit: the file has them with 1 added, and the layer without"]


def dataset_of(name: str, held: Mapping[str, Array], options: ElmoOptions) -> Array:
    """Return the values of a dataset, of the values of the module.

    Raises:
        KeyError: The module lacks a parameter.
    """
    if name == CHAR_EMBED:
        return held[CHARACTERS][1:]
    if match := _CONVOLUTION.fullmatch(name):
        found: Array = held[f"{ENCODER}.char_conv_{match[2]}.{_PARTS[match[1]]}"]
        return found.transpose(2, 1, 0)[None] if match[1] == "W" else found
    if match := _HIGHWAY.fullmatch(name):
        both = held[f"{ENCODER}._highways._layers.{match[1]}.{_PARTS[match[2]]}"]
        half = len(both) // 2
        return _turned(both[:half]) if match[3] == "transform" else -_turned(both[half:])
    if match := _CELL.fullmatch(name):
        return _cell(held, f"{LSTMS}.{DIRECTIONS[int(match[1])]}_layer_{match[2]}", match[3], options)
    return _turned(held[f"{ENCODER}._projection.{_PARTS[name.split('/')[1][0]]}"])


def _cell(held: Mapping[str, Array], cell: str, part: str, options: ElmoOptions) -> Array:
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    if part == "W_P_0":
        return _turned(held[f"{cell}.state_projection.weight"])
    inputs, dim = options.projection_dim, options.dim
    if part == "B":
        bias: Array = held[f"{cell}.state_linearity.bias"].reshape(4, dim)[list(_GATES)]
        bias[_FORGET] -= 1
        return bias.reshape(-1)
    kernel = np.empty((2 * inputs, 4 * dim), held[f"{cell}.input_linearity.weight"].dtype)
    for rows, linear in ((slice(None, inputs), "input_linearity"), (slice(inputs, None), "state_linearity")):
        weight = held[f"{cell}.{linear}.weight"]
        for place, gate in enumerate(_GATES):
            _turn(weight[gate * dim : (gate + 1) * dim], kernel[rows, place * dim : (place + 1) * dim])
    return kernel


def _turned(values: Array) -> Array:
    """Return the transpose of a matrix in C order, and a vector as it is."""
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    if values.ndim == 1:
        return values
    out = np.empty(values.shape[::-1], values.dtype)
    _turn(values, out)
    return out


def _turn(values: Array, out: Array) -> None:
    """Copy the transpose by strips of rows, since NumPy's own copy misses the cache."""
    for start in range(0, len(values), _N_STRIP_ROWS):
        out[:, start : start + _N_STRIP_ROWS] = values[start : start + _N_STRIP_ROWS].T
