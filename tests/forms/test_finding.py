"""Which weights a path means, in any form."""

from __future__ import annotations

import json
import os
import shutil

import pytest

import safeload
from safeload import testing
from safeload._bytes.usual_names import files_of_forms
from safeload._forms import open_weights
from safeload._forms.finding import find_weights
from safeload.errors import (
    AmbiguousCheckpointError,
    CheckpointNotFoundError,
    MissingFileError,
    SafeLoadError,
    UnreadableFileError,
    WrongFileKindError,
)
from tests.checkpoints import PREFIX, SHARD
from tests.elmos import WEIGHTS_NAME
from tests.opened import ref


def found(path, model=None):
    return find_weights(ref(path, "weights", "g"), model)


def failure(path, error, model=None):
    with pytest.raises(SafeLoadError) as caught:
        found(path, model)
    assert type(caught.value) is error
    assert caught.value.given == "g"
    return caught.value


@pytest.mark.parametrize("name", ["", PREFIX, f"{PREFIX}.index", SHARD])
@pytest.mark.parametrize("model", ["BERT", None])
def test_a_checkpoint_is_found_by_every_form_of_its_path(name, model, tiny_bert):
    place = found(tiny_bert / name, model)

    assert (place.form, place.ref.path, place.ref.given) == ("tensorflow", str(tiny_bert / PREFIX), "g")
    with open_weights(place) as weights:
        assert "bert/embeddings/word_embeddings" in weights.tensors


@pytest.mark.parametrize("name", ["", WEIGHTS_NAME])
@pytest.mark.parametrize("model", ["ELMo", None])
def test_an_hdf5_file_is_found_by_itself_or_in_its_folder(name, model, tiny_elmo):
    place = found(tiny_elmo / name, model)

    assert (place.form, place.ref.path, place.ref.role) == ("hdf5", str(tiny_elmo / WEIGHTS_NAME), "weight")
    assert place.place == ("HDF5 file" if name else "folder")
    with open_weights(place) as weights:
        assert len(weights.tensors) == 29


def test_a_file_is_known_by_its_bytes_and_not_by_its_name(elmo):
    (elmo / WEIGHTS_NAME).rename(elmo / "weights.dat")

    assert found(elmo / "weights.dat").form == "hdf5"
    failure(elmo, CheckpointNotFoundError)


def test_a_form_of_another_model_is_not_looked_for(tmp_path):
    folder = testing.write_bert(tmp_path / "a", form="safetensors")

    assert "safetensors" in failure(folder / "model.safetensors", WrongFileKindError, "ELMo").found
    failure(folder, CheckpointNotFoundError, "ELMo")


def test_a_checkpoint_goes_before_another_file_in_its_folder(bert, tiny_elmo):
    shutil.copy(tiny_elmo / WEIGHTS_NAME, bert)

    assert found(bert).form == "tensorflow"


def test_several_files_are_listed(elmo):
    shutil.copy(elmo / WEIGHTS_NAME, elmo / "a.h5")
    error = failure(elmo, AmbiguousCheckpointError)

    assert error.candidates == (str(elmo / "a.h5"), str(elmo / WEIGHTS_NAME))
    assert error.hints == (f"pass one of: a.h5, {WEIGHTS_NAME}",)
    assert (error.resolved, error.label) == (str(elmo), "folder")


def test_a_folder_that_cannot_be_listed_is_told(bert, monkeypatch):
    def fail(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", fail)
    error = failure(bert, UnreadableFileError)

    assert error.message == "no permission to read the folder"
    assert (error.resolved, error.label) == (str(bert), "folder")


def test_a_folder_one_level_down_that_cannot_be_listed_is_let_be(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    listdir = os.listdir

    def fail(path):
        if str(path).endswith("inner"):
            raise PermissionError(13, "Permission denied", path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", fail)
    failure(tmp_path, CheckpointNotFoundError)


@pytest.mark.parametrize("there", [(), ("b",)])
def test_the_files_of_an_index_that_are_missing_are_told(there, tmp_path):
    folder = testing.write_bert(tmp_path / "a", form="safetensors")
    for name in there:
        shutil.copy(folder / "model.safetensors", tmp_path / name)
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"x": "a.bin", "y": "b"}}')

    if there:
        place = found(tmp_path)
        assert (place.form, place.ref.role) == ("safetensors", "index")
    else:
        assert failure(tmp_path, MissingFileError).resolved == str(tmp_path / "a.bin")


def test_files_of_a_form_are_known_by_their_endings():
    names = ["w.hdf5", "a.h5", ".hidden.h5", "b.hdf", "m.index", "x.h5.txt", "options.json"]

    assert files_of_forms(names, None) == [("a.h5", "hdf5"), ("b.hdf", "hdf5"), ("w.hdf5", "hdf5")]
    assert files_of_forms(names, "BERT") == files_of_forms(names, None)


def test_a_bert_s_usual_names_go_before_others_and_are_not_an_elmo_s():
    names = ["model.keras", "other.h5", "tf_model.h5", "weights.hdf5"]

    assert files_of_forms(names, "BERT") == [("tf_model.h5", "hdf5")]
    assert files_of_forms([*names, "model.safetensors"], "BERT") == [("model.safetensors", "safetensors")]
    assert files_of_forms(names, "ELMo") == [("other.h5", "hdf5"), ("weights.hdf5", "hdf5")]


VARIANT = "model.safetensors.index.fp16.json"


def sharded(folder, index, *shards):
    """Write a BERT whose index lists files, of which only the first is whole."""
    testing.write_bert(folder, form="safetensors")
    (folder / "model.safetensors").rename(folder / shards[0])
    for name in shards[1:]:
        shutil.copy(folder / shards[0], folder / name)
    (folder / index).write_text(json.dumps({"weight_map": {str(at): name for at, name in enumerate(shards)}}))
    return folder


@pytest.mark.parametrize(
    ("form", "name"),
    [("safetensors", "model.fp16.safetensors"), ("torch", "pytorch_model.fp16.bin"), ("hdf5", "tf_model.fp16.h5")],
)
def test_the_only_variant_is_found_beside_other_files(form, name, tmp_path):
    folder = testing.write_bert(tmp_path, form=form)
    usual = next(path for path in folder.iterdir() if path.suffix not in (".json", ".txt"))
    usual.rename(folder / name)
    (folder / f"other{usual.suffix}").touch()

    assert found(folder, "BERT").ref.path == str(folder / name)
    shutil.copy(folder / name, usual)
    assert found(folder, "BERT").ref.path == str(usual)


def test_several_variants_are_listed(tmp_path):
    folder = testing.write_bert(tmp_path, form="safetensors")
    for name in ("model.bf16.safetensors", "model.fp16.safetensors"):
        shutil.copy(folder / "model.safetensors", folder / name)
    (folder / "pytorch_model.fp16.bin").touch()
    assert found(folder).ref.path == str(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    error = failure(folder, AmbiguousCheckpointError)

    assert error.hints == ("pass one of: model.bf16.safetensors, model.fp16.safetensors",)


def test_the_index_of_a_variant_is_found_by_itself_its_shards_or_its_folder(tmp_path):
    shards = [f"model.fp16-0000{number}-of-00002.safetensors" for number in (1, 2)]
    folder = sharded(tmp_path, VARIANT, *shards)
    for name in ("", VARIANT, *shards):
        place = found(folder / name, "BERT")
        assert (place.ref.path, place.ref.role, place.form) == (str(folder / VARIANT), "index", "safetensors")
    with pytest.raises(WrongFileKindError, match="an index of shards"):
        safeload.check_bert(folder / VARIANT)


@pytest.mark.parametrize(
    ("shards", "index"),
    [
        (["model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"], "model.safetensors.index.json"),
        (["pytorch_model-00002-of-00002.bin"], "pytorch_model.bin.index.json"),
        (["model.fp16-00001-of-00002.safetensors"], VARIANT),
        (["my.bert-00001-of-00002.safetensors"], "my.bert.safetensors.index.json"),
        (["model_00000.weights.h5", "model_00001.weights.h5"], "model.weights.json"),
    ],
)
def test_shards_without_their_index_are_told(shards, index, tmp_path):
    for name in (*shards, "config.json"):
        (tmp_path / name).touch()
    error = failure(tmp_path, MissingFileError)

    count = "1 shard" if len(shards) == 1 else "2 shards"
    assert error.message == f"the folder has {count} of a model, without the index that lists them: {index}"
    assert (error.resolved, error.label, error.looked_for) == (str(tmp_path / index), "index", (index,))
    assert error.hints[0] == f"copy or download {index} too, from where the shards are from"


def test_a_shard_that_is_the_whole_model_needs_no_index(tmp_path):
    folder = testing.write_bert(tmp_path, form="safetensors")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    safeload.check_bert(folder)


def test_a_folder_with_a_checkpoint_and_a_usual_file_is_decided_by_the_caller(tmp_path):
    folder = testing.write_bert(tmp_path, form="torch")
    shutil.copy(testing.write_bert(tmp_path / "other") / f"{PREFIX}.index", folder)
    failure(folder, AmbiguousCheckpointError)
    for preference, path, other in (
        ("checkpoint", PREFIX, "pytorch_model.bin"),
        ("file", "pytorch_model.bin", PREFIX),
    ):
        place = find_weights(ref(folder), "BERT", lambda preference=preference: preference)
        assert (place.ref.path, place.others) == (str(folder / path), (other,))
