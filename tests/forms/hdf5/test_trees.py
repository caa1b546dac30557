"""The indexes of groups and datasets, walked before libhdf5 does."""

from __future__ import annotations

import contextlib
import struct

import h5py
import numpy as np
import pytest

from safeload._bytes.files import DISK
from safeload._forms.hdf5 import chunks, listing, trees
from safeload.errors import CorruptFileError, UnsafeFileError
from tests.forms.hdf5 import bombs
from tests.opened import opened_hdf5

WRITERS = {
    "one chunk": {"chunks": (50, 30), "shape": (50, 30)},
    "many": {"chunks": (1, 2), "shape": (60, 40)},
    "growing in one": {"chunks": (1, 2), "shape": (60, 40), "maxshape": (None, 40)},
    "growing in two": {"chunks": (1, 2), "shape": (60, 40), "maxshape": (None, None)},
    "gzip": {"chunks": (1, 2), "shape": (60, 40), "compression": "gzip"},
    "contiguous": {"shape": (60, 40)},
}


@pytest.mark.parametrize("version", ["earliest", "latest"])
@pytest.mark.parametrize("userblock", [0, 512])
@pytest.mark.parametrize("options", WRITERS.values(), ids=WRITERS)
def test_what_h5py_writes_is_read(options, userblock, version, tmp_path):
    values = np.random.default_rng(1).random(options["shape"], np.float32)
    with h5py.File(
        tmp_path / "w.hdf5", "w", libver=version, userblock_size=userblock, track_order=userblock > 0
    ) as file:
        file.create_dataset("a/b/x", data=values, **options)
        for number in range(100):
            file.create_dataset(f"many/{number}", data=np.float32([number]))
        for number in range(60):
            file["a/b/x"].attrs[f"attribute {number}"] = "text" * 200
    with opened_hdf5(str(tmp_path / "w.hdf5")) as file:
        assert len(file.tensors) == 101
        np.testing.assert_array_equal(file.read(["a/b/x"])["a/b/x"], values)


def failure(path, kind, text):
    with pytest.raises(kind) as caught:
        opened_hdf5(str(path))
    assert text in str(caught.value)


def test_an_index_that_contains_itself_is_told(tmp_path):
    bombs.index_in_itself(tmp_path / "w.hdf5", "x")
    failure(tmp_path / "w.hdf5", CorruptFileError, "truncated or inconsistent")


def test_an_index_of_one_node_is_told(tmp_path):
    bombs.index_of_one_node(tmp_path / "w.hdf5", "x")
    failure(tmp_path / "w.hdf5", CorruptFileError, "a node of an index is in two places")


def test_a_group_that_contains_its_index_is_told(tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file["a/x"] = np.float32([1])
    bombs.group_in_itself(tmp_path / "w.hdf5")
    failure(tmp_path / "w.hdf5", CorruptFileError, "truncated or inconsistent")


@pytest.mark.parametrize("what", ["chunks", "links"])
def test_an_index_of_the_second_version_has_a_depth(what, tmp_path):
    path = tmp_path / "w.hdf5"
    with h5py.File(path, "w", libver="latest") as file:
        if what == "chunks":
            file.create_dataset("x", data=np.zeros((9, 9), np.float32), chunks=(1, 1), maxshape=(None, None))
        else:
            for number in range(20):
                file[f"g/{number}"] = np.float32([1])
    data = bytearray(path.read_bytes())
    at = data.rindex(b"BTHD")
    assert struct.unpack_from("<H", data, at + 12)[0] < trees.MAX_TREE_DEPTH
    struct.pack_into("<H", data, at + 12, trees.MAX_TREE_DEPTH + 1)
    path.write_bytes(data)
    failure(path, CorruptFileError, "truncated or inconsistent")


def test_a_header_that_continues_in_itself_is_told(tmp_path):
    path = tmp_path / "w.hdf5"
    with h5py.File(path, "w") as file:
        file["x"] = np.float32([1])
        for number in range(40):
            file["x"].attrs[f"a{number}"] = "text" * 50
        address = h5py.h5o.get_info(file["x"].id).addr
    with DISK.open(str(path)) as file:
        messages = list(trees.messages(trees.place_of(file), address))
    where = next(data[:8] for kind, data in messages if kind == trees._CONTINUATION)
    data = bytearray(path.read_bytes())
    at = int.from_bytes(where, "little")
    data[at : at + 24] = struct.pack("<HHB3x", trees._CONTINUATION, 16, 0) + where + struct.pack("<Q", 24)
    path.write_bytes(data)
    failure(path, CorruptFileError, "the header of an object is larger than any that a library writes")


def test_a_dataset_has_at_most_so_many_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "MAX_CHUNKS", 9)
    for n_chunks in (9, 10):
        with h5py.File(tmp_path / "w.hdf5", "w") as file:
            file.create_dataset("x", data=np.zeros(n_chunks, np.float32), chunks=(1,))
        if n_chunks == 9:
            opened_hdf5(str(tmp_path / "w.hdf5")).close()
    failure(tmp_path / "w.hdf5", CorruptFileError, "it has 10 chunks; no weight file needs more than 9")


def test_a_group_has_at_most_so_many_objects(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "MAX_OBJECTS", 9)
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        for number in range(100):
            file[f"{number}"] = np.float32([1])
    failure(tmp_path / "w.hdf5", UnsafeFileError, "more than 9 objects")


@pytest.mark.parametrize("n_bytes", [listing.MAX_NAME_BYTES, listing.MAX_NAME_BYTES + 1])
def test_a_name_is_so_long(n_bytes, tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file["n" * n_bytes] = np.float32([1])
    if n_bytes == listing.MAX_NAME_BYTES:
        opened_hdf5(str(tmp_path / "w.hdf5")).close()
    else:
        failure(tmp_path / "w.hdf5", UnsafeFileError, "a name of 4,097 bytes")


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i4", "u1", ">f4", "S4"])
def test_datasets_of_any_type_that_share_bytes_are_told(kind, tmp_path):
    path = tmp_path / "w.hdf5"
    with h5py.File(path, "w") as file:
        for name in "ab":
            file.create_dataset(name, data=np.zeros(64, kind))
        first, second = (file[name].id.get_offset() for name in "ab")
    data = path.read_bytes()
    path.write_bytes(data.replace(second.to_bytes(8, "little"), first.to_bytes(8, "little")))
    failure(path, CorruptFileError, "a and b share bytes")


def test_names_that_differ_only_in_bytes_that_are_not_utf8_are_told(tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        for name in (b"\xff", b"\\xff"):
            h5py.h5d.create(file.id, name, h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((3,)))
    failure(tmp_path / "w.hdf5", CorruptFileError, "two objects are named \\xff")


@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_any_damage_of_a_header_or_index_is_typed(version, tmp_path):
    """Each byte of the structures is changed in turn; what is left is read, or told as damage."""
    path = tmp_path / "w.hdf5"
    with h5py.File(path, "w", libver=version) as file:
        file.create_dataset("g/x", data=np.zeros(8, np.float32), chunks=(2,), maxshape=(None,))
        address = h5py.h5o.get_info(file["g/x"].id).addr
    good = path.read_bytes()
    for at in range(min(address + 400, len(good))):
        for value in (0, 255, good[at] ^ 1):
            with DISK.open(str(path)) as file, contextlib.suppress(ValueError):
                path.write_bytes(good[:at] + bytes([value]) + good[at + 1 :])
                trees.require_trees(trees.place_of(file), address)


@pytest.mark.parametrize("options", [{}, {"chunks": (50,)}], ids=["contiguous", "chunked"])
def test_an_address_that_leads_into_a_structure_is_told(options, tmp_path):
    """A damaged address would give a dataset the bytes of a header, which are finite numbers as well."""
    path = tmp_path / "w.hdf5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x", data=np.ones(50, np.float32), **options).id
        offset = dataset.get_chunk_info(0).byte_offset if options else dataset.get_offset()
        header = h5py.h5o.get_info(dataset).addr
    data = bytearray(path.read_bytes())
    struct.pack_into("<Q", data, data.index(struct.pack("<Q", offset), header), header + 8)
    path.write_bytes(data)

    failure(path, CorruptFileError, "x would be where the file's own structure is")
