"""Real ELMos, written by h5py, and the backends that are installed."""

from __future__ import annotations

import copy
import importlib.util
import json

from safeload.testing._elmo import ELMO_OPTIONS as OPTIONS
from safeload.testing._elmo import elmo_datasets as random_datasets
from safeload.testing._elmo_forms import OPTIONS_NAME, WEIGHTS_NAME, write_weights
from tests.opened import opened_hdf5

__all__ = [
    "BACKENDS",
    "OPTIONS",
    "OPTIONS_NAME",
    "WEIGHTS_NAME",
    "options",
    "random_datasets",
    "write_elmo",
    "write_weights",
]

BACKENDS = ("allennlp", "torch") if importlib.util.find_spec("allennlp") else ("torch",)


def write_elmo(folder, options=OPTIONS):
    """Write an ELMo of these options."""
    (folder / OPTIONS_NAME).write_text(json.dumps(options))
    write_weights(folder / WEIGHTS_NAME, random_datasets(options))


def options(**changes):
    """Return the tiny model's options with keys changed: `options(lstm={"dim": 5})`; None removes a key."""
    edited = copy.deepcopy(OPTIONS)
    for part, keys in changes.items():
        for key, value in keys.items():
            if value is None:
                edited[part].pop(key)
            else:
                edited[part][key] = value
    return edited


SMALLEST = options(lstm={"n_layers": 1}, char_cnn={"filters": [[2, 8]], "n_highway": 1})
"""Where a graph is traced often: one layer, one filter."""


def values_of(path):
    """Return what safeload reads of a weight file."""
    with opened_hdf5(str(path)) as file:
        return file.read(file.datasets)
