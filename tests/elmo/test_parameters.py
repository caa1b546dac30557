"""The datasets of a biLM and their shapes, which follow from its options."""

from __future__ import annotations

from safeload.elmo._options import validate_options
from safeload.elmo._parameters import list_parameters
from tests.elmos import options
from tests.opened import ref

CELL = "RNN/MultiRNNCell/Cell{}/LSTMCell"


def test_the_datasets_are_those_of_the_options_with_the_keys_of_their_sizes():
    specs = list_parameters(
        validate_options(options(char_cnn={"filters": [[1, 4], [2, 6]], "n_highway": 1}), ref("/o", "options"))
    )
    filters, dim, projected = "sum of char_cnn.filters", "lstm.dim", "lstm.projection_dim"
    cells = {
        f"RNN_{direction}/{CELL.format(layer)}/{name}": row
        for direction in (0, 1)
        for layer in (0, 1)
        for name, row in {
            "W_0": ((16, 48), (f"2*{projected}", f"4*{dim}")),
            "B": ((48,), (f"4*{dim}",)),
            "W_P_0": ((12, 8), (dim, projected)),
        }.items()
    }

    assert {name: (spec.shape, spec.size_keys) for name, spec in specs.items()} == {
        "char_embed": ((261, 5), ("char_cnn.n_characters - 1", "char_cnn.embedding.dim")),
        "CNN/W_cnn_0": (
            (1, 1, 5, 4),
            ("", "char_cnn.filters[0][0]", "char_cnn.embedding.dim", "char_cnn.filters[0][1]"),
        ),
        "CNN/b_cnn_0": ((4,), ("char_cnn.filters[0][1]",)),
        "CNN/W_cnn_1": (
            (1, 2, 5, 6),
            ("", "char_cnn.filters[1][0]", "char_cnn.embedding.dim", "char_cnn.filters[1][1]"),
        ),
        "CNN/b_cnn_1": ((6,), ("char_cnn.filters[1][1]",)),
        "CNN_high_0/W_carry": ((10, 10), (filters, filters)),
        "CNN_high_0/b_carry": ((10,), (filters,)),
        "CNN_high_0/W_transform": ((10, 10), (filters, filters)),
        "CNN_high_0/b_transform": ((10,), (filters,)),
        "CNN_proj/W_proj": ((10, 8), (filters, projected)),
        "CNN_proj/b_proj": ((8,), (projected,)),
        **cells,
    }
    assert {spec.dtype for spec in specs.values()} == {"float32"}
