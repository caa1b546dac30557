"""Write the files of Keras and of Hugging Face's TensorFlow models, without either."""

from __future__ import annotations

import io
import json
import zipfile
from typing import IO, TYPE_CHECKING, Any

import h5py
import numpy as np

from safeload._forms.byte_order import little
from safeload._forms.hdf5.layers import put_layers
from safeload.bert.namings.hugging_face_tf import HuggingFaceTf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Tensors = Mapping[str, NDArray[Any]]

_MLM = "mlm___cls"


def write_layers(target: Path | IO[bytes], tensors: Tensors) -> None:
    """Write the weights of layers, which are the first parts of the names, to an HDF5 file."""
    with h5py.File(target, "w") as file:
        put_layers(file, tensors, tensors.items())


def write_tf_model(folder: Path, tensors: Tensors) -> None:
    """Write `tf_model.h5`; the layer of the MLM head, if it is there, repeats the embeddings.

    Source:
        transformers/modeling_tf_utils.py, save_pretrained, transformers 4.49.
    """
    copies = {}
    if any(name.startswith(_MLM) for name in tensors):
        suffixes = tuple(f"/{name}" for name in HuggingFaceTf.copies)
        copies = {
            f"{_MLM}/{name.partition('/')[2]}": values for name, values in tensors.items() if name.endswith(suffixes)
        }
    write_layers(folder / "tf_model.h5", {**tensors, **copies})


def write_keras(folder: Path, tensors: Tensors) -> None:
    """Write `model.keras`: a zip archive whose members are stored.

    Source:
        keras/src/saving/saving_lib.py, save_model, Keras 2.15.
    """
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        for name, values in tensors.items():
            file[name] = little(np.asarray(values))
    config = {"module": "keras", "class_name": "Functional", "config": {"name": "model", "layers": []}}
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr(zipfile.ZipInfo("metadata.json"), json.dumps({"keras_version": "2.15.0"}))
        archive.writestr(zipfile.ZipInfo("config.json"), json.dumps(config))
        archive.writestr(zipfile.ZipInfo("model.weights.h5"), weights.getvalue())
