"""What an HDF5 weight file lists, against files that h5py writes."""

from __future__ import annotations

import zlib

import h5py
import numpy as np
import pytest

from safeload._forms.hdf5 import listing
from safeload.errors import CorruptFileError, SafeLoadError, UnsafeFileError
from tests.elmos import values_of
from tests.opened import opened_hdf5


def refused(path, what):
    with pytest.raises(UnsafeFileError) as caught:
        opened_hdf5(str(path))
    assert what in str(caught.value)


def with_fields(kind):
    kind.set_fields(23, 15, 8, 0, 15)
    return kind


def of_three_bytes(kind):
    kind.set_size(3)
    return kind


TYPES = {
    "float32": (h5py.h5t.IEEE_F32LE, "float32"),
    "big-endian float32": (h5py.h5t.IEEE_F32BE, "float32"),
    "float64": (h5py.h5t.IEEE_F64LE, "float64"),
    "int8": (h5py.h5t.STD_I8LE, "int8"),
    "uint16": (h5py.h5t.STD_U16LE, "uint16"),
    "big-endian int64": (h5py.h5t.STD_I64BE, "int64"),
    "string": (h5py.h5t.C_S1, "string"),
    "other fields": (with_fields(h5py.h5t.IEEE_F32LE.copy()), "float of 4 bytes"),
    "three bytes": (of_three_bytes(h5py.h5t.STD_I32LE.copy()), "integer of 3 bytes"),
    "reference": (h5py.h5t.STD_REF_OBJ, "a compound or other type"),
}


@pytest.mark.parametrize(("kind", "name"), TYPES.values(), ids=TYPES)
def test_a_type_has_its_name_and_float32_is_only_what_its_bytes_say(kind, name, tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((3,)))
    with opened_hdf5(str(tmp_path / "w.hdf5")) as file:
        assert file.datasets["x"].spec.dtype == name


def test_a_name_that_is_no_utf8_is_listed(tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        h5py.h5d.create(file.id, b"\xff", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((3,)))
    with opened_hdf5(str(tmp_path / "w.hdf5")) as file:
        assert list(file.datasets) == [r"\xff"]


@pytest.mark.parametrize(("n_groups", "fits"), [(listing.MAX_DEPTH, True), (listing.MAX_DEPTH + 1, False)])
def test_groups_may_be_nested_so_deep(n_groups, fits, tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file["g/" * n_groups + "d"] = np.ones(3, "f4")
    if fits:
        assert list(values_of(tmp_path / "w.hdf5")) == ["g/" * n_groups + "d"]
    else:
        with pytest.raises(UnsafeFileError, match="groups nested deeper than 16"):
            opened_hdf5(str(tmp_path / "w.hdf5"))


@pytest.mark.parametrize(("n_datasets", "fits"), [(3, True), (4, False)])
def test_a_file_may_hold_so_many_objects(n_datasets, fits, tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "MAX_OBJECTS", 4)
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        for number in range(n_datasets):
            file[f"g/{number}"] = np.ones(3, "f4")
    if fits:
        assert len(values_of(tmp_path / "w.hdf5")) == n_datasets
    else:
        with pytest.raises(UnsafeFileError, match="more than 4 objects"):
            opened_hdf5(str(tmp_path / "w.hdf5"))


@pytest.mark.parametrize(("most", "fits"), [(16, True), (15, False)])
def test_a_compact_dataset_may_have_so_many_bytes(most, fits, tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "MAX_COMPACT_BYTES", most)
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.COMPACT)
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        h5py.h5d.create(file.id, b"a", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4,)), plan)
    if fits:
        assert values_of(tmp_path / "w.hdf5")["a"].shape == (4,)
    else:
        refused(tmp_path / "w.hdf5", "16 bytes in a compact dataset, whose limit is 15")


@pytest.mark.parametrize(("most", "fits"), [(listing.MIN_CHUNK_BYTES, True), (64, True), (32, True), (31, False)])
def test_a_chunk_may_have_so_many_bytes(most, fits, tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "MIN_CHUNK_BYTES", most)
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file.create_dataset("a", data=np.arange(3, dtype="f4"), chunks=(8,), maxshape=(None,))
    if fits:
        with opened_hdf5(str(tmp_path / "w.hdf5")) as file:
            assert [row.n_bytes for row in file.datasets["a"].chunks.rows] == [32]
        assert values_of(tmp_path / "w.hdf5")["a"].tolist() == [0, 1, 2]
    else:
        refused(tmp_path / "w.hdf5", "chunks of 32 bytes for 12")


def test_a_filter_of_hdf5_itself_is_no_plugin(tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file.create_dataset("x", data=np.ones(4, "f4"), scaleoffset=2, chunks=(4,))
    refused(tmp_path / "w.hdf5", "the filter 6 (scaleoffset), which safeload does not read")


def test_a_filter_may_be_there_once(tmp_path):
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((4,))
    plan.set_filter(h5py.h5z.FILTER_DEFLATE, 0, (4,))
    plan.set_filter(h5py.h5z.FILTER_DEFLATE, 0, (4,))
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        h5py.h5d.create(file.id, b"a", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4,)), plan)

    refused(tmp_path / "w.hdf5", "the same filter twice, which would let a few bytes decompress to any size")


def test_a_name_with_a_slash_is_refused(tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file.create_group("group")["aXb"] = np.zeros(2, "f4")
    data = (tmp_path / "w.hdf5").read_bytes()
    assert data.count(b"aXb") == 1
    (tmp_path / "w.hdf5").write_bytes(data.replace(b"aXb", b"a/b"))

    refused(tmp_path / "w.hdf5", "a name that contains a slash, which would point elsewhere")


@pytest.mark.parametrize(("n_bytes", "fits"), [(20_000, True), (19_999, False)])
def test_a_compressed_dataset_may_declare_so_many_bytes(n_bytes, fits, tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "MAX_EXPANSION", 10)
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file.create_dataset("d", data=np.zeros(50_000, "f4"), compression="gzip")
    with (tmp_path / "w.hdf5").open("ab") as file:
        file.truncate(n_bytes)
    if fits:
        assert values_of(tmp_path / "w.hdf5")["d"].shape == (50_000,)
    else:
        with pytest.raises(UnsafeFileError, match="200,000 declared bytes in a file of 19,999"):
            opened_hdf5(str(tmp_path / "w.hdf5"))


@pytest.mark.parametrize(("n_stored", "fits"), [(37, True), (36, False)])
def test_a_chunk_may_unpack_to_so_many_times_its_bytes(n_stored, fits, tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        dataset = file.create_dataset("d", (2, 10_000), "f4", chunks=(1, 10_000), compression="gzip", fillvalue=0)
        dataset.id.write_direct_chunk((0, 0), zlib.compress(bytes(40_000)))
        dataset.id.write_direct_chunk((1, 0), bytes(n_stored))
    if fits:
        with opened_hdf5(str(tmp_path / "w.hdf5")) as file, pytest.raises(CorruptFileError):
            file.verify(["d"])
    else:
        refused(tmp_path / "w.hdf5", "a chunk of 36 bytes that would unpack to 40,000")


@pytest.mark.parametrize("level", [1, 9])
def test_zeros_that_deflate_packs_as_well_as_it_can_are_read(level, tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file.create_dataset("d", data=np.zeros(5_000_000, "f4"), chunks=(5_000_000,), compression=level, shuffle=True)
    assert not values_of(tmp_path / "w.hdf5")["d"].any()


def test_a_hard_link_is_a_second_name(tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file["a"] = np.ones(3, "f4")
        file["b"] = file["a"]

    with pytest.raises(CorruptFileError, match="a and b share bytes") as caught:
        opened_hdf5(str(tmp_path / "w.hdf5"))
    with h5py.File(tmp_path / "w.hdf5") as file:
        assert caught.value.offset == file["a"].id.get_offset()
    assert caught.value.variables == ("a", "b")


def test_a_group_inside_itself_ends(tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file["a"] = file.create_group("g")
        file["g/again"] = file["g"]

    with pytest.raises(SafeLoadError, match="no weight file needs"):
        opened_hdf5(str(tmp_path / "w.hdf5"))
