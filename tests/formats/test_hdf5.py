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
from safeload._files import HDF5_SIGNATURE
from safeload._formats import hdf5, hdf5_values, lzf
from safeload._formats.hdf5 import Hdf5File, _read_superblock
from safeload._formats.hdf5_values import check_values, read_values
from safeload.errors import CorruptFileError, MissingFileError, SafeLoadError, UnsafeFileError, WrongFileKindError

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


def with_fields(kind):
    kind.set_fields(23, 15, 8, 0, 15)
    return kind


def of_three_bytes(kind):
    kind.set_size(3)
    return kind


TYPES = {
    "float32": (h5py.h5t.IEEE_F32LE, "float32"),
    "big-endian float32": (h5py.h5t.IEEE_F32BE, "big-endian float32"),
    "float64": (h5py.h5t.IEEE_F64LE, "float64"),
    "int8": (h5py.h5t.STD_I8LE, "int8"),
    "uint16": (h5py.h5t.STD_U16LE, "uint16"),
    "big-endian int64": (h5py.h5t.STD_I64BE, "big-endian int64"),
    "string": (h5py.h5t.C_S1, "string"),
    "other fields": (with_fields(h5py.h5t.IEEE_F32LE.copy()), "float of 4 bytes"),
    "three bytes": (of_three_bytes(h5py.h5t.STD_I32LE.copy()), "integer of 3 bytes"),
    "reference": (h5py.h5t.STD_REF_OBJ, "a compound or other type"),
}


@pytest.mark.parametrize(("kind", "name"), TYPES.values(), ids=TYPES)
def test_a_type_has_its_name_and_float32_is_only_what_its_bytes_say(kind, name, tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((3,)))
    with Hdf5File(str(tmp_path / "w.hdf5")) as file:
        assert file.datasets["x"].spec.dtype == name


def test_a_name_that_is_no_utf8_is_listed(tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        h5py.h5d.create(file.id, b"\xff", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((3,)))
    with Hdf5File(str(tmp_path / "w.hdf5")) as file:
        assert list(file.datasets) == [r"\xff"]


@pytest.mark.parametrize(("n_groups", "fits"), [(hdf5.MAX_DEPTH, True), (hdf5.MAX_DEPTH + 1, False)])
def test_groups_may_be_nested_so_deep(n_groups, fits, tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file["g/" * n_groups + "d"] = np.ones(3, "f4")
    if fits:
        assert list(values_of(tmp_path / "w.hdf5")) == ["g/" * n_groups + "d"]
    else:
        with pytest.raises(UnsafeFileError, match="groups nested deeper than 16"):
            Hdf5File(str(tmp_path / "w.hdf5"))


@pytest.mark.parametrize(("n_datasets", "fits"), [(3, True), (4, False)])
def test_a_file_may_hold_so_many_objects(n_datasets, fits, tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "MAX_OBJECTS", 4)
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        for number in range(n_datasets):
            file[f"g/{number}"] = np.ones(3, "f4")
    if fits:
        assert len(values_of(tmp_path / "w.hdf5")) == n_datasets
    else:
        with pytest.raises(UnsafeFileError, match="more than 4 objects"):
            Hdf5File(str(tmp_path / "w.hdf5"))


@pytest.mark.parametrize(("n_bytes", "fits"), [(20_000, True), (19_999, False)])
def test_a_compressed_dataset_may_declare_so_many_bytes(n_bytes, fits, tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "MAX_EXPANSION", 10)
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file.create_dataset("d", data=np.zeros(50_000, "f4"), compression="gzip")
    with (tmp_path / "w.hdf5").open("ab") as file:
        file.truncate(n_bytes)
    if fits:
        assert values_of(tmp_path / "w.hdf5")["d"].shape == (50_000,)
    else:
        with pytest.raises(UnsafeFileError, match="200,000 declared bytes in a file of 19,999"):
            Hdf5File(str(tmp_path / "w.hdf5"))


def superblock(version, end, *, width=8, flags=0):
    """Encode the first block of a file, in which the third address is where it ends."""
    addresses = b"".join(number.to_bytes(width, "little") for number in (0, 77, end, 99))
    if version < 2:
        return HDF5_SIGNATURE + bytes([version, 0, 0, 0, 0, width, 8, 0]) + bytes(8 + 4 * version) + addresses
    return HDF5_SIGNATURE + bytes([version, width, 8, flags]) + addresses


@pytest.mark.parametrize("width", [2, 4, 8])
@pytest.mark.parametrize(
    ("version", "flags", "is_open"),
    [
        (0, 0, False),
        (1, 0, False),
        (2, 0, False),
        (2, 1, False),
        (3, 0, False),
        (3, 1, True),
        (3, 4, False),
        (3, 5, True),
    ],
)
def test_a_superblock_says_where_the_file_ends_and_whether_it_is_open(version, flags, is_open, width):
    block = superblock(version, 1234, width=width, flags=flags)
    n_needed = block.index((99).to_bytes(width, "little"), 12 + 3 * width)

    assert _read_superblock(block) == _read_superblock(block[:n_needed]) == (1234, is_open)
    for cut in range(n_needed):
        assert _read_superblock(block[:cut])[0] is None


def test_an_unknown_superblock_is_left_to_hdf5():
    assert _read_superblock(superblock(4, 1234).ljust(64, b"\0")) == (0, False)
    without_width = superblock(2, 1234).replace(b"\2\x08", b"\2\0")
    assert _read_superblock(without_width.ljust(64, b"\0")) == (None, False)


@pytest.mark.parametrize("raised", [OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError])
def test_whatever_hdf5_raises_is_damage(raised, elmo):
    with (
        Hdf5File(str(elmo / WEIGHTS_NAME), given="w") as file,
        pytest.raises(CorruptFileError) as caught,
        file.translated("it"),
    ):
        raise raised("a\n b" + "c" * 300)

    assert type(caught.value.__cause__) is raised
    assert caught.value.message == "the weight file is damaged: it"
    assert (caught.value.resolved, caught.value.given) == (str(elmo / WEIGHTS_NAME), "w")
    assert len(dict(caught.value.context)["hdf5"]) == 200
    assert caught.value.hints == ("copy or download the file again",)


@pytest.mark.parametrize("change", ["a byte more", "another time"])
def test_a_file_that_was_written_to_is_told(change, elmo):
    path = elmo / WEIGHTS_NAME
    with Hdf5File(str(path)) as file:
        file.require_unchanged()
        times = path.stat()
        if change == "a byte more":
            path.write_bytes(path.read_bytes() + b"\0")
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        else:
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 1000))
        with pytest.raises(CorruptFileError, match="changed while it was being read") as caught:
            file.require_unchanged()
    assert caught.value.hints == ("load again when it is complete",)


@pytest.fixture
def blocks(tmp_path, monkeypatch):
    """Return an open file with a dataset of three blocks, and one of the others' kinds; the path and the values."""
    monkeypatch.setattr(hdf5_values, "N_BLOCK_VALUES", 100)
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
    with Hdf5File(str(path)) as file:
        check_values(file, ["a", "b", "packed", "empty"])
        read = read_values(file, ["a", "b", "packed", "empty"])

    np.testing.assert_array_equal(read["b"], values)
    np.testing.assert_array_equal(read["packed"], values)
    assert read["empty"].shape == (0, 3)


@pytest.mark.parametrize("use", [check_values, read_values])
def test_values_that_are_not_finite_are_counted_in_every_block(use, blocks):
    path, _ = blocks
    places = [0, 99, 100, 199, 200, 249]
    with h5py.File(path, "a") as file:
        for name in ("b", "packed"):
            changed = file[name][...].reshape(-1)
            changed[places] = [np.nan, np.inf, -np.inf, np.nan, np.inf, -np.inf]
            file[name][...] = changed.reshape(25, 10)
    with Hdf5File(str(path), given="w") as file, pytest.raises(CorruptFileError) as caught:
        use(file, ["packed", "a", "b"])

    offset = file.datasets["b"].offset
    assert caught.value.message == "2 of 3 datasets are damaged in the weight file"
    assert caught.value.variables == ("packed", "b")
    assert caught.value.offset is None
    assert caught.value.given == "w"
    assert "packed\n               6 of 250 values are NaN or infinite" in str(caught.value)
    assert f"b\n               from byte {offset:,}: 6 of 250 values are NaN or infinite" in str(caught.value)


@pytest.mark.parametrize("use", [check_values, read_values])
def test_each_kind_of_fault_has_its_hint_and_the_first_ten_are_printed(use, tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        for number in range(6):
            file[f"bad{number}"] = np.float32([np.nan])
            file.create_dataset(f"lost{number}", shape=(3,), dtype="f4")
    with Hdf5File(str(tmp_path / "w.hdf5")) as file, pytest.raises(CorruptFileError) as caught:
        use(file, file.datasets)

    assert caught.value.hints == (
        "the program that wrote the file ended early; save the weights again",
        "training diverged before the weights were saved, or bytes were damaged; take another copy",
    )
    assert "... and 2 more in error.variables" in str(caught.value)


@pytest.mark.parametrize("use", [check_values, read_values])
def test_a_file_that_is_cut_while_it_is_read_is_told_with_the_place(use, blocks):
    path, _ = blocks
    with Hdf5File(str(path)) as file:
        offset = file.datasets["b"].offset
        os.truncate(path, offset + 803)
        with pytest.raises(CorruptFileError) as caught:
            use(file, ["a", "b"])

    assert caught.value.message == "1 of 2 datasets is damaged in the weight file"
    assert (caught.value.variables, caught.value.offset) == (("b",), offset)
    assert f"TRUNCATED  b\n               from byte {offset:,}: the file ended at byte {offset + 803}" in str(
        caught.value
    )


@pytest.mark.parametrize("use", [check_values, read_values])
def test_what_the_system_says_of_a_read_that_fails_is_told(use, blocks, monkeypatch):
    def fail(*_):
        raise OSError(5, "Input/output error")

    with Hdf5File(str(blocks[0])) as file:
        monkeypatch.setattr(os, "preadv", fail)
        with pytest.raises(CorruptFileError, match=r"UNREADABLE b\n.*: the system reports: Input/output error"):
            use(file, ["b"])


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(MissingFileError, match="no weight file") as caught:
        Hdf5File(str(tmp_path / "w.hdf5"), given="w.hdf5")
    assert (caught.value.given, caught.value.label) == ("w.hdf5", "weight")


def test_a_hard_link_is_a_second_name(tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file["a"] = np.ones(3, "f4")
        file["b"] = file["a"]

    with pytest.raises(CorruptFileError, match="a and b share bytes") as caught:
        Hdf5File(str(tmp_path / "w.hdf5"))
    with h5py.File(tmp_path / "w.hdf5") as file:
        assert caught.value.offset == file["a"].id.get_offset()
    assert caught.value.variables == ("a", "b")


@pytest.mark.parametrize(("n_beyond", "fits"), [(0, True), (1, False)])
def test_a_dataset_may_end_where_the_file_ends(n_beyond, fits, tmp_path):
    path = tmp_path / "w.hdf5"
    with h5py.File(path, "w", libver="earliest") as file:
        file["a"] = np.arange(1, 6, dtype="f4")
        offset = file["a"].id.get_offset()
    moved = path.stat().st_size - 20 + n_beyond
    place, other = (at.to_bytes(8, "little") + (20).to_bytes(8, "little") for at in (offset, moved))
    assert path.read_bytes().count(place) == 1
    path.write_bytes(path.read_bytes().replace(place, other))
    if fits:
        with Hdf5File(str(path)) as file:
            assert file.datasets["a"].offset == moved
    else:
        with pytest.raises(CorruptFileError, match="the weight file is damaged"):  # libhdf5 may tell it first
            Hdf5File(str(path))


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
            assert caught.value.offset == size
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
