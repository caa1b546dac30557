"""The numbers that bilm-tf's own TensorFlow graph computed, where the reference data lies beside the checkout."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import safeload

REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "elmo_bilm"
TOP = 2

pytestmark = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason="the reference data of bilm-tf is not beside the checkout"
)


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_the_top_layer_equals_tensorflow(backend):
    module = safeload.load_elmo(REFERENCE / "options.json", REFERENCE / "lm_weights.hdf5", backend=backend).eval()
    lists = json.loads((REFERENCE / "lm_embeddings_sentences.json").read_text(encoding="utf-8"))
    wanted = [h5py.File(REFERENCE / f"lm_embeddings_{number}.hdf5", "r") for number in range(3)]
    largest = 0.0
    for batch in range(10):
        sentences = [lists[number][batch].split() for number in range(3)]
        with torch.no_grad():
            top = module._elmo_lstm(safeload.character_ids(sentences))["activations"][TOP].numpy()
        for row, sentence in enumerate(sentences):
            values = np.concatenate(wanted[row][str(batch)][...], axis=-1)
            assert values.shape == (len(sentence), 32)
            largest = max(largest, np.abs(top[row, 1 : len(sentence) + 1] - values).max())

    assert safeload.report_of(module).backend == "torch"
    assert largest < 1e-5
