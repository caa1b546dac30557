from __future__ import annotations

import os
from pathlib import Path

import pytest

import safeload
from safeload import testing
from safeload.errors import AmbiguousCheckpointError, InvalidPathError, MissingFileError, WrongFileKindError
from tests.checkpoints import PREFIX, SHARD, bert_tensors, write_checkpoint

CONFIG_NAME, INDEX = "bert_config.json", f"{PREFIX}.index"


def write_state(folder, listed):
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "{listed}"\nall_model_checkpoint_paths: "{listed}"\n')


def index_of(report):
    return next(file.path for file in report.files if file.role == "index")


FORMS = [
    (PREFIX, "checkpoint prefix"),
    (INDEX, "index file"),
    (SHARD, "data shard"),
    (f"{PREFIX}.data-00003-of-00009", "data shard"),
    (f"{PREFIX}.meta", "meta graph file"),
    ("", "folder with one checkpoint"),
]


@pytest.mark.parametrize(("name", "form"), FORMS, ids=[name or "folder" for name, _ in FORMS])
def test_every_form_means_the_same_checkpoint(tiny_bert, name, form):
    report = safeload.check_bert(tiny_bert, tiny_bert / name)

    assert (index_of(report), report.place) == (str(tiny_bert / INDEX), form)
    assert len(report.read) == 37


@pytest.mark.parametrize("given", [str, os.fsencode, Path, lambda path: f"file://{path}", lambda path: f"{path}/"])
def test_every_type_of_path_is_taken(tiny_bert, given):
    assert index_of(safeload.check_bert(given(tiny_bert), given(tiny_bert))) == str(tiny_bert / INDEX)


def test_what_is_left_out_is_looked_for_beside_the_config(tiny_bert):
    report = safeload.check_bert(tiny_bert / CONFIG_NAME)

    assert [file.role for file in report.files] == ["config", "vocab", "index", "shard"]


def test_home_and_environment_variables_are_expanded(tiny_bert, monkeypatch):
    monkeypatch.setenv("HOME", str(tiny_bert.parent))
    monkeypatch.setenv("MODEL", tiny_bert.name)

    assert index_of(safeload.check_bert("~/$MODEL", "~/${MODEL}")) == str(tiny_bert / INDEX)


def test_a_literal_dollar_in_a_name_is_kept(bert):
    bert.rename(bert.with_name("a$b"))

    assert safeload.check_bert(bert.with_name("a$b")).read


def test_relative_paths_start_at_base_dir(tiny_bert, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    report = safeload.check_bert(tiny_bert.name, f"{tiny_bert.name}/{PREFIX}", base_dir=tiny_bert.parent)

    assert index_of(report) == str(tiny_bert / INDEX)


def test_dots_behind_a_link_mean_what_the_system_means(tiny_bert, tmp_path):
    (tmp_path / "link").symlink_to(tiny_bert)

    report = safeload.check_bert(f"{tmp_path}/link/../{tiny_bert.name}")

    assert index_of(report) == str(tiny_bert / INDEX)


def test_links_as_in_a_hub_cache_are_followed_and_reported(tiny_bert, tmp_path):
    snapshot, blobs = tmp_path / "snapshot", tmp_path / "blobs"
    snapshot.mkdir()
    blobs.mkdir()
    for number, path in enumerate(sorted(tiny_bert.iterdir())):
        (blobs / f"{number:064x}").write_bytes(path.read_bytes())
        (snapshot / path.name).symlink_to(blobs / f"{number:064x}")

    report = safeload.check_bert(snapshot)

    assert all(file.path.startswith(str(snapshot)) for file in report.files)
    assert all((file.real_path or "").startswith(str(blobs)) for file in report.files)


STATES = [PREFIX, f"/home/author/models/{PREFIX}", f"C:\\\\models\\\\{PREFIX}", f"gs://bucket/{PREFIX}"]


@pytest.mark.parametrize("listed", STATES)
@pytest.mark.parametrize("given", ["", "checkpoint"])
def test_a_state_file_is_read_as_where_it_lies_now(bert, listed, given):
    write_checkpoint(bert / "model.ckpt-1", bert_tensors())
    write_state(bert, listed)

    report = safeload.check_bert(bert, bert / given)

    assert index_of(report) == str(bert / INDEX)
    assert "state file" in report.place


def test_a_state_file_that_tensorflow_wrote_is_read(bert):
    import tensorflow as tf

    name = bert / 'odd "name" \u00e9'
    write_checkpoint(name, bert_tensors())
    tf.compat.v1.train.update_checkpoint_state(str(bert), str(name))

    assert index_of(safeload.check_bert(bert)) == f"{name}.index"


@pytest.mark.parametrize("other", [f"._{PREFIX}", ".hidden", "__MACOSX"])
def test_hidden_and_appledouble_files_are_no_candidates(bert, other):
    (bert / f"{other}.index").write_bytes(b"\0\5\x16\7")

    assert index_of(safeload.check_bert(bert)) == str(bert / INDEX)


def test_an_ambiguous_folder_lists_its_candidates(bert):
    write_checkpoint(bert / "model.ckpt-20", bert_tensors())

    with pytest.raises(AmbiguousCheckpointError) as caught:
        safeload.check_bert(bert)

    assert caught.value.candidates == (str(bert / PREFIX), str(bert / "model.ckpt-20"))


def test_a_config_has_other_names_too(bert):
    (bert / CONFIG_NAME).rename(bert / "bert_config_uncased.json")
    assert safeload.check_bert(bert).files[0].path.endswith("bert_config_uncased.json")

    (bert / "bert_config_uncased.json").rename(bert / "config.json")
    assert safeload.check_bert(bert).files[0].path.endswith("config.json")


def test_a_config_with_a_byte_order_mark_loads(bert):
    (bert / CONFIG_NAME).write_bytes(b"\xef\xbb\xbf" + (bert / CONFIG_NAME).read_bytes())

    assert safeload.check_bert(bert).read


def test_a_read_only_folder_is_enough(bert):
    for path in bert.iterdir():
        path.chmod(0o444)
    bert.chmod(0o555)

    assert safeload.check_bert(bert).read


def test_a_removed_working_directory_matters_to_relative_paths_only(tiny_bert, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    assert safeload.check_bert(tiny_bert).read
    with pytest.raises(InvalidPathError, match="no longer exists"):
        safeload.check_bert("model")
    with pytest.raises(MissingFileError, match="removed"):
        safeload.check_bert("file:///nowhere/at/all")


WEIGHTS = [
    ("safetensors", "model.safetensors"),
    ("torch", "pytorch_model.bin"),
    ("hdf5", "tf_model.h5"),
    ("keras", "model.keras"),
    ("tensorflow", SHARD),
    ("tensorflow", INDEX),
]


@pytest.mark.parametrize(("form", "name"), WEIGHTS)
def test_weights_in_place_of_the_config_are_told_where_they_go(tmp_path, form, name):
    path = testing.write_bert(tmp_path, form=form) / name
    config = next(each for each in tmp_path.glob("*config.json"))
    with pytest.raises(WrongFileKindError) as caught:
        safeload.check_bert(path)
    as_files = "as config_file, and this as checkpoint_file"
    assert caught.value.hints == (f"pass the folder {tmp_path}, or {config} {as_files}",)

    safeload.check_bert(tmp_path)
    safeload.check_bert(config, path)
    config.unlink()
    with pytest.raises(WrongFileKindError) as caught:
        safeload.check_bert(path)
    assert caught.value.hints == (f"pass bert_config.json, or the folder that contains it, {as_files}",)


@pytest.mark.parametrize(
    "name",
    ["model.safetensors.index.json", "pytorch_model.bin.index.json", "tf_model.h5.index.json", "model.weights.json"],
)
def test_an_index_of_shards_is_not_judged_as_a_config(tmp_path, name):
    (testing.write_bert(tmp_path, form="safetensors") / name).write_text('{"weight_map": {"a": "b"}}')
    with pytest.raises(WrongFileKindError) as caught:
        safeload.check_bert(tmp_path / name)

    assert (caught.value.found, caught.value.wanted) == ("an index of shards", "a BERT's config")
    assert caught.value.hints[0].startswith(f"pass the folder {tmp_path}, or {tmp_path / 'config.json'} as config_file")
