"""CRC-32C with and without the package."""

from __future__ import annotations

import os
import subprocess
import sys

import crc32c as package
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safeload import testing
from safeload._bytes import crc
from tests.docs.blocks import ROOT

EDGES = [0, 1, 3, 4, 5, 5684, 5685, 5686, 90_959, 90_960, 90_961, 95_300, 160_000, 300_001]


@pytest.mark.parametrize("n_bytes", EDGES)
def test_each_length_has_the_checksum_of_the_package(n_bytes):
    data = bytes(range(256)) * (n_bytes // 256 + 1)
    for start in (0, 1):
        part = memoryview(data)[start : start + n_bytes]
        assert crc.own_crc32c(part) == package.crc32c(part)
        assert crc.own_crc32c(part, 0x12345678) == package.crc32c(part, 0x12345678)


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.integers(0, 200))
def test_any_data_has_the_checksum_of_the_package(data, value, repeat):
    whole = data * repeat
    assert crc.own_crc32c(whole, value) == package.crc32c(whole, value)


def test_the_package_is_used_where_it_is():
    assert crc._found() is package.crc32c


WITHOUT = """
import sys, warnings
sys.modules["crc32c"] = None
import safeload

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2):
        print(safeload.check_bert(sys.argv[1] + "/good").checksums)
    try:
        safeload.check_bert(sys.argv[1] + "/poisoned")
    except safeload.errors.CorruptFileError as exc:
        print(exc)
print([str(each.message) for each in caught])
"""


def test_without_the_package_models_are_verified_and_it_is_said_once(tmp_path):
    sizes = {"vocab": 3000, "hidden": 64, "attention_heads": 4}
    testing.write_bert_checkpoint(tmp_path / "good", **sizes)
    folder = testing.write_bert_checkpoint(tmp_path / "poisoned", **sizes)
    shard = folder / "bert_model.ckpt.data-00000-of-00001"
    data = bytearray(shard.read_bytes())
    data[100_000] ^= 1
    shard.write_bytes(data)

    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=os.environ,
    )
    assert done.stdout.count("CRC32C of 37 variables and of the index file") == 2
    assert "CHECKSUM" in done.stdout
    assert done.stdout.count("the package crc32c is not installed") == 1
