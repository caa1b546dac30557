"""Write the files of Keras and of Hugging Face's TensorFlow models, without either."""

from __future__ import annotations

import io
import json
import zipfile
from typing import IO, TYPE_CHECKING, Any

import h5py
import numpy as np

from safeload.bert.namings.hugging_face_tf import HuggingFaceTf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Tensors = Mapping[str, NDArray[Any]]

_MLM = "mlm___cls"


def write_layers(target: Path | IO[bytes], tensors: Tensors) -> None:
    """Write the weights of layers, which are the first parts of the names, to an HDF5 file.

    Source:
        keras/src/saving/legacy/hdf5_format.py, save_weights_to_hdf5_group, Keras 2.15.
    """
    with h5py.File(target, "w") as file:
        layers = list(dict.fromkeys(name.partition("/")[0] for name in tensors))
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.15.0"
        for name, values in tensors.items():
            file[name] = values
        for layer in layers:
            inner = [name.partition("/")[2].encode() for name in tensors if name.partition("/")[0] == layer]
            file[layer].attrs["weight_names"] = inner


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
            file[name] = np.asarray(values)
    config = {"module": "keras", "class_name": "Functional", "config": {"name": "model", "layers": []}}
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr(zipfile.ZipInfo("metadata.json"), json.dumps({"keras_version": "2.15.0"}))
        archive.writestr(zipfile.ZipInfo("config.json"), json.dumps(config))
        archive.writestr(zipfile.ZipInfo("model.weights.h5"), weights.getvalue())
