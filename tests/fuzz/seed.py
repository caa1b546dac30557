"""Rewrite the corpus: one sound input for each target, and what a fuzzer would take long to find.

`python -m tests.fuzz.seed weights/NAME` writes one input; without a name, all.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np

import safeload
from safeload import testing
from safeload._forms.tensorflow.sstable import read_table
from safeload.lock import lock_text, make_lock
from safeload.testing._bert import BERT_CONFIG, TOKENS
from safeload.testing._elmo import ELMO_OPTIONS
from safeload.testing._safetensors import write_safetensors
from safeload.testing._torch import write_torch
from tests.forms.torch import archives
from tests.signatures import bundles

CORPUS = Path(__file__).parent / "corpus"


HDF5 = {
    "contiguous": {},
    "chunked": {"chunks": (1, 1)},
    "compressed": {"chunks": (1, 3), "compression": "gzip", "shuffle": True, "fletcher32": True},
    "growing": {"chunks": (1, 1), "maxshape": (None, None)},
}


def hdf5(version, **options):
    """Return an HDF5 file of two datasets, one of them in a group."""
    with io.BytesIO() as data:
        with h5py.File(data, "w", libver=version) as file:
            file.create_dataset("a/x", data=np.arange(6, dtype=np.float32).reshape(2, 3), **options)
            file["y"] = np.float32([1])
        return data.getvalue()


def archive(kind):
    """Return an archive of two small files."""
    with io.BytesIO() as data:
        if kind in ("stored", "deflated"):
            with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED if kind == "deflated" else zipfile.ZIP_STORED) as file:
                file.writestr("a/x", bytes(100))
                file.writestr("a/y", b"y")
        else:
            with tarfile.open(fileobj=data, mode=kind, format=tarfile.PAX_FORMAT) as file:
                for name in ("a/x", "a/ü" * 40):
                    info = tarfile.TarInfo(name)
                    info.size = 100
                    file.addfile(info, io.BytesIO(bytes(100)))
        return data.getvalue() if kind != "w" else data.getvalue()[:4096] + bytes(1024)


def of_small_types():
    """Return a safetensors file of types that NumPy lacks."""
    types = {"F8_E4M3": 4, "F4": 2, "F6_E2M3": 3, "BF16": 8, "C64": 32}
    rows, end = {}, 0
    for dtype, n_bytes in types.items():
        rows[dtype] = {"dtype": dtype, "shape": [2, 2], "data_offsets": [end, end + n_bytes]}
        end += n_bytes
    header = json.dumps(rows).encode()
    return len(header).to_bytes(8, "little") + header + bytes(end)


def signed_list(method, algorithm, *names, **parameters):
    """Return the list of files in a signature."""
    rows = [{"name": name, "digest": "ab" * 32, "algorithm": algorithm} for name in names]
    how = {"method": method, "hash_type": "sha256", "allow_symlinks": True, **parameters}
    return json.dumps({"resources": rows, "serialization": how}).encode()


def seeds():
    """Yield the target, a name and the bytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = testing.write_bert_checkpoint(name, layers=1, hidden=4, attention_heads=1, intermediate=4, heads=False)
        index = (folder / "bert_model.ckpt.index").read_bytes()
        lock = lock_text(make_lock(safeload.check_bert(folder), str(folder / "safeload.lock"))).encode()
    values = [value for _, value in read_table(index)]
    n_block = len(index) - 48 - 5 - 8 - 5
    yield "config", "bert", json.dumps(BERT_CONFIG).encode()
    yield "options", "elmo", json.dumps(ELMO_OPTIONS).encode()
    yield "vocabulary", "small", "\n".join(TOKENS).encode()
    yield "lock", "bert", lock
    yield "settings", "ini", b"\0[DEFAULT]\nb = 1\n[A]\noptions_file = x\ndropout = 0.5\n"
    yield "settings", "toml", b'\1[A]\noptions_file = "x"\nlist = [1, "a"]\n'
    yield "settings", "json", b'\2{"A": {"config_file": "x", "seq_len": null}}'
    yield "settings", "yaml", b"\3A:\n  config_file: x\n  trainable: [a, b]\n  c: &d 1\n  e: *d\n"
    yield "state_file", "relative", b'model_checkpoint_path: "model"\nall_model_checkpoint_paths: "model"\n'
    yield "state_file", "escaped", b"model_checkpoint_path: '/a/b\\\\c\\101'\n"
    yield "index", "bert", index
    yield "block", "bert", index[: max(n_block, 64)]
    yield "entries", "bert", b"\xff\xff".join(values[:4])
    yield "entries", "sliced", b"\xff\xff".join([values[0], b"\x08\x01\x12\x04\x12\x02\x08\x04:\x04\n\x02\x10\x02"])
    for version in ("earliest", "latest"):
        for name, options in HDF5.items():
            yield "hdf5", f"{version}_{name}", hdf5(version, **options)
    with tempfile.TemporaryDirectory() as name:
        write_safetensors(Path(name, "a"), {"a": np.float32([1, 2]), "b/c": np.int64(3)}, {"format": "pt"})
        yield "safetensors", "two", Path(name, "a").read_bytes()
        yield "weights", "safetensors", of_small_types()
        write_torch(Path(name, "a"), {"a": np.float32([[1, 2]]), "b": np.int64(3)}, transposed=True)
        yield "torch", "two", Path(name, "a").read_bytes()
        pickle, keys = archives.state_dict(x=archives.tensor(archives.storage()[:-2] + b"NtQ")), archives.text("0")
        yield "opcodes", "one", pickle + b"\x80\x02](" + keys + b"e." + np.int64(1).tobytes() + np.float32(1).tobytes()
        part = archives.storage()[:-2] + b"(" + archives.text("p") + b"K\0K\1ttQ"
        yield (
            "opcodes",
            "part",
            pickle.replace(archives.storage()[:-2] + b"NtQ", part)
            + b"\x80\x02]("
            + keys
            + b"e."
            + np.int64(1).tobytes()
            + np.float32(1).tobytes(),
        )
    weight_map = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    yield "shards", "two", json.dumps({"metadata": {"total_size": 12}, "weight_map": weight_map}).encode()
    weight_map = {"/a/vars": ["m_00000.weights.h5", "m_00001.weights.h5"], "/b/vars": "m_00001.weights.h5"}
    yield "shards", "groups", json.dumps({"metadata": {"total_size": 12.0}, "weight_map": weight_map}).encode()
    for kind in ("stored", "deflated", "w", "w:gz"):
        yield "archive", kind.replace("w:gz", "tar.gz").replace("w", "tar"), archive(kind)
    yield "signature", "key", bundles.BUNDLE.encode()
    yield "signed_list", "files", signed_list("files", "sha256", "vocab.txt", "a/b.bin")
    yield "signed_list", "shards", signed_list("shards", "sha256-sharded-5", "a:0:5", "a:5:8", shard_size=5)
    yield "chunk", "gzip", b"\0\0" + zlib.compress(bytes(64))
    yield "chunk", "lzf", b"\1\0\x03\0\1\2\3\xe0\x33\3"


if __name__ == "__main__":
    for target, name, data in seeds():
        if sys.argv[1:] and f"{target}/{name}" not in sys.argv[1:]:
            continue
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        (CORPUS / target / name).write_bytes(data)
