"""Write the state dict of an ELMo as AllenNLP keeps it, alone and in the folder of a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from safeload.elmo._module import CHARACTERS, ENCODER, LSTMS, SUM, list_module_parameters
from safeload.elmo._parameters import CHAR_EMBED, DIRECTIONS, cell_of
from safeload.testing._torch import write_torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from safeload.elmo._options import ElmoOptions

    Tensors = Mapping[str, NDArray[Any]]

WEIGHTS_NAME = "weights.th"
SCOPE = "_text_field_embedder.token_embedder_elmo._elmo._elmo_lstm."
"""The prefix of the names of the biLM in a model of AllenNLP."""

_AROUND = SCOPE.removesuffix(f"{LSTMS}.")
_GATES = (0, 2, 1, 3)
"""Position in an HDF5 file of each of the module's gates: input, forget, new memory, output."""
_FORGET = 1
_LABELS = ("0", "1")
_CONFIG = {
    "dataset_reader": {"type": "text_classification_json", "token_indexers": {"elmo": {"type": "elmo_characters"}}},
    "model": {
        "type": "basic_classifier",
        "text_field_embedder": {
            "token_embedders": {
                "elmo": {
                    "type": "elmo_token_embedder",
                    "options_file": "https://example.org/elmo_options.json",
                    "weight_file": "https://example.org/elmo_weights.hdf5",
                }
            }
        },
    },
}


def module_values(datasets: Tensors, options: ElmoOptions) -> dict[str, NDArray[Any]]:
    """Return the values of AllenNLP's module that has read these datasets, by their names in a biLM.

    Source:
        allennlp/modules/elmo.py and elmo_lstm.py, AllenNLP 2.10.1.
    """
    found = dict(_values(datasets, options))
    return {name: np.ascontiguousarray(found[name], np.float32) for name in list_module_parameters(options)}


def _values(datasets: Tensors, options: ElmoOptions) -> Iterator[tuple[str, NDArray[Any]]]:
    table = datasets[CHAR_EMBED]
    yield CHARACTERS, np.concatenate([np.zeros_like(table[:1]), table])
    for index in range(len(options.filters)):
        yield f"{ENCODER}.char_conv_{index}.weight", datasets[f"CNN/W_cnn_{index}"][0].transpose(2, 1, 0)
        yield f"{ENCODER}.char_conv_{index}.bias", datasets[f"CNN/b_cnn_{index}"]
    for layer in range(options.n_highway):
        name, group = f"{ENCODER}._highways._layers.{layer}", f"CNN_high_{layer}"
        for part, stored in (("weight", "W"), ("bias", "b")):
            halves = datasets[f"{group}/{stored}_transform"].T, -datasets[f"{group}/{stored}_carry"].T
            yield f"{name}.{part}", np.concatenate(halves)
    yield f"{ENCODER}._projection.weight", datasets["CNN_proj/W_proj"].T
    yield f"{ENCODER}._projection.bias", datasets["CNN_proj/b_proj"]
    for layer in range(options.n_layers):
        for direction, word in enumerate(DIRECTIONS):
            yield from _cell(datasets, cell_of(direction, layer), f"{LSTMS}.{word}_layer_{layer}", options)


def _cell(datasets: Tensors, cell: str, name: str, options: ElmoOptions) -> Iterator[tuple[str, NDArray[Any]]]:
    kernel = datasets[f"{cell}/W_0"].reshape(2, options.projection_dim, 4, options.dim)[:, :, _GATES]
    for half, part in zip(kernel, ("input_linearity", "state_linearity"), strict=True):
        yield f"{name}.{part}.weight", half.reshape(options.projection_dim, -1).T
    bias = datasets[f"{cell}/B"].reshape(4, options.dim)[list(_GATES)]
    bias[_FORGET] += 1
    yield f"{name}.state_linearity.bias", bias.reshape(-1)
    yield f"{name}.state_projection.weight", datasets[f"{cell}/W_P_0"].T


def write_state_dict(folder: Path, tensors: Tensors) -> None:
    """Write the state dict of an ELMo, as torch.save does."""
    write_torch(folder / WEIGHTS_NAME, tensors)


def write_model(folder: Path, tensors: Tensors) -> None:
    """Write the files that AllenNLP puts into an archive."""
    write_state_dict(folder, tensors)
    (folder / "config.json").write_text(json.dumps(_CONFIG, indent=4), encoding="utf-8", newline="\n")
    (folder / "meta.json").write_text('{"version": "2.10.1"}', encoding="utf-8", newline="\n")
    (folder / "vocabulary").mkdir()
    (folder / "vocabulary" / "labels.txt").write_text("\n".join(_LABELS) + "\n", encoding="utf-8", newline="\n")
    (folder / "vocabulary" / "non_padded_namespaces.txt").write_text("*tags\n*labels\n", encoding="utf-8", newline="\n")


def others_of_model(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """Return the learned sum of the layers, and the classifier that is built on it."""
    size = tensors[f"{SCOPE}{ENCODER}._projection.bias"].size
    n_layers = sum(name.endswith(".state_linearity.bias") for name in tensors) // len(DIRECTIONS)
    weights = np.linspace(-0.5, 0.25, n_layers + 1, dtype=np.float32)
    return {
        f"{_AROUND}{SUM}.gamma": np.full(1, 1.5, np.float32),
        **{f"{_AROUND}{SUM}.scalar_parameters.{at}": weights[at : at + 1] for at in range(n_layers + 1)},
        "_classification_layer.weight": np.full((len(_LABELS), 2 * size), 0.5, np.float32),
        "_classification_layer.bias": np.zeros(len(_LABELS), np.float32),
    }
