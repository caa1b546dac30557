"""Compare files that a script here wrote again with those that are kept: `python -m tests.bert.golden.compare WRITER FOLDER`.

The tensors of weight files and arrays, by name, and the rest of JSON and text, must be the same, but for dates; outputs and what an
optimizer computed may differ in the last digits.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from safeload._bytes.files import FileRef
from safeload._forms import open_weights
from safeload._forms.finding import find_weights

KEPT = Path(__file__).parent
PLACES = {"tf_models": "tf_models", "transformers": ".", "keras_hub": "."}
WEIGHTS = (".index", ".h5", ".keras", ".safetensors")
PARTS = (".data-00000-of-00001",)
TOLERANCE = {"rtol": 1e-4, "atol": 1e-6}


def kept_files(writer: str) -> dict[str, Path]:
    """Return the files that a script wrote: path in its folder -> file."""
    root = KEPT / PLACES[writer]
    folders = [root] if PLACES[writer] != "." else sorted(root.glob(f"{writer}*"))
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(root).as_posix(): path for path in paths}


def contents(path: Path) -> dict[str, object]:
    """Return name -> what a file holds: arrays, values of JSON, or its text."""
    if path.suffix == ".gz":
        with tempfile.TemporaryDirectory() as folder:
            unpacked = Path(folder, path.stem)
            unpacked.write_bytes(gzip.decompress(path.read_bytes()))
            return contents(unpacked)
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return dict(arrays)
    if path.name.endswith(WEIGHTS):
        place = find_weights(FileRef(path=str(path), role="weight"), None)
        with open_weights(place) as file:
            return file.read(file.tensors)
    return json.loads(path.read_text()) if path.suffix == ".json" else {"text": path.read_text()}


def difference(one: object, two: object) -> str:
    """Return how two values differ; "" if they are the same."""
    if one is ... or two is ...:
        return "it was not written" if two is ... else "it was not kept"
    if not isinstance(one, np.ndarray) or not isinstance(two, np.ndarray):
        return "" if one == two else f"{one!r} was kept, {two!r} was written"
    if (one.shape, one.dtype) != (two.shape, two.dtype):
        return f"{one.dtype}{one.shape} was kept, {two.dtype}{two.shape} was written"
    if one.dtype.kind in "OSU":
        return "" if (one == two).all() else "other text"
    return "" if np.allclose(one, two, **TOLERANCE) else f"values differ by up to {np.abs(one - two).max()}"


def main(writer: str, written: Path) -> int:
    """Print each difference, and return the number of files with one."""
    n_bad = 0
    for name, path in kept_files(writer).items():
        if name.endswith(PARTS) or path.suffix == ".py":
            continue
        other = written / name
        one, two = contents(path), contents(other) if other.exists() else {}
        lines = [
            f"  {key}: {found}"
            for key in sorted({*one, *two})
            if (found := difference(one.get(key, ...), two.get(key, ...)))
        ]
        n_bad += bool(lines)
        sys.stdout.write("\n".join([f"{'differs' if lines else 'same':8} {name}  {len(one)} values", *lines, ""]))
    return n_bad


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1], Path(sys.argv[2])), 1))
