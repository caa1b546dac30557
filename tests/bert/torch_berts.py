"""Tiny BERTs for the tests of transformers, and what those tests ask of a model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from safeload import testing
from safeload.testing._bert import BERT_CONFIG, bert_tensors
from safeload.testing._forms import write_form

IDS = [[2, 5, 7, 9, 3], [2, 8, 3, 0, 0]]
SEGMENTS = [[0, 0, 1, 1, 1], [0, 0, 0, 0, 0]]
MASK = [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]


def required():
    """Skip where transformers is missing or of a version that safeload does not build with; return torch and transformers."""
    transformers = pytest.importorskip("transformers", minversion="4.57")
    return pytest.importorskip("torch"), transformers


def inputs(torch):
    """Return what a model of transformers is called with."""
    names = ("input_ids", "token_type_ids", "attention_mask")
    return {name: torch.tensor(values) for name, values in zip(names, (IDS, SEGMENTS, MASK), strict=True)}


def write_loud(folder, form="tensorflow", *, more=None, **changed):
    """Write a BERT whose values are large enough to tell one GELU from the other, with other tensors and keys of the config."""
    config = {**BERT_CONFIG, **changed}
    tensors = bert_tensors({key: value for key, value in config.items() if key in BERT_CONFIG})
    loud = {name: value * np.float32(1 if "LayerNorm" in name else 15) for name, value in tensors.items()}
    testing.write_bert(folder)
    for path in folder.glob("bert_*"):
        path.unlink()
    write_form(folder, form, config, {**loud, **(more or {})})
    return folder


def edit_config(folder, **changed):
    """Change keys of the config."""
    (path,) = folder.glob("*config.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


def bits(model):
    """Return the bits of what a model saves."""
    return {
        name: (str(value.dtype), value.contiguous().numpy().tobytes()) for name, value in model.state_dict().items()
    }
