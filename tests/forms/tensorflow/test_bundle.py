from __future__ import annotations

import numpy as np
import pytest

from safeload._forms.arrays import N_ALIGN_BYTES
from safeload._forms.look import N_BLOCK_BYTES
from safeload._forms.tensorflow.index_file import N_BYTES_OF
from safeload.errors import CorruptFileError
from tests.checkpoints import write_checkpoint, write_sharded
from tests.forms.tensorflow.both_readers import (
    assert_same,
    bits,
    listed_by_safeload,
    listed_by_tensorflow,
    read_all,
    small,
)
from tests.opened import opened_checkpoint

IN_NUMPY = ("bool", "complex64", "complex128", "float16", "float32", "float64", "int8", "int16", "int32", "int64",
            "uint8", "uint16", "uint32", "uint64")  # fmt: skip
NOT_IN_NUMPY = {name: n_bytes for name, n_bytes in N_BYTES_OF.items() if name not in IN_NUMPY}

SHAPES = {
    "scalar": (),
    "vector": (5,),
    "one_element": (1,),
    "no_element": (0,),
    "no_rows": (0, 3),
    "no_columns": (2, 0, 4),
    "rank_8": (2, 1, 2, 1, 3, 1, 1, 2),
    "rank_32": (1,) * 31 + (3,),
}
NAMES = (
    "x", "a/b/c", "a:0", "a.b-c", " ", "a b", "tab\there", "line\nbreak", "../../etc/passwd", "/", "%s{}", "\x7f",
    "layer_\u00e9t\u00e9/k\u00f6rper", "\u5c42/\u6743\u91cd", "\U0001f600", "n" * 5000, "nul\0inside", "\0", "\0first",
    "\0part\0\x01\x01\x01", "model/.ATTRIBUTES/VARIABLE_VALUE", "checkpoint", "aaaa", "aaab", "aaaaa",
)  # fmt: skip


def of_dtype(name):
    """Return a tensor of the dtype with every value that a byte can make, or None where TensorFlow has no such dtype."""
    import tensorflow as tf

    try:
        dtype = tf.as_dtype(name)
    except TypeError:
        return None
    values = np.arange(-8, 8)
    if dtype.is_unsigned or dtype.is_quantized or name == "float8_e8m0fnu":
        values = np.abs(values)
    if dtype.is_quantized:
        return tf.bitcast(tf.constant(values, {1: tf.uint8, 2: tf.uint16, 4: tf.int32}[dtype.size]), dtype)
    if name in {"int2", "uint2"}:
        values = np.array([0, 1])
    return tf.constant(values.astype(dtype.as_numpy_dtype), dtype)


@pytest.mark.parametrize("name", N_BYTES_OF)
def test_a_dtype_is_read_as_tensorflow_reads_it(name, tmp_path):
    tensor = of_dtype(name)
    if tensor is None:
        pytest.skip("this TensorFlow has no such dtype")
    write_checkpoint(tmp_path / "m", {"x": tensor})

    values = assert_same(tmp_path / "m")

    assert listed_by_safeload(tmp_path / "m") == {"x": (name, tensor.shape)}
    assert values["x"].dtype.itemsize == N_BYTES_OF[name]


@pytest.mark.parametrize("name", IN_NUMPY)
def test_a_dtype_that_numpy_has_is_returned_as_such(name, tmp_path):
    write_checkpoint(tmp_path / "m", {"x": of_dtype(name)})

    assert read_all(tmp_path / "m")["x"].dtype == np.dtype(name)


@pytest.mark.parametrize("name", NOT_IN_NUMPY)
def test_a_dtype_that_numpy_has_not_is_returned_as_integers_of_its_bits(name, tmp_path):
    tensor = of_dtype(name)
    if tensor is None:
        pytest.skip("this TensorFlow has no such dtype")
    write_checkpoint(tmp_path / "m", {"x": tensor})

    values = read_all(tmp_path / "m")["x"]

    assert values.dtype.kind == ("i" if name.startswith(("int", "qint")) else "u")
    assert values.dtype.isbuiltin


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.complex128, np.bool_, object], ids=str)
def test_a_shape_is_read_as_tensorflow_reads_it(shape, dtype, tmp_path):
    values = np.array(list(map(str.encode, map(str, range(np.prod(shape, dtype=int))))), dtype).reshape(shape)
    write_checkpoint(tmp_path / "m", {"x": values})

    assert assert_same(tmp_path / "m")["x"].shape == shape


def test_more_dimensions_than_numpy_has_are_listed_but_not_read(tmp_path):
    import tensorflow as tf

    write_checkpoint(tmp_path / "m", {"deep": tf.ones([1] * 65), "flat": tf.ones([2])})

    assert listed_by_safeload(tmp_path / "m") == listed_by_tensorflow(tmp_path / "m")
    with opened_checkpoint(str(tmp_path / "m")) as bundle:
        assert bundle.read(["flat"])["flat"].tolist() == [1, 1]
        with pytest.raises(CorruptFileError, match="an array of 65 dimensions") as caught:
            bundle.read(["deep", "flat"])
    assert caught.value.variables == ("deep",)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_is_kept_to_the_letter(name, tmp_path):
    write_checkpoint(tmp_path / "m", {name: np.float32([1, 2])})

    assert list(assert_same(tmp_path / "m")) == [name]


def test_names_that_share_their_beginnings_stay_apart(tmp_path):
    names = {f"block_{i // 7}/layer_{i}/{'kernel' * (i % 3)}": np.int32([i]) for i in range(500)}
    write_checkpoint(tmp_path / "m", names | dict.fromkeys(NAMES, np.int32([-1])))

    assert_same(tmp_path / "m")
    assert list(listed_by_safeload(tmp_path / "m")) == sorted([*names, *NAMES])


def test_a_name_that_is_not_utf_8_keeps_its_bytes_visible(tmp_path):
    write_checkpoint(tmp_path / "m", {b"a\xff": np.float32([1])})

    assert list(read_all(tmp_path / "m")) == ["a\\xff"]


def test_two_names_that_would_print_alike_are_refused(tmp_path):
    write_checkpoint(tmp_path / "m", {b"a\xff": np.float32([1]), b"a\\xff": np.float32([2])})

    with pytest.raises(CorruptFileError, match="differ only in bytes that are not UTF-8"):
        opened_checkpoint(str(tmp_path / "m"))


@pytest.mark.parametrize("n_shards", [1, 2, 3, 12])
def test_shards_are_read_as_one_checkpoint(n_shards, tmp_path):
    tensors = [{f"v{i}/{j}": np.full((i + 1, j), i * j, np.float32) for j in range(4)} for i in range(n_shards)]
    write_sharded(tmp_path / "m", *tensors)

    assert len(assert_same(tmp_path / "m")) == 4 * n_shards


@pytest.mark.parametrize("n_bytes", [N_BLOCK_BYTES - 1, N_BLOCK_BYTES, N_BLOCK_BYTES + 1, 3 * N_BLOCK_BYTES + 64])
def test_a_variable_of_many_blocks_is_read_whole(n_bytes, tmp_path):
    values = np.random.default_rng(0).integers(0, 256, n_bytes, np.uint8)
    write_checkpoint(tmp_path / "m", {"before": np.int8([1]), "x": values, "y": np.float64([2])})

    assert_same(tmp_path / "m")


def test_what_is_returned_is_aligned_and_may_be_written_to(tmp_path):
    write_checkpoint(tmp_path / "m", {"a": np.int8([1]), "b": np.float64([1, 2]), "c": np.complex128([1j])})

    for values in read_all(tmp_path / "m").values():
        assert values.ctypes.data % N_ALIGN_BYTES == 0
        assert values.flags.writeable


def test_values_are_read_for_the_names_that_are_asked_for(tmp_path):
    prefix, tensors = small(tmp_path)

    with opened_checkpoint(str(prefix)) as bundle:
        values = bundle.read(["words", "dense/bias"])

    assert set(values) == {"words", "dense/bias"}
    assert all(bits(values[name]) == bits(tensors[name]) for name in values)
