"""Tables of layers keep the size of the values, and differences are measured by it."""

from __future__ import annotations

import numpy as np
import pytest

from safeload._outputs.tables import N_PROJECTIONS, differences, reduced

RANDOM = np.random.default_rng(0)


def test_a_table_keeps_the_size_of_the_values_and_leaves_out_padding():
    values = RANDOM.standard_normal((50, 20, 64)).astype(np.float32)
    mask = np.ones((50, 20), np.int32)
    mask[1, 5:] = 0
    found = reduced(values, mask)

    assert found.shape == (50 * 20 - 15, N_PROJECTIONS)
    assert found.dtype == np.float32
    assert abs(float(np.sqrt(np.mean(found**2))) - 1) < 0.05
    np.testing.assert_array_equal(found, reduced(values, mask))
    assert reduced(values[:, 0], mask).shape == (50, N_PROJECTIONS)
    np.testing.assert_array_equal(np.sign(reduced(np.eye(4, dtype=np.float32), np.ones((4, 1)))), SIGNS)


SIGNS = [[1, 1, 1, 1], [-1, 1, -1, 1], [1, -1, 1, 1], [1, 1, -1, -1]]
"""What files that were saved depend on: another stream of signs would make every one of them a difference."""


def test_a_difference_is_a_part_of_the_size_of_the_layer():
    expected = {"x": np.full((2, 4), 100, np.float32)}
    (found,) = differences(expected, {"x": np.full((2, 4), 101, np.float32)})

    assert found.max_abs == pytest.approx(0.01)
    (found,) = differences({"x": np.zeros((2, 4), np.float32)}, {"x": np.zeros((2, 4), np.float32)})
    assert found.max_abs == 0


def test_layers_come_in_the_order_of_the_model_whatever_sorted_the_file():
    model = {name: np.ones((2, 4), np.float32) for name in ("embeddings", "layer 0", "layer 1", "layer 10", "pooler")}
    file = dict.fromkeys(("layer 10", "layer 1", "mlm", "pooler", "layer 0", "embeddings"), model["pooler"])

    assert [each.layer for each in differences(file, model)] == [*model, "mlm"]
