"""The reader of HDF5 weight files against files that h5py writes in every way."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
from elmos import OPTIONS_NAME, WEIGHTS_NAME, random_datasets, write_elmo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import safeload
from safeload._formats import lzf
from safeload._formats.hdf5 import Hdf5File
from safeload._formats.hdf5_values import read_values
from safeload.errors import CorruptFileError, SafeLoadError, WrongFileKindError

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
    "oldest": {"libver": "earliest"},
    "latest": {"libver": "latest"},
    "v110": {"libver": ("v110", "v110")},
    "user_block": {"userblock_size": 1024},
    "tracked": {"track_order": True},
}


def values_of(path):
    with Hdf5File(str(path)) as file:
        return read_values(file, file.datasets)


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


def test_a_hard_link_is_a_second_name(tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file["a"] = np.ones(3, "f4")
        file["b"] = file["a"]

    with pytest.raises(CorruptFileError, match="a and b share bytes"):
        Hdf5File(str(tmp_path / "w.hdf5"))


def test_a_group_inside_itself_ends(tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file["a"] = file.create_group("g")
        file["g/again"] = file["g"]

    with pytest.raises(SafeLoadError, match="no weight file needs"):
        Hdf5File(str(tmp_path / "w.hdf5"))


def test_every_cut_is_told_before_h5py_opens_the_file(elmo, monkeypatch):
    path = elmo / WEIGHTS_NAME
    data = path.read_bytes()
    monkeypatch.setattr(h5py, "File", None)
    for size in (*range(1, 200), *range(200, len(data), 997), len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises((CorruptFileError, WrongFileKindError)) as caught:
            safeload.check_elmo(elmo)
        if size >= 48:
            assert caught.value.message == f"the weight file is truncated: {size:,} of {len(data):,} bytes are there"


def test_bytes_behind_the_end_change_nothing(elmo):
    with (elmo / WEIGHTS_NAME).open("ab") as file:
        file.write(bytes(100))

    assert len(safeload.check_elmo(elmo).read) == 29


def test_the_file_is_opened_read_only_and_closed(elmo):
    path = elmo / WEIGHTS_NAME
    path.chmod(0o444)
    before = (path.read_bytes(), path.stat().st_mtime_ns, sorted(os.listdir(elmo)))
    descriptors = os.listdir("/proc/self/fd")
    safeload.check_elmo(elmo)
    (elmo / "spoiled.hdf5").write_bytes(before[0][:2000])
    with pytest.raises(SafeLoadError):
        safeload.check_elmo(elmo / OPTIONS_NAME, elmo / "spoiled.hdf5")
    (elmo / "spoiled.hdf5").unlink()

    assert len(os.listdir("/proc/self/fd")) == len(descriptors)
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(os.listdir(elmo))) == before


def test_another_program_may_hold_the_file_open(elmo):
    """HDF5 locks files; the check needs no lock, since it never writes."""
    with h5py.File(elmo / WEIGHTS_NAME, "r"):
        assert len(safeload.check_elmo(elmo).read) == 29


def test_a_file_that_changes_while_it_is_read_is_told(elmo, monkeypatch):
    from safeload._formats import hdf5_values

    read = hdf5_values.read_values

    def slow(file, names):
        result = read(file, names)
        os.utime(elmo / WEIGHTS_NAME, ns=(1, 1))
        return result

    monkeypatch.setattr(hdf5_values, "read_values", slow)
    with pytest.raises(CorruptFileError, match="changed while it was being read"):
        safeload.load_elmo(elmo, backend="torch")


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


def test_large_finite_values_pass(elmo):
    """Their sum of squares overflows; they are counted one by one then."""
    with h5py.File(elmo / WEIGHTS_NAME, "a") as file:
        file[NAME][...] = 3e38

    assert len(safeload.check_elmo(elmo).read) == 29


@pytest.fixture(scope="module", params=["earliest", "latest"])
def original(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    write_elmo(folder)
    with h5py.File(folder / WEIGHTS_NAME, "w", libver=request.param) as file:
        for name, value in random_datasets().items():
            packed = {"compression": "gzip"} if request.param == "latest" and value.ndim > 1 else {}
            file.create_dataset(name, data=value, **packed)
    return folder


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_or_missing_byte_escapes_untyped(original, tmp_path, data):
    content = bytearray((original / WEIGHTS_NAME).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content))) if data.draw(st.booleans()) else len(content)
    folder = Path(tmp_path)
    shutil.copyfile(original / OPTIONS_NAME, folder / OPTIONS_NAME)
    (folder / WEIGHTS_NAME).write_bytes(content[:cut])
    try:
        n_read, said = len(safeload.check_elmo(folder).read), ""
    except SafeLoadError as exc:
        n_read, said = 0, str(exc)
    assert n_read == 29 or str(folder) in said
