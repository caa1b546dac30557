"""A load takes little more memory than the weights that it builds, in whatever type and order they are stored."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from safeload.testing._safetensors import write_safetensors

PEAK = """
import pathlib
def peak():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
def start():
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    return peak()
"""
"""Not `ru_maxrss`, which a process takes over from the one that started it."""

MEASURED = """
import importlib, sys
import crc32c, zlib_ng.zlib_ng
from tests.opened import ref
opened = importlib.import_module(f"safeload._forms.{sys.argv[1]}").open_weights(ref(sys.argv[2]))
with opened as file:
    before = start()
    if sys.argv[3:]:
        assert file.is_equal(*sys.argv[3:])
        values = file.read(sys.argv[4:], floats=True)
    else:
        values = file.read(file.tensors, floats=True)
    after = peak()
assert all(each.dtype == "float32" for each in values.values())
print((after - before) / sum(each.nbytes for each in values.values()))
"""
SHAPE = (20_000, 512)


@pytest.fixture(autouse=True)
def linux():
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak is Linux's to tell")


def ratio(*arguments):
    done = subprocess.run(
        [sys.executable, "-c", PEAK + MEASURED, *arguments], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(0).standard_normal(SHAPE, np.float32)


DEFLATED = """
import sys
import crc32c, zlib_ng.zlib_ng
import safeload._forms.hdf5.file, safeload._forms.torch.file
from safeload._bytes.archives.source import ArchiveSource
from safeload._bytes.files import FileRef
from safeload._forms.finding import find_weights
from safeload._forms import open_weights
from tests.opened import ref
path = sys.argv[1]
source = ArchiveSource(ref(path))
before = start()
with open_weights(find_weights(FileRef(path=f"{path}/{sys.argv[2]}", role="weight", source=source), None)) as file:
    values = file.read(file.tensors, floats=True)
    after = peak()
print((after - before) / sum(each.nbytes for each in values.values()))
"""


def in_parts(values):
    return {str(number): part for number, part in enumerate(np.split(values, 10))}


def write_torch_file(path, values):
    torch = pytest.importorskip("torch")
    torch.save({name: torch.from_numpy(part) for name, part in in_parts(values).items()}, path)


def write_hdf5_file(path, values):
    import h5py

    with h5py.File(path, "w") as file:
        for name, part in in_parts(values).items():
            file[name] = part


@pytest.mark.parametrize(("write", "name"), [(write_torch_file, "a.bin"), (write_hdf5_file, "a.h5")])
def test_a_deflated_file_is_given_back_while_it_is_read(tmp_path, values, write, name):
    write(tmp_path / name, values)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(tmp_path / name, name)
    command = [sys.executable, "-c", PEAK + DEFLATED, tmp_path / "a.zip", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert float(done.stdout) < 1.3


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_types_are_widened_block_by_block(tmp_path, values, dtype):
    write_safetensors(tmp_path / "f", {"a": values.astype(dtype), "b": values.astype(dtype)}, {})

    assert ratio("safetensors", tmp_path / "f") < 1.1


STORED = {
    "slice": lambda torch, a: {"a": torch.cat([a, a, a], 1)[:, :512]},
    "turned slice": lambda torch, a: {"a": torch.cat([a, a, a], 1)[:, :512].t()},
    "slice of float64": lambda torch, a: {"a": torch.cat([a, a], 1).double()[:, 512:]},
    "bfloat16": lambda _, a: {"a": a.bfloat16()},
}


@pytest.mark.parametrize("stored", STORED)
def test_views_of_wider_storages_are_gathered_block_by_block(tmp_path, values, stored):
    torch = pytest.importorskip("torch")
    torch.save(STORED[stored](torch, torch.from_numpy(values)), tmp_path / "f")

    assert ratio("torch", tmp_path / "f") < 1.1


COPIES = {
    "turned": lambda a: a.t().contiguous().t(),
    "float64": lambda a: a.double(),
    "turned float64": lambda a: a.double().t().contiguous().t(),
}


@pytest.mark.parametrize("copy", COPIES)
def test_copies_are_compared_block_by_block(tmp_path, values, copy):
    torch = pytest.importorskip("torch")
    table = torch.from_numpy(values)
    torch.save({"table": table, "copy": COPIES[copy](table)}, tmp_path / "f")

    assert ratio("torch", tmp_path / "f", "copy", "table") < 1.1
