"""A tiny real ELMo: h5py writes its weights, safeload loads them through each backend."""

from __future__ import annotations

import importlib.util
import json
import math
from typing import TYPE_CHECKING, Any

import safeload
from safeload.demo._show import cut_in_half, show_faults, show_files, write_lfs_pointer
from safeload.elmo._datasets import CHAR_EMBED, list_datasets
from safeload.elmo._options import validate_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

OPTIONS: dict[str, dict[str, Any]] = {
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
        "filters": [[1, 4], [2, 6], [3, 8]],
        "n_highway": 2,
        "embedding": {"dim": 5},
        "n_characters": 262,
        "max_characters_per_token": 50,
    },
}
OPTIONS_NAME, WEIGHTS_NAME = "options.json", "weights.hdf5"
SENTENCES = [["A", "good", "film", "."], ["Bad", "."]]


def run(folder: Path, show: Callable[[str], None]) -> None:
    """Show what loads and what does not, one paragraph each."""
    folder = folder / "elmo_tiny"
    folder.mkdir()
    write_elmo(folder)
    show_files("h5py wrote a tiny ELMo:", folder, show)
    show_forms(folder, show)
    show_faults(folder, FAULTS, safeload.load_elmo, show)


def write_elmo(folder: Path, options: Mapping[str, Any] = OPTIONS) -> None:
    """Write options and weights of random values, as bilm-tf lays them out."""
    (folder / OPTIONS_NAME).write_text(json.dumps(options, indent=2), encoding="utf-8")
    write_weights(folder / WEIGHTS_NAME, random_datasets(options))


def random_datasets(options: Mapping[str, Any] = OPTIONS, *, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Return random values, of the size that an ELMo's have, for every dataset that a biLM reads."""
    import numpy as np  # noqa: PLC0415  (not for `safeload --help`)

    random = np.random.default_rng(seed)
    datasets = {}
    for name, spec in list_datasets(validate_options(options, path="demo")).items():
        n_inputs = math.prod(spec.shape[:-1]) if name != CHAR_EMBED else 1
        datasets[name] = random.standard_normal(spec.shape, np.float32) / np.float32(n_inputs**0.5)
    return datasets


def write_weights(path: Path, datasets: Mapping[str, NDArray[Any]]) -> None:
    """Write an HDF5 file of name -> values."""
    import h5py  # noqa: PLC0415  (not for `safeload --help`)

    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values


def show_forms(folder: Path, show: Callable[[str], None]) -> None:
    """Load the weights by each form of the call, through each backend that is installed."""
    import torch  # noqa: PLC0415  (not for `safeload --help`)

    show("\nEvery form of the call loads the same module:")
    ids = safeload.character_ids(SENTENCES)
    first = None
    backends = ("allennlp", "torch") if importlib.util.find_spec("allennlp") else ("torch",)
    for backend in backends:
        for form, given in (("folder", (folder,)), ("two files", (folder / OPTIONS_NAME, folder / WEIGHTS_NAME))):
            module = safeload.load_elmo(*given, backend=backend).eval()
            with torch.no_grad():
                output = module(ids)["elmo_representations"][0]
            first = output if first is None else first
            same = "equal outputs" if torch.allclose(first, output, rtol=0, atol=1e-6) else "OTHER OUTPUTS"
            n_read = len(safeload.report_of(module).read)
            show(f"  {form:<12} backend={backend:<10} {n_read} datasets, vectors {tuple(output.shape)}, {same}")
    show(f"\nThe report of the last one:\n{safeload.report_of(module)}")


def _exchange(folder: Path) -> None:
    (folder / OPTIONS_NAME).rename(folder / "other")
    (folder / WEIGHTS_NAME).rename(folder / OPTIONS_NAME)
    (folder / "other").rename(folder / WEIGHTS_NAME)


def _poison(folder: Path) -> None:
    datasets = random_datasets()
    datasets["CNN_proj/W_proj"][0, 0] = float("nan")
    write_weights(folder / WEIGHTS_NAME, datasets)


def _edit_options(folder: Path, part: str, **changes: object) -> None:
    edited = {**OPTIONS, part: {**OPTIONS[part], **changes}}
    (folder / OPTIONS_NAME).write_text(json.dumps(edited), encoding="utf-8")


def _leave_unwritten(folder: Path) -> None:
    import h5py  # noqa: PLC0415  (not for `safeload --help`)

    with h5py.File(folder / WEIGHTS_NAME, "a") as file:
        del file["CNN_proj/b_proj"]
        file.create_dataset("CNN_proj/b_proj", (8,), "f4")


FAULTS: tuple[tuple[str, Callable[[Path], object]], ...] = (
    ("options and weights are exchanged", _exchange),
    ("the download was cut off", lambda folder: cut_in_half(folder / WEIGHTS_NAME)),
    ("the repository was cloned without Git LFS", lambda folder: write_lfs_pointer(folder / WEIGHTS_NAME)),
    ("the options have a layer less than the file", lambda folder: _edit_options(folder, "lstm", n_layers=1)),
    ("the options are those for training", lambda folder: _edit_options(folder, "char_cnn", n_characters=261)),
    ("one value is NaN", _poison),
    ("one dataset was created and never written", _leave_unwritten),
)
