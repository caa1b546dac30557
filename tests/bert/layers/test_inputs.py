"""The fixed texts that layers are computed of."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from safeload.bert.layers import LONGEST, fixed_inputs, without_padding
from safeload.errors import ArgumentError

SIZES = [(30, 20), (30522, 512), (119547, 512), (2, 1), (3, 2), (6, 3), (8, 7)]


@pytest.mark.parametrize(("vocab_size", "positions"), SIZES)
def test_texts_are_the_same_each_time_and_within_the_model(vocab_size, positions):
    inputs, again = fixed_inputs(vocab_size, positions), fixed_inputs(vocab_size, positions)
    length = min(positions, LONGEST)

    assert inputs.tokens.shape == inputs.segments.shape == inputs.mask.shape == (3, length)
    assert {each.dtype for each in (*inputs, inputs.mask)} == {np.dtype("int32")}
    assert all(map(np.array_equal, inputs, again))
    assert 0 <= inputs.tokens.min() <= inputs.tokens.max() < vocab_size
    assert inputs.mask[0].all()
    assert inputs.mask[:, 0].all()
    assert set(np.unique(inputs.segments)) <= {0, 1}


def test_they_have_padding_at_the_end_both_segments_and_tokens_of_the_whole_vocabulary():
    inputs = fixed_inputs(30522, 512)

    assert inputs.mask.sum(1).tolist() == [32, 24, 8]
    assert np.array_equal(np.sort(inputs.mask, 1)[:, ::-1], inputs.mask)
    assert inputs.segments.sum(1).tolist() == [16, 12, 4]
    assert not inputs.segments[inputs.mask == 0].any()
    tokens = inputs.tokens[inputs.mask == 1]
    assert len(set(tokens.tolist())) == tokens.size
    assert np.histogram(tokens, 8, (0, 30522))[0].min() >= 4


def test_tokens_of_a_small_vocabulary_are_all_used():
    assert set(fixed_inputs(20, 20).tokens.ravel().tolist()) == set(range(20))


def test_one_segment_is_one_segment():
    assert not fixed_inputs(30, 20, segments=1).segments.any()


def test_a_vocabulary_of_padding_alone_has_no_text():
    with pytest.raises(ArgumentError, match="vocab_size is 1, but a text needs a token besides padding"):
        fixed_inputs(1, 20)


def test_padding_is_zero_whatever_was_computed_there():
    values = np.full((1, 2, 3), np.nan)
    values[0, 0] = 2

    found = without_padding(values, np.array([[1, 0]]))
    assert found.tolist() == [[[2, 2, 2], [0, 0, 0]]]
    assert found.dtype == np.float32


def test_finding_the_module_of_a_runtime_imports_no_framework():
    code = (
        "import sys; from safeload.bert.layers import layers_of; from safeload.bert._runtimes import RUNTIMES;"
        "print(sorted(layers_of(each).compute.__module__ for each in RUNTIMES.values()));"
        "print({'tensorflow', 'torch', 'keras', 'keras_hub', 'transformers', 'numpy'} & set(sys.modules))"
    )
    modules, heavy = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split("\n")[:2]

    assert modules == str([f"safeload.bert.layers.{each}" for each in ("keras_bert", "keras_hub", "transformers")])
    assert heavy == "set()"
