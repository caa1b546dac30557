"""Write tiny real ELMos: options and weights."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from safeload._arguments import as_python_tree
from safeload._boundary import typed_errors
from safeload._bytes.files import FileRef
from safeload._bytes.writing import new_files
from safeload.elmo._options import validate_options
from safeload.elmo._parameters import CHAR_EMBED, list_parameters
from safeload.testing._writing import created, random_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from safeload._bytes.paths import StrPath

OPTIONS_NAME, WEIGHTS_NAME = "options.json", "weights.hdf5"
FILTERS = ((1, 4), (2, 6), (3, 8))
ELMO_OPTIONS: dict[str, dict[str, Any]] = {
    "lstm": {
        "use_skip_connections": True,
        "projection_dim": 8,
        "cell_clip": 3,
        "proj_clip": 3,
        "dim": 12,
        "n_layers": 2,
    },
    "char_cnn": {
        "activation": "relu",
        "filters": [list(each) for each in FILTERS],
        "n_highway": 2,
        "embedding": {"dim": 5},
        "n_characters": 262,
        "max_characters_per_token": 50,
    },
}


@typed_errors
def write_elmo(  # noqa: PLR0913  (what a test varies)
    folder: StrPath,
    *,
    layers: int = 2,
    dim: int = 12,
    projection: int = 8,
    char_dim: int = 5,
    filters: Sequence[tuple[int, int]] = FILTERS,
    highways: int = 2,
    skip_connections: bool = True,
    seed: int = 0,
) -> Path:
    """Write an ELMo as bilm-tf does: `options.json` and `weights.hdf5`, which AllenNLP can load.

    Args:
        folder: The folder to write to; created if missing.
        layers: `lstm.n_layers`, LSTM layers per direction.
        dim: `lstm.dim`, units of an LSTM's cell.
        projection: `lstm.projection_dim`, units of an LSTM's output.
        char_dim: `char_cnn.embedding.dim`, units of a character's vector.
        filters: `char_cnn.filters`, width and number of each convolution.
        highways: `char_cnn.n_highway`, highway layers.
        skip_connections: `lstm.use_skip_connections`; AllenNLP rejects a model without them.
        seed: Seed of the values, which are normal and divided by the square root of the number of inputs.

    Returns:
        The folder.

    Raises:
        InvalidPathError: `folder` is invalid.
        ConfigError: The sizes do not describe an ELMo.
        ArgumentError: `seed` is not an integer from 0.
        UnreadableFileError: The folder cannot be created, or this process may not write there.
        FileSystemError: The system cannot write.

    Source:
        allenai/bilm-tf, bilm/training.py, dump_weights.
    """
    lstm = {"use_skip_connections": skip_connections, "projection_dim": projection, "dim": dim, "n_layers": layers}
    cnn = {"filters": filters, "n_highway": highways, "embedding": {"dim": char_dim}}
    parts = {"lstm": {**ELMO_OPTIONS["lstm"], **lstm}, "char_cnn": {**ELMO_OPTIONS["char_cnn"], **cnn}}
    options = as_python_tree(parts)
    datasets = elmo_datasets(options, seed=seed)
    path = created(folder)
    with new_files(path) as new:
        (new / OPTIONS_NAME).write_text(json.dumps(options, indent=2), encoding="utf-8")
        write_weights(new / WEIGHTS_NAME, datasets)
    return path


def elmo_datasets(options: Mapping[str, Any] = ELMO_OPTIONS, *, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Return random values, of an ELMo's magnitude, for every dataset that a biLM reads."""
    random = random_of(seed)
    datasets: dict[str, NDArray[Any]] = {}
    valid = validate_options(dict(options), FileRef(path="the arguments", role="options"))
    for name, spec in list_parameters(valid).items():
        n_inputs = math.prod(spec.shape[:-1]) if name != CHAR_EMBED else 1
        datasets[name] = random.standard_normal(spec.shape, np.float32) / np.float32(n_inputs**0.5)
    return datasets


def write_weights(path: Path, datasets: Mapping[str, NDArray[Any]]) -> None:
    """Write datasets to an HDF5 file."""
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
