"""Arguments that are not paths, whatever the model."""

from __future__ import annotations

import math

import numpy as np
import pytest

from safeload._arguments import bad_argument, is_int, is_number, require_patterns
from safeload.errors import ArgumentError


@pytest.mark.parametrize(
    ("value", "integer", "number"),
    [
        (0, True, True),
        (10**30, True, True),
        (True, False, False),
        (1.0, False, True),
        (math.nan, False, False),
        (-math.inf, False, False),
        ("1", False, False),
        (None, False, False),
        (np.float64(2), False, True),
    ],
)
def test_a_bool_is_no_number_and_neither_is_nan(value, integer, number):
    assert (is_int(value), is_number(value)) == (integer, number)


def test_the_error_names_argument_value_and_the_file_that_contradicts_it():
    error = bad_argument("seq_len", 9, "at most 8", ["pass 8"], label="config", resolved="/c")

    assert error.message == "seq_len must be at most 8, not 9"
    assert (error.argument, error.given, error.hints) == ("seq_len", 9, ("pass 8",))
    assert (error.label, error.resolved) == ("config", "/c")


@pytest.mark.parametrize("patterns", [["a/*", "b"], ("a/*", "b"), iter(["a/*", "b"]), {"a/*": 1, "b": 2}])
def test_patterns_are_of_any_collection(patterns):
    assert require_patterns(patterns, example="x") == ("a/*", "b")


@pytest.mark.parametrize(
    ("given", "shown", "hint"),
    [
        ("a/*", "'a/*'", "write a list: ['x/*']"),
        (b"a", "b'a'", "write a list: ['x/*']"),
        (None, "None", "write a list: ['x/*']"),
        (["a", 1], "1", "each pattern is a str"),
    ],
)
def test_what_is_no_list_of_patterns_is_told(given, shown, hint):
    with pytest.raises(ArgumentError) as caught:
        require_patterns(given, example="x/*")
    assert caught.value.message == f"ignore_unused must be a list of patterns, not {shown}"
    assert (caught.value.argument, caught.value.hints) == ("ignore_unused", (hint,))
