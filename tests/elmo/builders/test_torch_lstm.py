"""The LSTMs alone, for rows that a sentence with its marks never is."""

from __future__ import annotations

import pytest
import torch

import safeload
from safeload.errors import ArgumentError

LENGTHS = [(4, 2), (3, 0, 2), (1, 4, 0), (2,), (0, 0, 3)]


@pytest.fixture
def lstms(tiny_elmo):
    """Return four that are equal: for a batch, and for each of its rows."""
    return [safeload.load_elmo(tiny_elmo, backend="torch")._elmo_lstm._elmo_lstm for _ in range(4)]


def test_a_row_without_tokens_gives_zeros_and_keeps_its_state(lstms):
    together, *alone = lstms
    vectors = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for lengths in LENGTHS:
            mask = torch.arange(4) < torch.tensor(lengths).unsqueeze(1)
            layers = together(vectors[: len(lengths)], mask)
            assert layers.shape == (2, len(lengths), 4, 16)
            for row, length in enumerate(lengths):
                assert not layers[:, row, length:].any()
                if length:
                    wanted = alone[row](vectors[row : row + 1, :length], mask[row : row + 1, :length])
                    assert (layers[:, row, :length] - wanted[:, 0]).abs().max() < 1e-6


def test_a_state_can_be_forgotten_before_there_is_one(lstms):
    lstms[0].reset_states(torch.tensor([True, False]))

    assert lstms[0]._states is None


@pytest.mark.parametrize("shape", [(1,), (2, 1), (3,)])
def test_a_mask_for_another_number_of_rows_is_told(lstms, shape):
    with torch.no_grad():
        lstms[0](torch.ones(2, 3, 8), torch.ones(2, 3, dtype=torch.bool))
    with pytest.raises(ArgumentError) as caught:
        lstms[0].reset_states(torch.ones(shape, dtype=torch.bool))

    assert caught.value.message == f"mask must have the shape (2,) of the state's rows, not {shape}"
    assert caught.value.argument == "mask"
    assert caught.value.hints == ("leave it out to reset every row",)
