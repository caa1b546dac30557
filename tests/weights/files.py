"""Write the files of models that are neither a BERT nor an ELMo."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np

import safeload
from safeload.lock import lock_text, make_lock
from safeload.testing import _safetensors


def write_safetensors(path, tensors):
    _safetensors.write_safetensors(path, tensors, {})


def write_typed(path, tensors):
    """Write a safetensors file of types that NumPy lacks: name -> the type as the file has it, and bits."""
    rows, end = {}, 0
    for name, (dtype, bits) in tensors.items():
        rows[name] = {"dtype": dtype, "shape": list(bits.shape), "data_offsets": [end, end + bits.nbytes]}
        end += bits.nbytes
    header = json.dumps(rows).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for _, bits in tensors.values():
            file.write(bits.tobytes())


def write_lock(folder, path=None):
    path = path or folder / "safeload.lock"
    path.write_text(lock_text(make_lock(safeload.check_weights(folder), str(path))), encoding="utf-8")
    return path


def write_shards(folder, name="model", n_shards=2, **more):
    """Write shards of one tensor each, and their index."""
    weight_map = {}
    for number in range(n_shards):
        file = f"{name}-{number + 1:05d}-of-{n_shards:05d}.safetensors"
        write_safetensors(folder / file, {f"w{number}": np.full((4, 2), number + 1, np.float32)})
        weight_map[f"w{number}"] = file
    index = {"metadata": {"total_size": 32 * n_shards}, "weight_map": weight_map, **more}
    (folder / f"{name}.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def cache_of(tmp_path, files, *, algorithm="sha256"):
    """Return a snapshot in a cache of huggingface_hub, of files by name and bytes."""
    repository = tmp_path / "hub/models--owner--name"
    snapshot = repository / "snapshots/abc"
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for name, data in files.items():
        digest = hashlib.sha256(data) if algorithm == "sha256" else hashlib.sha1(b"blob %d\0" % len(data) + data)
        blob = repository / "blobs" / digest.hexdigest()
        blob.write_bytes(data)
        (snapshot / name).symlink_to(os.path.relpath(blob, snapshot))
    return snapshot
