"""Hostile files and folders that are checked and loaded as the weights of any model."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress

import numpy as np
import pytest

import safeload
from safeload.errors import CheckpointNotFoundError, CorruptFileError, LockError, SafeLoadError, UnsafeFileError
from tests.weights.files import cache_of, write_lock, write_safetensors

MAX_SECONDS = 20


def test_sizes_of_bits_that_overflow(tmp_path):
    for dtype in ("F4", "F6_E2M3", "F8_E8M0", "C64"):
        row = {"dtype": dtype, "shape": [1 << 62, 1 << 62, 0], "data_offsets": [0, 4]}
        for shape in (row["shape"], [(1 << 63) - 1, 8], [0, 1 << 62], [1 << 61, 16]):
            header = json.dumps({"x": {**row, "shape": shape}}).encode()
            (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"abcd")
            with pytest.raises(CorruptFileError, match="its shape and dtype make"):
                safeload.check_weights(tmp_path)


def test_a_folder_of_folders_without_end(tmp_path):
    for number in range(2000):
        (tmp_path / f"{number:04}/inner/inner").mkdir(parents=True)
    (tmp_path / "0000/back").symlink_to(tmp_path)
    start = time.monotonic()
    with pytest.raises(CheckpointNotFoundError):
        safeload.check_weights(tmp_path)
    assert time.monotonic() - start < MAX_SECONDS


def test_a_blob_that_is_a_fifo_or_leads_in_a_circle(tmp_path):
    write_safetensors(tmp_path / "a", {"x": np.ones(2)})
    snapshot = cache_of(tmp_path, {"model.safetensors": (tmp_path / "a").read_bytes()})
    blob = os.path.realpath(snapshot / "model.safetensors")
    os.unlink(blob)
    os.mkfifo(blob)
    with pytest.raises(SafeLoadError):
        safeload.check_weights(snapshot / "model.safetensors")
    os.unlink(blob)
    os.symlink(snapshot / "model.safetensors", blob)
    with pytest.raises(SafeLoadError):
        safeload.check_weights(snapshot / "model.safetensors")


def test_weights_that_are_rewritten_while_they_are_loaded(tmp_path):
    """A thread writes another model over a locked one, again and again: what comes back is the locked one."""
    good, other = np.arange(400_000, dtype=np.float32), np.zeros(400_000, np.float32)
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {"x": other})
    bad = path.read_bytes()
    write_safetensors(path, {"x": good})
    whole = path.read_bytes()
    write_lock(tmp_path)
    stopped = threading.Event()

    def rewrite():
        while not stopped.is_set():
            for data in (bad, whole):
                with path.open("r+b") as file:
                    file.write(data)

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            with suppress(LockError, CorruptFileError):
                assert np.array_equal(safeload.load_state_dict(tmp_path)["x"], good)
            with suppress(LockError, CorruptFileError):
                safeload.check_weights(tmp_path)
    finally:
        stopped.set()
        writer.join()
    assert np.array_equal(safeload.load_state_dict(tmp_path)["x"], good)


def test_an_index_that_names_a_device(tmp_path):
    weight_map = {"x": "model-00001-of-00001.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (tmp_path / "model-00001-of-00001.safetensors").symlink_to("/dev/zero")
    with pytest.raises(UnsafeFileError):
        safeload.check_weights(tmp_path)
    with pytest.raises(UnsafeFileError):
        safeload.load_state_dict(tmp_path)
