"""Several HDF5 files that an index lists: those of transformers and KerasHub are in `tests/bert/`."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from safeload._forms.hdf5.shards import Hdf5Shards
from safeload.errors import CorruptFileError, MissingFileError, SafeLoadError
from tests.opened import ref

VALUES = {
    name: np.arange(4, dtype=np.float32) + number for number, name in enumerate(("layers/a/vars/0", "layers/a/vars/1"))
}
WEIGHT_MAP = {"/layers/a/vars": ["x_00000.weights.h5", "x_00001.weights.h5"]}


@pytest.fixture
def sharded(tmp_path):
    """Return a function that writes an index of two files, in which a group is split, and returns its path."""
    for number, (name, values) in enumerate(VALUES.items()):
        with h5py.File(tmp_path / f"x_0000{number}.weights.h5", "w") as file:
            file[name] = values

    def write(weight_map=WEIGHT_MAP, **metadata):
        path = tmp_path / "x.weights.json"
        path.write_text(json.dumps({"metadata": metadata, "weight_map": weight_map}))
        return path

    return write


def opened(path):
    return Hdf5Shards(ref(path, "index", "g"))


def failure(path, error=CorruptFileError):
    with pytest.raises(SafeLoadError) as caught, opened(path) as file:
        file.verify(file.tensors)
    assert type(caught.value) is error, caught.value
    return caught.value


def changed(path, number, change):
    with h5py.File(path.with_name(f"x_0000{number}.weights.h5"), "r+") as file:
        change(file)


def test_the_files_are_one(sharded):
    with opened(sharded(total_size=32.0)) as file:
        found = file.read(file.tensors)
        file.require_unchanged()
        assert [role for role, _ in file.files()] == ["index", "shard", "shard"]
        assert file.summary == "HDF5 in 2 files"
        assert file.groups == ("layers", "layers/a", "layers/a/vars")
        assert [file.position(name)[0] for name in VALUES] == [0, 1]
        assert file.checksums(2).startswith("none: HDF5")
        np.testing.assert_array_equal(file.look("layers/a/vars/1")[0], VALUES["layers/a/vars/1"])
    assert found.keys() == VALUES.keys()
    for name, values in VALUES.items():
        np.testing.assert_array_equal(found[name], values)


def test_a_group_has_the_text_that_one_of_the_files_gives_it(sharded):
    changed(sharded(), 1, lambda file: file["layers/a/vars"].attrs.update(name="dense"))
    with opened(sharded()) as file:
        assert file.note("layers/a/vars", "name") == "dense"
        assert file.note("layers/a", "name") is None
        assert file.note("layers/b", "name") is None


def test_a_group_that_the_index_does_not_list_is_told(sharded):
    changed(sharded(), 1, lambda file: file.create_dataset("layers/b/vars/0", data=1.0))
    error = failure(sharded())

    assert "1 group that it lists elsewhere or not at all" in error.message
    assert error.variables == ("/layers/b/vars",)


def test_a_dataset_in_two_files_is_told(sharded):
    changed(sharded(), 1, lambda file: file.create_dataset("layers/a/vars/0", data=VALUES["layers/a/vars/0"]))
    error = failure(sharded())

    assert error.message == "two shards hold a tensor of one name, layers/a/vars/0"
    assert error.variables == ("layers/a/vars/0",)


def test_another_total_size_is_told(sharded):
    assert "all tensors have 33 bytes, but they have 32" in failure(sharded(total_size=33)).message


def test_a_missing_file_is_told(sharded):
    sharded().with_name("x_00001.weights.h5").unlink()
    assert failure(sharded(), MissingFileError).resolved.endswith("x_00001.weights.h5")


def test_a_damaged_tensor_is_told_with_its_file(sharded):
    def spoil(file):
        file["layers/a/vars/1"][2] = np.nan

    changed(sharded(), 1, spoil)
    error = failure(sharded())

    assert error.variables == ("layers/a/vars/1",)
    assert error.resolved.endswith("x_00001.weights.h5")
    assert "NOT FINITE" in str(error)
    assert "from byte " in str(error)


def test_a_file_that_is_written_to_is_told(sharded):
    path = sharded().with_name("x_00001.weights.h5")
    with opened(sharded()) as file:
        path.write_bytes(path.read_bytes() + b"x")
        with pytest.raises(CorruptFileError, match="changed while it was being read"):
            file.require_unchanged()
