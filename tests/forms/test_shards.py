"""The index of a model in several files."""

from __future__ import annotations

import json

import pytest

from safeload._forms.shards import index_beside, read_index
from safeload.errors import CorruptFileError, SafeLoadError, UnsafeFileError
from tests.opened import ref


def index(folder, weight_map, **metadata):
    path = folder / "model.index.json"
    path.write_text(json.dumps({"metadata": metadata, "weight_map": weight_map}))
    return read_index(ref(path, "index", "g"))


def failure(call, *args, **options):
    with pytest.raises(SafeLoadError) as caught:
        call(*args, **options)
    return caught.value


def test_a_tensor_is_in_one_file_and_a_group_may_be_in_several(tmp_path):
    found = index(tmp_path, {"/layers/a/vars": ["1.h5", "2.h5"], "/layers/b/vars": "2.h5"})

    assert found.lists_groups
    assert found.names == [{"/layers/a/vars"}, {"/layers/a/vars", "/layers/b/vars"}]
    assert [shard.path for shard in found.refs] == [str(tmp_path / "1.h5"), str(tmp_path / "2.h5")]


@pytest.mark.parametrize(
    "weight_map",
    [
        {"a": ["1", "2"]},
        {"/a": ["1", "2"], "b": ["1", "2"]},
        {"/a": []},
        {"/a": [1]},
        {"/a": ["1", None]},
        {"a": {}},
        {},
        [],
    ],
)
def test_other_maps_are_no_index(tmp_path, weight_map):
    error = failure(index, tmp_path, weight_map)

    assert type(error) is CorruptFileError
    assert "it has no weight_map" in error.message


@pytest.mark.parametrize("name", ["../2.h5", "/2.h5", "a/2.h5"])
def test_none_of_the_files_of_a_group_may_be_elsewhere(tmp_path, name):
    assert type(failure(index, tmp_path, {"/a": ["1.h5", name]})) is UnsafeFileError


def test_the_name_of_a_tensorflow_model_is_left_out_in_its_files(tmp_path):
    found = index(tmp_path, {"m/a/b:0": "1.h5", "m/a/c:0": "1.h5"})

    for names in (["a/b:0", "a/c:0"], ["m/a/b:0", "m/a/c:0"]):
        found.require_listed(0, names)
    for names, lost in ((["a/b:0"], ["a/c:0"]), (["m/a/b:0", "a/c:0"], ["a/c:0", "m/a/c:0"])):
        assert sorted(failure(found.require_listed, 0, names).variables) == lost


@pytest.mark.parametrize("other", ["n/a:0", "m/a", "a:0"])
def test_what_not_all_names_begin_with_is_no_model(tmp_path, other):
    found = index(tmp_path, {"m/x:0": "1.h5", other: "1.h5"})

    assert failure(found.require_listed, 0, ["x:0", other])
    found.require_listed(0, ["m/x:0", other])


def sized(folder, size):
    path = folder / "i.json"
    path.write_text(f'{{"metadata": {{"total_size": {size}}}, "weight_map": {{"a": "1"}}}}')
    return read_index(ref(path, "index"))


@pytest.mark.parametrize(("size", "kept"), [("28", 28), ("28.0", 28), ('"28"', None), ("true", None)])
def test_the_total_size_is_a_number(tmp_path, size, kept):
    assert sized(tmp_path, size).total_size == kept


@pytest.mark.parametrize("size", ["1e999", "-1e999"])
def test_an_endless_total_size_is_told(tmp_path, size):
    assert "is not finite" in failure(sized, tmp_path, size).message


@pytest.mark.parametrize(
    ("shard", "beside"),
    [
        ("tf_model-00001-of-00002.h5", "tf_model.h5.index.json"),
        ("model-00001-of-00002.safetensors", "model.safetensors.index.json"),
        ("a.b-00001-of-00002.bin", "a.b.bin.index.json"),
        ("model_00000.weights.h5", "model.weights.json"),
        ("my_bert_00012.weights.h5", "my_bert.weights.json"),
        ("model_0000.weights.h5", None),
        ("model-00001-of-00002", None),
        ("model.weights.h5", None),
    ],
)
def test_the_index_of_a_shard_is_beside_it(tmp_path, shard, beside):
    assert index_beside(ref(tmp_path / shard)) is None
    for name in (
        "tf_model.h5.index.json",
        "model.safetensors.index.json",
        "a.b.bin.index.json",
        "model.weights.json",
        "my_bert.weights.json",
        "model.index.json",
    ):
        (tmp_path / name).touch()

    found = index_beside(ref(tmp_path / shard))
    assert (found and found.path) == (beside and str(tmp_path / beside))


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (["m-00001-of-00002.bin"], "the index names 1 of 2 files: m-...-of-00002"),
        (["m-00001-of-00003.bin", "m-00003-of-00003.bin"], "the index names 2 of 3 files"),
        (["a.bin", "m-00001-of-00002.bin"], "the index names 1 of 2 files"),
    ],
)
def test_a_whole_shard_that_is_left_out_is_noticed_by_the_names_of_the_others(files, text, tmp_path):
    error = failure(index, tmp_path, {str(number): name for number, name in enumerate(files)})

    assert type(error) is CorruptFileError
    assert text in error.message


@pytest.mark.parametrize(
    "files", [["m-00001-of-00002.bin", "m-00002-of-00002.bin"], ["m-00000-of-00001.bin"], ["a.bin"], ["m_00001.h5"]]
)
def test_other_names_and_all_shards_are_read(files, tmp_path):
    assert len(index(tmp_path, {str(number): name for number, name in enumerate(files)}).refs) == len(files)
