"""List the parameters of a character-based biLM from its options, by their names in AllenNLP's HDF5 files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload.elmo._characters import N_CHARACTERS
from safeload.report import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload.elmo._options import ElmoOptions

CHARACTER_ROWS = "char_cnn.n_characters - 1"
SUM_OF_FILTERS = "sum of char_cnn.filters"
CHAR_EMBED = "char_embed"
DIRECTIONS = ("forward", "backward")
CELL = "RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
"""The group of an LSTM's datasets."""

MIX_WEIGHTS, MIX_SCALE = "aggregation/weights", "aggregation/scaling"
"""The learned weights of the layers' sum, before the softmax, and its scale; only TF-Hub's modules store them."""

_Size = tuple[str, int]


def list_parameters(options: ElmoOptions, *, with_mix: bool = False) -> dict[str, TensorSpec]:
    """List the parameters that a load reads; all are float32.

    Args:
        options: Validated `options.json`; sizes are counts of units, not bytes.
        with_mix: Whether the learned weights of the layers' sum, and its scale, are read too.

    Returns:
        Path in the file -> spec. `RNN_0` runs forward, `RNN_1` backward. `W_0` is the kernel of the input and the previous
        output together, `(2*projection_dim, 4*dim)`, with the gates in the order input, new memory, forget, output.

    Source:
        allennlp/modules/elmo.py, _ElmoCharacterEncoder._load_weights; allennlp/modules/elmo_lstm.py,
        ElmoLstm.load_weights, AllenNLP 2.10.1; allenai/bilm-tf, bilm/training.py, dump_weights.
    """
    mix = _mix(options) if with_mix else ()
    return {spec.name: spec for rows in (_encoder(options), _lstms(options), mix) for spec in rows}


def cell_of(direction: int, layer: int) -> str:
    """Return the group of an LSTM's datasets."""
    return CELL.format(direction=direction, layer=layer)


def _mix(options: ElmoOptions) -> Iterator[TensorSpec]:
    yield TensorSpec.of_sizes(MIX_WEIGHTS, ("", options.n_layers + 1))
    yield TensorSpec.of_sizes(MIX_SCALE, ("", 1))


def _encoder(options: ElmoOptions) -> Iterator[TensorSpec]:
    char_dim = ("char_cnn.embedding.dim", options.char_dim)
    n_filters = (SUM_OF_FILTERS, options.n_filters)
    projection = ("lstm.projection_dim", options.projection_dim)
    yield TensorSpec.of_sizes(CHAR_EMBED, (CHARACTER_ROWS, N_CHARACTERS - 1), char_dim)
    for index, (width, number) in enumerate(options.filters):
        columns = (f"char_cnn.filters[{index}][1]", number)
        yield TensorSpec.of_sizes(
            f"CNN/W_cnn_{index}", ("", 1), (f"char_cnn.filters[{index}][0]", width), char_dim, columns
        )
        yield TensorSpec.of_sizes(f"CNN/b_cnn_{index}", columns)
    for layer in range(options.n_highway):
        for part in ("carry", "transform"):
            yield TensorSpec.of_sizes(f"CNN_high_{layer}/W_{part}", n_filters, n_filters)
            yield TensorSpec.of_sizes(f"CNN_high_{layer}/b_{part}", n_filters)
    yield TensorSpec.of_sizes("CNN_proj/W_proj", n_filters, projection)
    yield TensorSpec.of_sizes("CNN_proj/b_proj", projection)


def _lstms(options: ElmoOptions) -> Iterator[TensorSpec]:
    projection = ("lstm.projection_dim", options.projection_dim)
    gates = ("4*lstm.dim", 4 * options.dim)
    for direction in range(len(DIRECTIONS)):
        for layer in range(options.n_layers):
            cell = cell_of(direction, layer)
            yield TensorSpec.of_sizes(f"{cell}/W_0", ("2*lstm.projection_dim", 2 * options.projection_dim), gates)
            yield TensorSpec.of_sizes(f"{cell}/B", gates)
            yield TensorSpec.of_sizes(f"{cell}/W_P_0", ("lstm.dim", options.dim), projection)
