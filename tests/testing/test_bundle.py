"""safeload.testing's checkpoints are the bytes that TensorFlow writes for the same tensors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeload.errors import ArgumentError, InvalidPathError, MissingFileError, WrongFileKindError
from safeload.testing import write_checkpoint
from tests.checkpoints import bert_tensors, write_sharded
from tests.checkpoints import write_checkpoint as write_with_tensorflow
from tests.opened import opened_checkpoint

DTYPES = ["float32", "float64", "float16", "int32", "int64", "uint8", "int16", "int8", "bool", "complex64", "uint16"]


def same_bytes(folder, tensors):
    write_with_tensorflow(folder / "theirs", tensors)
    write_checkpoint(folder / "ours", tensors)
    for suffix in (".index", ".data-00000-of-00001"):
        assert (folder / f"ours{suffix}").read_bytes() == (folder / f"theirs{suffix}").read_bytes(), suffix


def test_a_bert_is_the_bytes_of_tensorflow(tmp_path):
    same_bytes(tmp_path, bert_tensors())


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_type_is_the_bytes_of_tensorflow(dtype, tmp_path):
    same_bytes(tmp_path, {"a": np.arange(6).reshape(2, 3).astype(dtype), "b": np.array(1).astype(dtype)})


def test_strings_and_empty_tensors_are_the_bytes_of_tensorflow(tmp_path):
    strings = np.array([[b"a", b""], [b"x" * 300, b"\xff\0"]], object)
    same_bytes(tmp_path, {"s": strings, "e": np.zeros((0, 4), np.float32), "\xff\xff": np.ones(2, np.int8)})


@settings(max_examples=60, deadline=None)
@given(
    names=st.sets(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12), max_size=70)
)
def test_any_names_are_the_bytes_of_tensorflow(names, tmp_path_factory):
    tensors = {name: np.float32(at) for at, name in enumerate(sorted(names))} or {"a": np.float32(0)}
    same_bytes(tmp_path_factory.mktemp("names"), tensors)


def test_an_index_of_several_blocks_is_the_bytes_of_tensorflow(tmp_path):
    same_bytes(tmp_path, {f"{'name/' * (at % 40)}{at}": np.float32(at) for at in range(9000)})


def test_shards_are_read_as_those_of_tensorflow(tmp_path):
    tensors = bert_tensors()
    names = list(tensors)
    size = -(-len(names) // 3)
    parts = [{name: tensors[name] for name in names[at : at + size]} for at in range(0, len(names), size)]
    write_sharded(tmp_path / "theirs", *parts)
    write_checkpoint(tmp_path / "ours", tensors, shards=3)

    for number in range(3):
        suffix = f".data-{number:05d}-of-00003"
        assert (tmp_path / f"ours{suffix}").read_bytes() == (tmp_path / f"theirs{suffix}").read_bytes()
    assert (tmp_path / "ours.index").read_bytes() == (tmp_path / "theirs.index").read_bytes()


def test_tensorflow_reads_what_was_written(tmp_path):
    import tensorflow as tf

    tensors = bert_tensors()
    write_checkpoint(tmp_path / "m", tensors, shards=4)
    reader = tf.train.load_checkpoint(str(tmp_path / "m"))

    assert set(reader.get_variable_to_shape_map()) == set(tensors)
    assert all(np.array_equal(reader.get_tensor(name), values) for name, values in tensors.items())
    with opened_checkpoint(str(tmp_path / "m")) as bundle:
        read = bundle.read(tensors)
    assert all(np.array_equal(read[name], values) for name, values in tensors.items())


def test_a_type_that_no_checkpoint_has_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no checkpoint has the type"):
        write_checkpoint(tmp_path / "m", {"a": np.array(["text"])})


@pytest.mark.parametrize(
    ("tensors", "text"),
    [
        (None, "tensors must be a dict of arrays"),
        ([("a", 1)], "tensors must be a dict of arrays"),
        ({3: np.ones(1)}, "tensors must be a name"),
        ({"": np.ones(1)}, "tensors must be a name"),
        ({"\ud800": np.ones(1)}, "tensors must be a name"),
        ({"a": [[1], [1, 2]]}, "tensors\\['a'\\]"),
        ({"a": np.array([1, "b"], object)}, "an array of objects must hold bytes alone"),
        ({"a": np.datetime64("2020")}, "no checkpoint has the type datetime64"),
    ],
    ids=str,
)
def test_what_no_checkpoint_can_store_is_told_and_nothing_written(tensors, text, tmp_path):
    with pytest.raises(ArgumentError, match=text):
        write_checkpoint(tmp_path / "m", tensors)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("prefix", "error"), [(None, InvalidPathError), (3, InvalidPathError), ("none/m", MissingFileError)]
)
def test_a_prefix_where_nothing_can_be_written_is_told(prefix, error, tmp_path):
    with pytest.raises(error):
        write_checkpoint(prefix if not isinstance(prefix, str) else tmp_path / prefix, {"a": np.ones(1, "f")})


def test_a_folder_in_the_place_of_a_file_is_told_and_the_other_files_are_left(tmp_path):
    (tmp_path / "m.index").mkdir()
    with pytest.raises(WrongFileKindError):
        write_checkpoint(tmp_path / "m", {"a": np.ones(1, "f")})
    assert [path.name for path in tmp_path.iterdir()] == ["m.index"]
