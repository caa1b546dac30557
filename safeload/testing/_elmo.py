"""Write tiny real ELMos: options and weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._arguments import as_python, as_python_tree, bad_argument
from safeload._boundary import typed_errors
from safeload._bytes.files import FileRef
from safeload._bytes.writing import new_files
from safeload.elmo._options import validate_options
from safeload.elmo._parameters import CHAR_EMBED, list_parameters
from safeload.testing._elmo_forms import ELMO_FORMS, write_elmo_form
from safeload.testing._forms import valid_form
from safeload.testing._writing import created, random_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from safeload._bytes.paths import StrPath
    from safeload.elmo._options import ElmoOptions

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
    form: str = "hdf5",
    layers: int | None = None,
    dim: int = 12,
    projection: int = 8,
    char_dim: int = 5,
    filters: Sequence[tuple[int, int]] = FILTERS,
    highways: int = 2,
    skip_connections: bool = True,
    seed: int = 0,
) -> Path:
    """Write an ELMo in any form that safeload reads: `options.json` if the form has it, and the weights.

    No framework is needed. The same arguments give the same values in each form.

    Args:
        folder: The folder to write to; created if missing.
        form: The form of the weights, as in `LoadReport.form`: "hdf5" for bilm-tf's `weights.hdf5`, which AllenNLP can
            load; "tensorflow" for bilm-tf's training checkpoints; "torch" for `weights.th`, the state dict of AllenNLP's
            `Elmo`. For another naming than the form's usual one, add it: "hdf5/one-layer" for bilm-tf's files of a biLM of one
            layer; "tensorflow/tf-hub" for TF-Hub's modules; "torch/model" for the archived folder of an AllenNLP model,
            without options.
        layers: `lstm.n_layers`, LSTM layers per direction. Defaults to 2, and to 1 in "hdf5/one-layer".
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
        ArgumentError: `form` or `seed` is invalid, or `layers` is not 1 in "hdf5/one-layer".
        UnreadableFileError: The folder cannot be created, or this process may not write there.
        FileSystemError: The system cannot write.

    Source:
        allenai/bilm-tf, bilm/training.py, dump_weights and train.
    """
    name = valid_form(form, ELMO_FORMS)
    lstm = {
        "use_skip_connections": skip_connections,
        "projection_dim": projection,
        "dim": dim,
        "n_layers": _n_layers(layers, name),
    }
    cnn = {"filters": filters, "n_highway": highways, "embedding": {"dim": char_dim}}
    parts = {"lstm": {**ELMO_OPTIONS["lstm"], **lstm}, "char_cnn": {**ELMO_OPTIONS["char_cnn"], **cnn}}
    options = as_python_tree(parts)
    datasets = elmo_datasets(options, seed=seed)
    path = created(folder)
    with new_files(path) as new:
        write_elmo_form(new, name, _valid(options), datasets)
    return path


def _n_layers(layers: object, form: str) -> object:
    is_one = form == "hdf5/one-layer"
    if is_one and as_python(layers) not in (None, 1):
        raise bad_argument("layers", layers, f"1 in the form {form}", ["leave it out"])
    return layers if layers is not None else 1 if is_one else 2


def elmo_datasets(options: Mapping[str, Any] = ELMO_OPTIONS, *, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Return random values, of an ELMo's magnitude, for every dataset that a biLM reads."""
    random = random_of(seed)
    datasets: dict[str, NDArray[Any]] = {}
    for name, spec in list_parameters(_valid(options)).items():
        n_inputs = math.prod(spec.shape[:-1]) if name != CHAR_EMBED else 1
        datasets[name] = random.standard_normal(spec.shape, np.float32) / np.float32(n_inputs**0.5)
    return datasets


def _valid(options: Mapping[str, Any]) -> ElmoOptions:
    return validate_options(dict(options), FileRef(path="the arguments", role="options"))
