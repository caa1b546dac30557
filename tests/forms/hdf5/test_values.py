"""The values of HDF5 weight files, which h5py writes in every way."""

from __future__ import annotations

import os
import struct
import tracemalloc

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import safeload
from safeload._forms import look
from safeload._forms.hdf5 import lzf
from safeload._forms.weight_file import WeightFile
from safeload.errors import CorruptFileError, FileSystemError
from tests.elmos import WEIGHTS_NAME, random_datasets, values_of
from tests.opened import opened_hdf5

NAME = "CNN_proj/W_proj"
WAYS = {
    "contiguous": {},
    "chunked": {"chunks": (5, 3)},
    "gzip": {"chunks": (18, 8), "compression": "gzip"},
    "gzip_shuffle": {"compression": "gzip", "shuffle": True},
    "lzf": {"compression": "lzf"},
    "fletcher32": {"fletcher32": True},
    "growable": {"maxshape": (None, 8)},
}
FILES = {
    "user_block_of_512": {"userblock_size": 512},
    "oldest": {"libver": "earliest"},
    "latest": {"libver": "latest"},
    "v110": {"libver": ("v110", "v110")},
    "user_block": {"userblock_size": 1024},
    "tracked": {"track_order": True},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("kind", FILES.values(), ids=FILES)
def test_values_are_those_of_h5py(way, kind, tmp_path):
    written = random_datasets()
    with h5py.File(tmp_path / "w.hdf5", "w", **kind) as file:
        for name, value in written.items():
            file.create_dataset(name, data=value, **(way if name == NAME else {}))
    read = values_of(tmp_path / "w.hdf5")

    assert read.keys() == written.keys()
    for name, value in written.items():
        np.testing.assert_array_equal(read[name], value)


@pytest.mark.parametrize("dtype", [">f2", ">f4", ">f8"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_big_endian_values_are_those_of_h5py(way, dtype, tmp_path):
    written = {name: value.astype(dtype) for name, value in random_datasets().items()}
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        for name, value in written.items():
            file.create_dataset(name, data=value, **(way if name == NAME else {}))
    with opened_hdf5(str(tmp_path / "w.hdf5")) as file:
        file.verify(written)
        read = file.read(written)

    for name, value in written.items():
        assert read[name].dtype == np.dtype(dtype[1:])
        np.testing.assert_array_equal(read[name], value)


@pytest.mark.parametrize("way", [{}, {"chunks": (3,)}], ids=["contiguous", "chunked"])
def test_a_big_endian_value_that_is_not_finite_is_told(way, tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file.create_dataset("a", data=np.array([1, np.nan, 2], ">f4"), **way)
    with opened_hdf5(str(tmp_path / "w.hdf5")) as file:
        for use in (file.verify, file.read):
            with pytest.raises(CorruptFileError, match="NOT FINITE"):
                use(["a"])


def test_datasets_with_the_same_bytes_in_another_order_are_not_equal(tmp_path):
    values = np.array([1.5, 2.5, 3.5], "<f4")
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file["a"], file["b"], file["c"] = values, values.astype(">f4"), values.view(">f4")
    with opened_hdf5(str(tmp_path / "w.hdf5")) as file:
        assert file.is_equal("a", "b")
        assert not file.is_equal("a", "c")


def test_a_compact_dataset_in_big_endian_is_read(tmp_path):
    values = np.arange(4).astype(">f4")
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.COMPACT)
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        space = h5py.h5s.create_simple(values.shape)
        h5py.h5d.create(file.id, b"a", h5py.h5t.IEEE_F32BE, space, plan).write(h5py.h5s.ALL, h5py.h5s.ALL, values)

    np.testing.assert_array_equal(values_of(tmp_path / "w.hdf5")["a"], values)


@pytest.mark.parametrize("shape", [(1000,), (37, 41), (7, 11, 13)], ids=str)
@pytest.mark.parametrize("zeros", [0.0, 0.5, 0.99])
@pytest.mark.parametrize(
    "way",
    [
        {"compression": "lzf"},
        {"compression": "lzf", "shuffle": True},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"fletcher32": True, "chunks": True},
    ],
    ids=str,
)
def test_chunks_that_can_be_compressed_are_unpacked(way, zeros, shape, tmp_path):
    """Random values cannot be compressed, and h5py leaves the filter out for such a chunk."""
    random = np.random.default_rng(0)
    values = np.where(random.random(shape) < zeros, 0, random.standard_normal(shape)).astype("f4")
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file.create_dataset("a", data=values, **way)

    np.testing.assert_array_equal(values_of(tmp_path / "w.hdf5")["a"], values)


def test_a_checksum_of_zeros_and_of_the_modulus(tmp_path):
    """Its sums are kept from 1 to 65,535; only those of zeros alone are 0."""
    bits = np.array([0, 0xFFFF, 0xFFFF0000, 0x00010000] * 3, np.uint32)
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        for at in range(len(bits)):
            values = (bits[at:] & 0x7F7FFFFF).view("f4")
            file.create_dataset(f"d{at}", data=values, fletcher32=True)
    found = values_of(tmp_path / "w.hdf5")
    with h5py.File(tmp_path / "w.hdf5") as file:
        assert all(np.array_equal(found[name], file[name][()]) for name in file)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_lzf_stream_is_unpacked_or_told(data, n_bytes):
    try:
        found = lzf.decompress(data, n_bytes=n_bytes)
    except ValueError:
        return
    assert len(found) == n_bytes


def test_a_compact_dataset_is_read(tmp_path):
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.COMPACT)
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file.id, b"b", h5py.h5t.IEEE_F32LE, space, plan).write(
            h5py.h5s.ALL, h5py.h5s.ALL, np.arange(4, dtype="f4")
        )

    assert values_of(tmp_path / "w.hdf5")["b"].tolist() == [0, 1, 2, 3]


@pytest.fixture
def blocks(tmp_path, monkeypatch):
    """Return an open file with a dataset of three blocks, and one of the others' kinds; the path and the values."""
    monkeypatch.setattr(look, "N_BLOCK_BYTES", 400)
    values = np.random.default_rng(0).normal(size=(25, 10)).astype("f4")
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file["a"] = np.ones(7, "f4")
        file["b"] = values
        file["behind"] = np.full(300, np.nan, "f4")
        file["empty"] = np.ones((0, 3), "f4")
        file.create_dataset("packed", data=values, compression="gzip")
    return tmp_path / "w.hdf5", values


def test_values_are_read_block_by_block(blocks):
    path, values = blocks
    with opened_hdf5(str(path)) as file:
        file.verify(["a", "b", "packed", "empty"])
        read = file.read(["a", "b", "packed", "empty"])

    np.testing.assert_array_equal(read["b"], values)
    np.testing.assert_array_equal(read["packed"], values)
    assert read["empty"].shape == (0, 3)


@pytest.mark.parametrize("use", [WeightFile.verify, WeightFile.read])
def test_values_that_are_not_finite_are_counted_in_every_block(use, blocks):
    path, _ = blocks
    places = [0, 99, 100, 199, 200, 249]
    with h5py.File(path, "a") as file:
        for name in ("b", "packed"):
            changed = file[name][...].reshape(-1)
            changed[places] = [np.nan, np.inf, -np.inf, np.nan, np.inf, -np.inf]
            file[name][...] = changed.reshape(25, 10)
    with opened_hdf5(str(path), given="w") as file, pytest.raises(CorruptFileError) as caught:
        use(file, ["packed", "a", "b"])

    offset = file.datasets["b"].offset
    assert caught.value.message == "2 of 3 datasets are damaged in the weight file"
    assert caught.value.variables == ("packed", "b")
    assert caught.value.offset is None
    assert caught.value.given == "w"
    assert "packed\n               6 of 250 values are NaN or infinite" in str(caught.value)
    assert f"b\n               from byte {offset:,}: 6 of 250 values are NaN or infinite" in str(caught.value)


@pytest.mark.parametrize("use", [WeightFile.verify, WeightFile.read])
def test_each_kind_of_fault_has_its_hint_and_the_first_ten_are_printed(use, tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        for number in range(6):
            file[f"bad{number}"] = np.float32([np.nan])
            file.create_dataset(f"lost{number}", shape=(3,), dtype="f4")
    with opened_hdf5(str(tmp_path / "w.hdf5")) as file, pytest.raises(CorruptFileError) as caught:
        use(file, file.datasets)

    assert caught.value.hints == (
        "the program that wrote the file ended early; save the weights again",
        "training diverged before the weights were saved, or bytes were damaged; take another copy",
    )
    assert "... and 2 more in error.variables" in str(caught.value)


@pytest.mark.parametrize("use", [WeightFile.verify, WeightFile.read])
def test_a_file_that_is_cut_while_it_is_read_is_told_with_the_place(use, blocks):
    path, _ = blocks
    with opened_hdf5(str(path)) as file:
        offset = file.datasets["b"].offset
        os.truncate(path, offset + 803)
        with pytest.raises(CorruptFileError) as caught:
            use(file, ["a", "b"])

    assert caught.value.message == "1 of 2 datasets is damaged in the weight file"
    assert (caught.value.variables, caught.value.offset) == (("b",), offset)
    assert f"TRUNCATED  b\n               from byte {offset:,}: the file ended at byte {offset + 803}" in str(
        caught.value
    )


@pytest.mark.parametrize("use", [WeightFile.verify, WeightFile.read])
@pytest.mark.system_calls
def test_what_the_system_says_of_a_read_that_fails_is_told(use, blocks, monkeypatch):
    def fail(*_):
        raise OSError(5, "Input/output error")

    with opened_hdf5(str(blocks[0])) as file:
        monkeypatch.setattr(os, "preadv", fail)
        for names in (["b"], ["a", "b"]):
            with pytest.raises(FileSystemError, match="cannot read the weight file: Input/output error") as caught:
                use(file, names)
            assert caught.value.errno == 5


@pytest.mark.parametrize("bits", [0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF])
@pytest.mark.parametrize("place", [0, 7, -1])
def test_one_value_that_is_not_finite_is_found_anywhere(bits, place, elmo):
    with h5py.File(elmo / WEIGHTS_NAME) as file:
        dataset = file[NAME]
        at = dataset.id.get_offset() + 4 * (place % dataset.size)
    data = bytearray((elmo / WEIGHTS_NAME).read_bytes())
    data[at : at + 4] = struct.pack("<I", bits)
    (elmo / WEIGHTS_NAME).write_bytes(data)

    with pytest.raises(CorruptFileError) as caught:
        safeload.check_elmo(elmo)
    assert caught.value.variables == (NAME,)
    assert "1 of 144 values are NaN or infinite" in str(caught.value)


def test_large_finite_values_pass_with_a_warning(elmo):
    """Their sum of squares overflows; they are counted one by one then."""
    with h5py.File(elmo / WEIGHTS_NAME, "a") as file:
        file[NAME][...] = 3e38

    with pytest.warns(safeload.SafeLoadWarning, match=r"beyond 1,000 in magnitude, up to 3e\+38, in 1 dataset"):
        assert len(safeload.check_elmo(elmo).read) == 29


@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    steps=st.lists(st.integers(1, 9), min_size=3, max_size=3),
    is_big=st.booleans(),
    bad=st.one_of(st.none(), st.integers(0, 10**6)),
    dtype=st.sampled_from(["f2", "f4", "f8", "i4"]),
)
@settings(max_examples=80, deadline=None)
def test_chunks_are_verified_as_they_are_read(shape, steps, is_big, bad, dtype, tmp_path_factory):
    path = tmp_path_factory.mktemp("chunks") / "w.hdf5"
    values = np.arange(np.prod(shape)).reshape(shape).astype(f"{'>' if is_big else '<'}{dtype}")
    if bad is not None and dtype != "i4":
        values.reshape(-1)[bad % values.size] = np.nan
    chunk = tuple(map(min, shape, steps))
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=values, chunks=chunk, compression="gzip")
    with opened_hdf5(path) as file:
        assert outcome_of(file, file.verify) == outcome_of(file, file.read)


def outcome_of(file, use):
    """Return what was seen of the dataset, or the message about it."""
    try:
        use(["x"])
    except CorruptFileError as exc:
        return str(exc)
    return file.seen.pop("x")


def test_a_dataset_in_chunks_is_verified_by_few_of_them(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file.create_dataset("x", data=np.ones((4000, 256), np.float32), chunks=(100, 64), compression="gzip")
    with opened_hdf5(tmp_path / "w.hdf5") as file:
        sizes = []
        real = look.Look.add
        monkeypatch.setattr(look.Look, "add", lambda self, block: (sizes.append(block.nbytes), real(self, block))[1])
        tracemalloc.start()
        file.verify(["x"])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert sum(sizes) == 4000 * 256 * 4
    assert peak < 1 << 20
