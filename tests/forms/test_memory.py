"""A load takes little more memory than the weights that it builds, in whatever type and order they are stored."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from safeload.testing._safetensors import write_safetensors

MEASURED = """
import importlib, resource, sys
import crc32c, zlib_ng.zlib_ng
from tests.opened import ref
opened = importlib.import_module(f"safeload._forms.{sys.argv[1]}").open_weights(ref(sys.argv[2]))
with opened as file:
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.argv[3:]:
        assert file.is_equal(*sys.argv[3:])
        values = file.read(sys.argv[4:], floats=True)
    else:
        values = file.read(file.tensors, floats=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert all(each.dtype == "float32" for each in values.values())
print((peak - start) * 1024 / sum(each.nbytes for each in values.values()))
"""
SHAPE = (20_000, 512)


def ratio(*arguments):
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", MEASURED, *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(0).standard_normal(SHAPE, np.float32)


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
