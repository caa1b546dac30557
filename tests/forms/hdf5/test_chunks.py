"""Chunks of HDF5 datasets: which of them are there, and what each unpacks to."""

from __future__ import annotations

import itertools
import zlib

import h5py
import numpy as np
import pytest

from safeload._bytes.files import DISK
from safeload._forms.hdf5 import chunks as hdf5_chunks
from safeload._forms.hdf5.chunks import FLETCHER32, GZIP, LZF, SHUFFLE, Chunk, Chunks, list_chunks, read_chunks

PLACES = list(itertools.product((0, 4, 8), (0, 3)))
NEVER = "created but never written: it would read as zeros"
CONTRADICTS = "its chunk index is inconsistent"
LACKS = {
    "nothing": (PLACES, ""),
    "everything": ([], NEVER),
    "one": (PLACES[1:], "5 of 6 chunks were written: the others would read as zeros"),
    "one_is_there_twice": ([*PLACES, PLACES[2]], CONTRADICTS),
    "one_twice_in_place_of_another": ([*PLACES[1:], PLACES[2]], CONTRADICTS),
    "one_between_two": ([*PLACES[1:], (0, 1)], CONTRADICTS),
    "one_beyond_the_end": ([*PLACES[1:], (12, 0)], CONTRADICTS),
    "one_that_begins_at_the_end": ([*PLACES[1:], (0, 6)], CONTRADICTS),
}


@pytest.mark.parametrize(("origins", "lacks"), LACKS.values(), ids=LACKS)
def test_every_chunk_is_there_once(origins, lacks):
    rows = tuple(Chunk(origin, 0, 0, 48) for origin in origins)
    chunks = Chunks((10, 6), (4, 3), 4, (), rows)

    assert chunks.lacks() == lacks
    assert chunks.n_bytes == 48


def written(path, data, *filters, chunk=None):
    """Write `data` through filters in this order; return how it lies in the file."""
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk(chunk or data.shape)
    for code in filters:
        {GZIP: lambda: plan.set_deflate(4), SHUFFLE: plan.set_shuffle, FLETCHER32: plan.set_fletcher32,
         LZF: lambda: plan.set_filter(LZF, h5py.h5z.FLAG_OPTIONAL)}[code]()  # fmt: skip
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple(data.shape)
        dataset = h5py.h5d.create(file.id, b"a", h5py.h5t.py_create(data.dtype), space, plan)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, data)
        return list_chunks(dataset)


def read(path, chunks, dtype="<f4"):
    values = np.full(chunks.shape, 77, dtype)
    file = DISK.open(str(path))
    try:
        read_chunks(file, chunks, values, is_big=False)
    finally:
        file.close()
    return values


ORDERS = [order for n in range(4) for order in itertools.permutations((GZIP, SHUFFLE, FLETCHER32), n)]
ORDERS += [(LZF,), (SHUFFLE, LZF), (LZF, FLETCHER32), (FLETCHER32, LZF), (LZF, GZIP)]


@pytest.mark.parametrize("filters", ORDERS, ids=str)
def test_filters_are_undone_in_any_order(filters, tmp_path):
    data = np.repeat(np.arange(70, dtype="<f4"), 6).reshape(30, 14)
    chunks = written(tmp_path / "w.hdf5", data, *filters, chunk=(16, 8))

    assert chunks.filters == filters
    np.testing.assert_array_equal(read(tmp_path / "w.hdf5", chunks), data)


@pytest.mark.parametrize("n_bytes", [1, 2, 3, 10, 11, 255, 256])
def test_a_checksum_is_that_of_hdf5(n_bytes, tmp_path):
    data = np.random.default_rng(n_bytes).integers(0, 256, n_bytes, np.uint8)
    chunks = written(tmp_path / "w.hdf5", data, FLETCHER32)

    np.testing.assert_array_equal(read(tmp_path / "w.hdf5", chunks, np.uint8), data)
    raw = bytearray((tmp_path / "w.hdf5").read_bytes())
    raw[chunks.rows[0].offset + n_bytes // 2] ^= 1
    (tmp_path / "w.hdf5").write_bytes(raw)
    with pytest.raises(
        ValueError, match=rf"the chunk at \(0,\), byte {chunks.rows[0].offset:,}: its checksum does not match"
    ):
        read(tmp_path / "w.hdf5", chunks, np.uint8)


@pytest.mark.parametrize("n_bytes", [10, 1 << 25])  # sums of the latter are more than a float64 holds exactly
@pytest.mark.parametrize("value", [0, 255])
def test_a_checksum_of_few_and_of_many_alike_bytes(value, n_bytes, tmp_path):
    data = np.full(n_bytes, value, np.uint8)
    data[-1] = 0
    chunks = written(tmp_path / "w.hdf5", data, FLETCHER32)

    np.testing.assert_array_equal(read(tmp_path / "w.hdf5", chunks, np.uint8), data)


def test_a_shuffle_of_values_of_another_size_is_told(tmp_path):
    path = tmp_path / "w.hdf5"
    written(path, np.arange(9, dtype="<f4"), SHUFFLE)
    path.write_bytes(path.read_bytes().replace(b"shuffle\0" + bytes([4, 0, 0, 0]), b"shuffle\0" + bytes([2, 0, 0, 0])))
    with h5py.File(path) as file, pytest.raises(ValueError, match=r"it shuffles values of \(2,\) bytes that have 4"):
        list_chunks(file["a"].id)


def test_bytes_that_make_no_whole_value_are_not_shuffled():
    assert hdf5_chunks._unshuffled(b"aAbBcC", 2) == b"aBAcbC"
    assert hdf5_chunks._unshuffled(b"abcABCxy", 3) == b"acBbACxy"


def test_filters_that_were_left_out_of_a_chunk_are_not_undone(tmp_path):
    plain = np.arange(4, dtype="<f4").tobytes()
    shuffled = np.frombuffer(plain, np.uint8).reshape(4, 4).T.tobytes()
    contents = [plain, zlib.compress(plain), shuffled, zlib.compress(shuffled)]
    rows, at = [], 0
    for number, (content, mask) in enumerate(zip(contents, (0b11, 0b01, 0b10, 0b00), strict=True)):
        rows.append(Chunk((4 * number,), mask, at, len(content)))
        at += len(content)
    (tmp_path / "chunks").write_bytes(b"".join(contents))

    found = read(tmp_path / "chunks", Chunks((15,), (4,), 4, (SHUFFLE, GZIP), tuple(rows)))
    assert found.tolist() == [0, 1, 2, 3] * 3 + [0, 1, 2]


GOOD = bytes(range(16))
WRONG = {
    "unpacks_to_less": (zlib.compress(GOOD[:15]), "it does not decompress to 16 bytes"),
    "unpacks_to_more": (zlib.compress(GOOD + b"x"), "it does not decompress to 16 bytes"),
    "is_a_bomb": (zlib.compress(bytes(1 << 20)), "it does not decompress to 16 bytes"),
    "is_no_stream": (b"no stream at all", "incorrect header check"),
    "has_no_checksum": (zlib.compress(GOOD)[:-4], "it is truncated or inconsistent"),
    "has_half_a_checksum": (zlib.compress(GOOD)[:-2], "it is truncated or inconsistent"),
}


@pytest.mark.parametrize(("content", "text"), WRONG.values(), ids=WRONG)
def test_a_chunk_that_does_not_unpack_to_its_size_is_told(content, text, tmp_path):
    (tmp_path / "chunk").write_bytes(bytes(2000) + content)
    chunks = Chunks((4,), (4,), 4, (GZIP,), (Chunk((0,), 0, 2000, len(content)),))
    with pytest.raises(ValueError, match=rf"the chunk at \(0,\), byte 2,000: .*{text}"):
        read(tmp_path / "chunk", chunks)


def test_a_chunk_that_is_cut_is_told(tmp_path):
    (tmp_path / "chunk").write_bytes(GOOD[:-1])
    with pytest.raises(ValueError, match=r"the chunk at \(0,\) is cut off"):
        read(tmp_path / "chunk", Chunks((4,), (4,), 4, (), (Chunk((0,), 0, 0, 16),)))
