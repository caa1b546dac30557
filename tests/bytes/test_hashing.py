"""Files that are hashed while they are read, and of which only that is read later."""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safeload._bytes.files import DISK
from safeload._bytes.hashing import N_BLOCK_BYTES, N_PROVEN_BYTES, hashed
from safeload._bytes.hub import digest_of_blob
from safeload._bytes.open_file import ChangedDataError
from safeload._bytes.system import PAGE_BYTES

SIZES = [0, 1, N_PROVEN_BYTES - 1, N_PROVEN_BYTES, N_BLOCK_BYTES + 1, 3 * N_BLOCK_BYTES, 2 * N_BLOCK_BYTES + 99_999]


def file_of(folder, n_bytes):
    path = folder / "file"
    path.write_bytes(os.urandom(n_bytes))
    return path


def read_of(file, n_bytes, offset=0):
    block = bytearray(n_bytes)
    n_read = file.read_into(memoryview(block), offset)
    return bytes(block[:n_read])


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("n_bytes", SIZES)
def test_the_digests_are_those_of_the_whole_file(tmp_path, n_bytes, is_kept):
    path = file_of(tmp_path, n_bytes)
    data = path.read_bytes()
    found = hashed(DISK.open(str(path)), ["sha256", "git-sha1"], is_kept=is_kept)

    assert found.digests == {
        "sha256": hashlib.sha256(data).hexdigest(),
        "git-sha1": hashlib.sha1(b"blob %d\0" % n_bytes + data).hexdigest(),
    }
    assert found.file.n_bytes == n_bytes
    assert read_of(found.file, n_bytes + 10) == data
    assert found.file.read(n_bytes) == data
    found.end()


@pytest.mark.parametrize("is_kept", [False, True])
@given(offset=st.integers(0, 400_000), n_bytes=st.integers(0, 400_000))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_part_is_read(tmp_path, is_kept, offset, n_bytes):
    path = file_of(tmp_path, 300_001)
    found = hashed(DISK.open(str(path)), ["sha256"], is_kept=is_kept)
    assert read_of(found.file, n_bytes, offset) == path.read_bytes()[offset : offset + n_bytes]
    found.end()


@pytest.mark.parametrize("offset", [0, 5, 4096, 70_000])
def test_what_was_given_back_is_not_read_again_and_its_neighbours_are(tmp_path, offset):
    path = file_of(tmp_path, 300_001)
    found = hashed(DISK.open(str(path)), ["sha256"], is_kept=True, is_read_once=True)
    for n_bytes in (10_000, 50_000, 100_000):
        found.file.forget(offset, n_bytes)
    for read in (found.file.held, lambda start, size: read_of(found.file, size, start)):
        with pytest.raises(ChangedDataError):
            read(offset + 5_000, 60_000)
    first, last = -(-offset // PAGE_BYTES) * PAGE_BYTES, (offset + 100_000) // PAGE_BYTES * PAGE_BYTES
    data = path.read_bytes()
    assert read_of(found.file, first) == data[:first]
    assert read_of(found.file, 300_001, last) == data[last:]
    found.end()


def test_what_tensors_may_share_is_not_given_back(tmp_path):
    path = file_of(tmp_path, 300_001)
    found = hashed(DISK.open(str(path)), ["sha256"], is_kept=True)
    found.file.forget(0, 300_001)
    assert read_of(found.file, 300_001) == path.read_bytes()
    found.end()


@pytest.mark.parametrize("at", [0, 65_535, 65_536, 200_000, 300_000])
@pytest.mark.parametrize("is_kept", [False, True])
def test_a_byte_that_changes_later_is_told_or_not_read(tmp_path, at, is_kept):
    path = file_of(tmp_path, 300_001)
    data = path.read_bytes()
    found = hashed(DISK.open(str(path)), [], is_kept=is_kept)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes([data[at] ^ 1]))
    if is_kept:
        assert found.file.read(300_001) == data
        assert bytes(found.file.held(at, 1)) == data[at : at + 1]
        assert found.file.held(0, 300_002) is None
    else:
        for offset, n_bytes in ((0, 300_001), (at, 1), (max(0, at - 70_000), 80_000)):
            with pytest.raises(ChangedDataError):
                read_of(found.file, n_bytes, offset)
        elsewhere = 131_072 if at < 131_072 else 10
        assert read_of(found.file, 100, elsewhere) == data[elsewhere : elsewhere + 100]
        assert found.file.held(0, 1) is None
        assert isinstance(found.file.failure, ChangedDataError)
    assert not found.file.is_written_to()
    assert not found.file.is_replaced()
    found.end()


def test_a_file_that_was_cut_is_told(tmp_path):
    path = file_of(tmp_path, 200_000)
    found = hashed(DISK.open(str(path)), [], is_kept=False)
    os.truncate(path, 100_000)
    with pytest.raises(ChangedDataError):
        read_of(found.file, 200_000)
    found.end()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("a" * 64, "sha256"), ("0" * 40, "git-sha1"), ("A" * 64, None), ("a" * 63, None), ("g" * 64, None), ("x", None)],
)
def test_a_link_to_a_blob_says_its_digest(tmp_path, name, wanted):
    blobs, folder = tmp_path / "blobs", tmp_path / "snapshots/main"
    blobs.mkdir()
    folder.mkdir(parents=True)
    (blobs / name).write_bytes(b"")
    (folder / "model.safetensors").symlink_to(f"../../blobs/{name}")

    assert digest_of_blob(str(folder / "model.safetensors")) == ((wanted, name) if wanted else None)
    assert digest_of_blob(str(blobs / name)) is None
    (tmp_path / "linked").symlink_to(folder)
    assert digest_of_blob(str(tmp_path / "linked/model.safetensors")) == ((wanted, name) if wanted else None)
