"""The numbers of a tensor's values, and the remark that follows from them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from safeload.cli._statistics import HUGE_ABOVE, N_BLOCK, number, remark, statistics_of


def test_odd_values_are_counted_and_left_out_of_the_rest():
    found = statistics_of(np.array([[np.nan, np.inf, -np.inf], [0, 1, 3]], np.float32))

    assert (found.count, found.n_nan, found.n_infinite, found.n_zero) == (6, 1, 2, 1)
    assert (found.low, found.high, found.mean) == (0, 3, pytest.approx(4 / 3))
    assert found.std == pytest.approx(np.std([0, 1, 3]))
    assert found.to_dict()["n_infinite"] == 2


@pytest.mark.parametrize("middle", [0.0, 1e6])
def test_the_deviation_keeps_its_digits_over_several_blocks_and_far_from_0(middle):
    values = middle + np.random.default_rng(0).standard_normal(N_BLOCK + 17)
    found = statistics_of(values)

    assert found.count == values.size
    assert found.mean == pytest.approx(values.mean(), rel=1e-12, abs=1e-12)
    assert found.std == pytest.approx(values.std(), rel=1e-9)
    assert (found.low, found.high) == (values.min(), values.max())


@pytest.mark.parametrize("power", [-1073, -700, 0, 700, 1023])
def test_values_of_any_size_have_a_deviation(power):
    found = statistics_of(np.ldexp([1.0, -1.0, 1.0, -1.0, np.nan], power))

    assert (found.low, found.high) == (-(2.0**power), 2.0**power)
    assert (found.mean, found.std) == (0, 2.0**power)


@pytest.mark.parametrize(
    "values", [[1e200, 3e200], [1e-200, 3e-200], [-1e300, 1.7e308], [5e-324, 1.7976931348623157e308]]
)
def test_the_deviation_is_numpy_s_of_values_that_are_scaled(values):
    scale = max(map(abs, values))
    found = statistics_of(np.array(values * 5))

    assert found.mean == pytest.approx(np.mean(np.array(values) / scale) * scale, rel=1e-12)
    assert found.std == pytest.approx(np.std(np.array(values) / scale) * scale, rel=1e-12)


def test_the_largest_numbers_have_statistics_under_numpy_s_strictest_settings():
    largest = np.finfo(np.float64).max
    with np.errstate(all="raise"):
        for values in ([largest] * 3, [largest, -largest] * 3, [largest, 1e-300, np.inf, np.nan], []):
            found = statistics_of(np.array(values))
            assert found.std is None or math.isfinite(found.std + found.mean)


@pytest.mark.parametrize("values", [[], [np.nan], [np.inf, np.nan]])
def test_without_a_finite_value_there_is_no_mean(values):
    found = statistics_of(np.array(values, np.float64))

    assert (found.count, found.low, found.high, found.mean, found.std) == (len(values), None, None, None, None)


def test_other_types_have_statistics_where_there_is_a_fault_to_tell():
    words = np.array([b"a"], object)

    assert statistics_of(words) is None
    assert statistics_of(None) is None
    assert statistics_of(np.array([True])) is None
    assert statistics_of(words, "CHECKSUM: wrong").fault == "CHECKSUM: wrong"
    assert statistics_of(None, "TOO LARGE").count == 0


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1.0, 2.0], ""),
        ([0.0, 0.0], "all zeros"),
        ([0.0], "all zeros"),
        ([0.5, 0.5], "all the same"),
        ([0.5], ""),
        ([1.0, HUGE_ABOVE], ""),
        ([1.0, np.nextafter(HUGE_ABOVE, math.inf)], "exploded: beyond 1,000"),
        ([1.0, -2 * HUGE_ABOVE], "exploded: beyond 1,000"),
        ([2 * HUGE_ABOVE], ""),
        ([0.0, np.nan], "NOT FINITE"),
        ([0.0, np.inf], "NOT FINITE"),
        ([], ""),
    ],
)
def test_a_remark_says_what_is_odd(values, told):
    assert remark(statistics_of(np.array(values))) == told


def test_a_fault_is_the_remark():
    assert remark(statistics_of(np.zeros(3), "CHECKSUM: wrong")) == "CHECKSUM: wrong"


def test_a_number_has_four_digits():
    assert [number(value) for value in (None, 0.0, 1 / 3, -123456.0)] == ["-", "0", "0.3333", "-1.235e+05"]
