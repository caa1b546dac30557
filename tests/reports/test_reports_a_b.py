"""Reports on paths: which form, and which text."""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload.compat import keras_bert as drop_in
from safeload.errors import (
    AmbiguousCheckpointError,
    CheckpointNotFoundError,
    InvalidPathError,
    MissingFileError,
    UnreadableFileError,
    WrongFileKindError,
)

PREFIX = "bert_model.ckpt"
check = safeload.check_bert


def calling(*arguments, **options):
    return functools.partial(check, *arguments, **options)


def test_A1_prefix_is_no_file(bert, said):
    assert not (bert / PREFIX).exists()
    assert check(bert, bert / PREFIX).place == "checkpoint prefix"
    said.handled("pass the prefix, although no file has that name; or pass the folder, and choose none")


def test_A2_data_shard_given(bert, said):
    assert check(bert, bert / f"{PREFIX}.data-00000-of-00001").place == "data shard"
    said.handled("the path of the data shard means the prefix; the report's `place` says so")


def test_A3_index_given(bert, said):
    assert check(bert, bert / f"{PREFIX}.index").place == "index file"
    said.handled("the path of the index file means the prefix; the report's `place` says so")


def test_A4_any_convention(bert, said):
    reports = [check(bert, bert / f"{PREFIX}{suffix}") for suffix in ("", ".index", ".meta", ".data-00000-of-00001")]
    assert len({report.files for report in reports}) == 1
    said.handled("the prefix and the paths of .index, .meta and .data-00000-of-00001 all mean the same checkpoint")


def test_A5_folder_given(bert, said):
    assert check(bert, bert).place == "folder with one checkpoint"
    testing.write_checkpoint(bert / "other.ckpt", {"a": np.zeros(1, np.float32)})
    error = said.typed(AmbiguousCheckpointError, calling(bert, bert))
    assert [os.path.basename(path) for path in error.candidates] == [PREFIX, "other.ckpt"]


def test_A6_state_file_of_another_machine(bert, said):
    (bert / "checkpoint").write_text(f'model_checkpoint_path: "/usr/local/google/home/x/{PREFIX}"\n')
    assert check(bert, bert).place == "folder with a checkpoint state file"
    said.handled(
        "an absolute path in the state file may be from another machine; its last name is searched for beside the state file"
    )


def test_A7_nothing_given(bert):
    with pytest.raises(InvalidPathError, match="is empty"):
        check("")
    assert safeload.check_bert(bert, None).place == "folder with one checkpoint"


def test_A9_nothing_there(bert, reported):
    assert reported.resolved == str(bert / "model.ckpt.index")


def test_A12_no_meta_file(bert, said):
    assert not (bert / f"{PREFIX}.meta").exists()
    assert check(bert, bert / f"{PREFIX}.meta").place == "meta graph file"
    said.handled("the .meta file is never needed; its path means the prefix")


def test_A13_not_unpacked(bert, tmp_path, reported):
    assert "readme.md" in str(reported)
    archive = shutil.make_archive(str(tmp_path / "uncased"), "zip", bert)
    (tmp_path / "outer").mkdir()
    bert.rename(tmp_path / "outer/inner")
    config = tmp_path / "outer/inner/bert_config.json"
    assert check(config, archive).place == "folder with one checkpoint"
    with pytest.raises(CheckpointNotFoundError, match="a level deeper"):
        check(config, tmp_path / "outer")


def test_A22_a_bert_given_to_elmo(bert, reported):
    (hint,) = reported.hints
    assert "safeload check elmo" in hint
    (bert / "bert_config.json").write_text("{}")
    (bert / "options.json").unlink(missing_ok=True)
    (bert / "weights.hdf5").unlink(missing_ok=True)
    with pytest.raises(WrongFileKindError) as caught:
        safeload.check_elmo(bert)
    assert caught.value.hints == (f"load it with safeload.load_bert, or check it with: safeload check bert {bert}",)


def test_B1_relative_path_from_elsewhere(bert, tmp_path, monkeypatch, said):
    monkeypatch.chdir("/")
    assert check(bert.name, base_dir=tmp_path).files[0].path == str(bert / "bert_config.json")
    error = said.typed(MissingFileError, calling(f"{bert.name}/bert_config.json"))
    assert ("cwd", "/") in error.context


def test_B2_home_folder(bert, monkeypatch, said):
    monkeypatch.setenv("HOME", str(bert.parent))
    assert check(f"~/{bert.name}").files[0].path == str(bert / "bert_config.json")
    said.handled("~, ~user, $VAR and ${VAR} are expanded in every path")


def test_B3_brackets_in_the_folder(bert, tmp_path, said):
    for name in ("run[1]", "a*b", "a?b", "back\\slash"):
        other = shutil.copytree(bert, tmp_path / name)
        assert len(check(other, other / PREFIX).read) == 37
    said.handled("[ ] * ? and a backslash in a folder's name have no special meaning; paths are never patterns")


def test_B5_invisible_character(bert, said):
    error = said.typed(MissingFileError, calling(f"{bert}\u202a/bert_config.json"))
    assert str(error).isascii()


def test_B8_path_objects(bert, reported):
    for given in (bert, str(bert), os.fsencode(bert)):
        assert len(check(given).read) == 37
    assert "checkpoint_file" in reported.message


def test_B9_no_permission(bert, monkeypatch, said):
    monkeypatch.setattr(os, "access", lambda path, _mode: "vocab" not in str(path))
    said.typed(UnreadableFileError, calling(bert))


def test_B10_apple_double(bert, said):
    for path in list(bert.iterdir()):
        Path(bert / f"._{path.name}").write_bytes(b"\0\5\26\7")
    assert len(check(bert).read) == 37
    said.handled("files whose names begin with a dot are ignored")


def test_B12_parameters_of_the_call(said):
    with pytest.raises(InvalidPathError, match="config_file is None"):
        drop_in.load_trained_model_from_checkpoint(None, PREFIX)
    said.typed(InvalidPathError, lambda: drop_in.load_vocabulary(None))
