"""Files in the forms of a BERT that `safeload.testing.write_bert` does not write: what other libraries wrote, and parts of models."""

from __future__ import annotations

import functools
import gzip
import json
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from safeload import testing
from safeload.bert.namings.keras_bert import NestedKerasBert
from safeload.testing._bert import bert_tensors
from safeload.testing._forms import in_naming
from safeload.testing._keras import write_layers
from safeload.testing._safetensors import write_safetensors
from safeload.testing._torch import write_torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

GOLDEN = Path(__file__).parent.parent.parent / "tests/bert/golden"


def golden(name: str, folder: Path) -> None:
    """Copy files that another library wrote, unpacked."""
    shutil.copytree(GOLDEN / name, folder, dirs_exist_ok=True)
    for packed in folder.rglob("*.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()


def hub_module(folder: Path) -> None:
    """Write a folder as TF-Hub unpacks it, with the config beside it; its graph is never read."""
    golden("tf_models/hub", folder)
    shutil.copy(GOLDEN / "tf_models/bert_config.json", folder)
    (folder / "saved_model.pb").write_bytes(b"\x08\1")


def numbered_weights(folder: Path) -> None:
    """Write the `.weights.h5` that a `.keras` file of keras-bert's model holds."""
    model = testing.write_bert(folder, form="keras") / "model.keras"
    with zipfile.ZipFile(model) as archive:
        archive.extract("model.weights.h5", folder)
    model.unlink()


def nested_weights(folder: Path) -> None:
    """Write the `.h5` of a model in which keras-bert's is a layer."""
    tensors = bert_tensors()
    naming = NestedKerasBert()
    scoped = in_naming(tensors, naming, naming.usual_scope)
    (testing.write_bert(folder, form="keras") / "model.keras").unlink()
    write_layers(folder / "model.h5", scoped)


def in_shards(stem: str, ending: str, write: Callable[[Path, dict[str, NDArray[Any]]], None], folder: Path) -> None:
    """Write a BERT of transformers in two files with an index."""
    whole = testing.write_bert(folder, form="safetensors") / "model.safetensors"
    tensors = _tensors_of(whole.read_bytes())
    whole.unlink()
    half = len(tensors) // 2
    names = {name: f"{stem}-0000{1 + (n >= half)}-of-00002.{ending}" for n, name in enumerate(tensors)}
    for shard in sorted(set(names.values())):
        write(folder / shard, {name: tensors[name] for name in tensors if names[name] == shard})
    index = {"metadata": {"total_size": sum(each.nbytes for each in tensors.values())}, "weight_map": names}
    (folder / f"{stem}.{ending}.index.json").write_text(json.dumps(index), encoding="utf-8")


def _tensors_of(data: bytes) -> dict[str, NDArray[Any]]:
    end = 8 + int.from_bytes(data[:8], "little")
    header = {name: row for name, row in json.loads(data[8:end]).items() if name != "__metadata__"}
    return {
        name: np.frombuffer(data[end:][slice(*row["data_offsets"])], "<f4").reshape(row["shape"])
        for name, row in header.items()
    }


of_torch = functools.partial(write_safetensors, metadata={"format": "pt"})
MORE = (
    ("transformers, in several files", functools.partial(in_shards, "model", "safetensors", of_torch)),
    ("transformers, in several files", functools.partial(in_shards, "pytorch_model", "bin", write_torch)),
    ("transformers 4, its TensorFlow models", functools.partial(golden, "transformers_safetensors")),
    ("transformers 4, its TensorFlow models in several files", functools.partial(golden, "transformers_sharded")),
    ("TF-Hub's modules of TensorFlow 2, and other SavedModels", hub_module),
    ("keras-bert, `save_weights` in Keras's newer form", numbered_weights),
    ("keras-bert's model in another, `save_weights` and `save`", nested_weights),
    ("KerasHub, `save_to_preset`", functools.partial(golden, "keras_hub")),
    ("KerasHub with `max_shard_size`", functools.partial(golden, "keras_hub_sharded")),
    ("KerasHub, `save` of a backbone", functools.partial(golden, "keras_hub_model")),
)
"""Who writes it, and what writes it into a folder."""
