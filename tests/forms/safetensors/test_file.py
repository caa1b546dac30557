"""Safetensors files: those that the safetensors package writes, those in shards, and those that are damaged."""

from __future__ import annotations

import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

from safeload._forms.safetensors.file import Safetensors
from safeload._forms.safetensors.header import MAX_ENTRIES, MAX_HEADER_BYTES
from safeload.errors import ConfigError, CorruptFileError, SafeLoadError, UnsafeFileError, WrongFileKindError
from safeload.testing._safetensors import write_safetensors
from tests.forms.laws import LAW
from tests.opened import ref

DTYPES = [np.float64, np.float32, np.float16, np.int64, np.int32, np.int8, np.uint8, np.bool_]
TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float32(7), "c": np.zeros((0, 3), np.float32)}


def opened(path, role="weight"):
    return Safetensors(ref(path, role, "g"))


def failure(path, error=CorruptFileError, role="weight"):
    with pytest.raises(SafeLoadError) as caught:
        opened(path, role)
    assert type(caught.value) is error, caught.value
    assert caught.value.given == "g"
    return caught.value


def file_of(path, header, values=b""):
    """Write a file with this header: bytes, or what JSON makes of it."""
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(data).to_bytes(8, "little") + data + values)
    return path


def row(shape=(1,), offsets=(0, 4), dtype="F32", **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


@LAW
@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: name != "__metadata__"),
        st.sampled_from(DTYPES).flatmap(
            lambda dtype: arrays.arrays(
                dtype,
                arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
                elements=arrays.from_dtype(np.dtype(dtype), allow_nan=False, allow_infinity=False),
            )
        ),
        max_size=4,
    )
)
def test_what_the_package_writes_is_read(tmp_path_factory, tensors):
    package = pytest.importorskip("safetensors.numpy")
    path = tmp_path_factory.mktemp("safetensors") / "model.safetensors"
    package.save_file(tensors, path)

    with opened(path) as file:
        found = file.read(tensors)
    assert found.keys() == tensors.keys()
    for name, values in tensors.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)


def test_the_testing_kit_writes_what_the_package_reads(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    write_safetensors(tmp_path / "a", TENSORS, {"format": "pt"})

    found = package.load_file(tmp_path / "a")
    for name, values in TENSORS.items():
        np.testing.assert_array_equal(found[name], values)


def test_bfloat16_is_read_as_its_bits(tmp_path):
    path = file_of(tmp_path / "a", {"x": row((2,), dtype="BF16")}, bytes.fromhex("803f0040"))

    with opened(path) as file:
        assert file.tensors["x"].spec.dtype == "bfloat16"
        assert file.read(["x"])["x"].tolist() == [0x3F80, 0x4000]


def test_a_type_that_nobody_knows_is_listed_and_cannot_be_read(tmp_path):
    with opened(file_of(tmp_path / "a", {"x": row((4,), dtype="F9_E4M4")}, b"abcd")) as file:
        assert file.tensors["x"].spec.dtype == "F9_E4M4"
        assert file.look("x") == (None, "")
        assert not file.has_readable_type("x")
        with pytest.raises(CorruptFileError) as caught:
            file.verify(["x"])
    assert "F9_E4M4 cannot be read" in str(caught.value)


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0"])
def test_floats_of_a_byte_are_read_as_their_bits(tmp_path, dtype):
    with opened(file_of(tmp_path / "a", {"x": row((2, 2), dtype=dtype)}, b"\x3f\x02\0\1")) as file:
        assert file.read(["x"])["x"].tolist() == [[63, 2], [0, 1]]


@pytest.mark.parametrize(
    ("dtype", "shape", "n_bytes"), [("F4", (2, 4), 4), ("F6_E2M3", (4,), 3), ("F6_E3M2", (8, 1), 6)]
)
def test_floats_below_a_byte_are_read_as_a_row_of_bytes(tmp_path, dtype, shape, n_bytes):
    data = bytes(range(n_bytes))
    with opened(file_of(tmp_path / "a", {"x": row(shape, (0, n_bytes), dtype)}, data)) as file:
        assert file.tensors["x"].spec.shape == shape
        assert file.read(["x"])["x"].tolist() == list(data)
        assert file.look("x")[0].tolist() == list(data)


@pytest.mark.parametrize(("dtype", "text"), [("F4", "1 and 4 bits"), ("F6_E2M3", "2 and 2 bits")])
def test_a_tensor_that_ends_within_a_byte_is_refused(tmp_path, dtype, text):
    with pytest.raises(CorruptFileError, match=f"x has 2 bytes, but its shape and dtype make {text}"):
        opened(file_of(tmp_path / "a", {"x": row((3,), (0, 2), dtype)}, b"ab"))


DAMAGED = {
    "a cut header": (b'{"x":', b"", "is not JSON"),
    "a key twice": (b'{"x":{},"x":{}}', b"", "'x' appears more than once"),
    "NaN": (b'{"x":NaN}', b"", "NaN is not a JSON number"),
    "a list": ({"x": [1]}, b"", "x has not exactly dtype, shape and data_offsets"),
    "a key more": ({"x": row(z=1)}, bytes(4), "x has not exactly"),
    "a negative size": ({"x": row((-1,))}, bytes(4), "is not one"),
    "a size that is no integer": ({"x": row((1.0,))}, bytes(4), "is not one"),
    "a size that is a bool": ({"x": row((True,))}, bytes(4), "is not one"),
    "more axes than NumPy has": ({"x": row([1] * 33)}, bytes(4), "is not one"),
    "a dtype that is no name": ({"x": row(dtype=1)}, bytes(4), "is not one"),
    "offsets backwards": ({"x": row((0,), (4, 0))}, bytes(4), "are no range of bytes"),
    "a negative offset": ({"x": row((2,), (-4, 4))}, bytes(4), "are no range of bytes"),
    "three offsets": ({"x": row((1,), (0, 2, 4))}, bytes(4), "are no range of bytes"),
    "a shape of other bytes": ({"x": row((2,))}, bytes(4), "x has 4 bytes, but its shape and dtype make 8"),
    "a product that overflows": ({"x": row((1 << 62, 1 << 62))}, bytes(4), "its shape and dtype make"),
    "an overlap": ({"x": row(), "y": row()}, bytes(4), "y overlaps the tensor before it"),
    "a hole": ({"x": row((1,), (4, 8))}, bytes(8), "4 bytes before x belong to no tensor"),
    "bytes behind": ({"x": row()}, bytes(5), "1 byte at its end belong to no tensor"),
    "metadata that is no object": ({"__metadata__": 1}, b"", "__metadata__ is not an object of strings"),
    "metadata of numbers": ({"__metadata__": {"format": 1}}, b"", "__metadata__ is not an object of strings"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_header_is_found(tmp_path, what):
    header, values, text = DAMAGED[what]
    error = failure(file_of(tmp_path / "a", header, values))

    assert text in error.message
    assert error.resolved == str(tmp_path / "a")


@pytest.mark.parametrize("n_bytes", [9, 60, -1])
def test_a_cut_file_is_truncated(tmp_path, n_bytes):
    write_safetensors(tmp_path / "a", TENSORS, {})
    data = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(data[:n_bytes])

    error = failure(tmp_path / "a")
    assert f"is truncated: {len(data[:n_bytes]):,} of " in error.message
    assert set(error.variables) <= {"a", "b", "c"}
    assert ("b" in error.variables) == (n_bytes == -1)


def test_another_file_is_named(tmp_path):
    (tmp_path / "a").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")

    assert "Git LFS pointer" in failure(tmp_path / "a", WrongFileKindError).found


def test_headers_beyond_the_limits_are_refused(tmp_path):
    (tmp_path / "long").write_bytes((MAX_HEADER_BYTES + 1).to_bytes(8, "little") + b"{")
    assert f"declares {MAX_HEADER_BYTES + 1:,} bytes" in failure(tmp_path / "long", UnsafeFileError).message

    many = b",".join(b'"%d":{"data_offsets":0}' % number for number in range(MAX_ENTRIES + 1))
    file_of(tmp_path / "many", b"{" + many + b"}")
    assert f"lists {MAX_ENTRIES + 1:,} tensors" in failure(tmp_path / "many", UnsafeFileError).message


@pytest.fixture
def sharded(tmp_path):
    """Return the index of a model in two shards, and a function that changes it."""
    for number, name in enumerate(("a", "b"), start=1):
        write_safetensors(tmp_path / f"model-0000{number}-of-00002.safetensors", {name: TENSORS[name]}, {})
    index = {
        "metadata": {"total_size": 28},
        "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"},
    }
    path = tmp_path / "model.safetensors.index.json"

    def write(**changes):
        path.write_text(json.dumps({**index, **changes}))
        return path

    write()
    write.index = index
    return write


def test_shards_are_one_file(sharded):
    with opened(sharded(), "index") as file:
        found = file.read(["a", "b"])
        assert [role for role, _ in file.files()] == ["index", "shard", "shard"]
    np.testing.assert_array_equal(found["a"], TENSORS["a"])
    assert found["b"] == 7


def test_a_tensor_in_another_shard_than_the_index_says_is_found(sharded):
    first, second = sharded.index["weight_map"].values()
    error = failure(sharded(weight_map={"a": second, "b": first}), role="index")

    assert "a shard does not hold what its index says" in error.message
    assert set(error.variables) == {"a", "b"}


def test_a_tensor_that_the_index_does_not_list_is_found(sharded):
    error = failure(
        sharded(weight_map={"a": "model-00001-of-00002.safetensors", "c": "model-00002-of-00002.safetensors"}),
        role="index",
    )

    assert set(error.variables) == {"b", "c"}


def test_a_total_size_that_is_not_true_is_found(sharded):
    assert "29 bytes, but they have 28" in failure(sharded(metadata={"total_size": 29}), role="index").message
    with opened(sharded(metadata={}), "index") as file:
        assert set(file.tensors) == {"a", "b"}


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "..", "", "a\\b"])
def test_a_shard_outside_the_folder_is_refused(sharded, name):
    assert failure(sharded(weight_map={"a": name}), UnsafeFileError, "index").context[-1][1] == name


def test_an_index_that_is_none_is_refused(sharded):
    assert "it has no weight_map" in failure(sharded(weight_map=[1]), CorruptFileError, "index").message
    path = sharded()
    path.write_text("[1]")
    failure(path, ConfigError, "index")
