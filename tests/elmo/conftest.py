"""What the tests of an ELMo's graphs in TensorFlow share."""

from __future__ import annotations

import warnings

import pytest


@pytest.fixture(scope="module")
def tf():
    """Return a TensorFlow that can build the graphs of bilm-tf and of TF-Hub's modules."""
    tensorflow = pytest.importorskip("tensorflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tensorflow.compat.v1.nn.rnn_cell.LSTMCell(2)
        except (AttributeError, ValueError, ImportError):
            pytest.skip("TensorFlow has no LSTMCell without tf-keras")
    return tensorflow
