"""`safeload lock`."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from safeload import testing
from safeload.lock import read_lock
from tests.archives import write_archive
from tests.checkpoints import bert_tensors, write_checkpoint
from tests.command_line import safeload_cli


@pytest.mark.parametrize("kind", ["bert", "elmo"])
def test_lock_and_check(kind, request):
    folder = request.getfixturevalue(kind)
    assert "the model has no lock file" in safeload_cli("check", kind, folder, "--lock", code=1).stdout
    assert safeload_cli("lock", folder).stdout.startswith(f"written  {folder}/safeload.lock\n")
    before = (folder / "safeload.lock").read_bytes()
    assert safeload_cli("lock", folder).stdout.startswith(f"unchanged  {folder}/safeload.lock\n")
    assert ", locked, " in safeload_cli("check", kind, folder, "--lock").stdout
    config = folder / ("bert_config.json" if kind == "bert" else "options.json")
    config.write_text(config.read_text() + " ")
    assert "LockError" in safeload_cli("check", kind, folder, code=1).stdout
    assert "LockError" in safeload_cli("lock", folder, code=1).stderr
    assert (folder / "safeload.lock").read_bytes() == before
    assert json.loads(safeload_cli("lock", folder, "--update", "--json").stdout)["done"] == "written"
    safeload_cli("check", kind, folder, "--lock")
    assert sorted(path.name for path in folder.iterdir() if "lock" in path.name) == ["safeload.lock"]


def test_weights_and_a_vocabulary_under_other_names_are_locked(bert):
    (bert / "vocab.txt").rename(bert / "words")
    for path in sorted(bert.glob("bert_model.ckpt.*")):
        path.rename(path.with_name(path.name.replace("bert_model.ckpt", "mine")))
        (bert / path.name.replace("bert_model.ckpt", "other")).write_bytes(b"another")
    safeload_cli("lock", bert, code=1)
    safeload_cli("lock", bert, "--checkpoint", bert / "mine", "--vocab", bert / "words")
    names = {file.name for file in read_lock(bert / "safeload.lock").files}
    assert names == {"bert_config.json", "words", "mine.index", "mine.data-00000-of-00001"}
    options = ("--checkpoint", bert / "mine", "--vocab", bert / "words")
    assert ", locked, " in safeload_cli("check", "bert", bert, "--lock", *options).stdout


def test_weights_of_an_elmo_under_another_name_are_locked(elmo):
    (elmo / "weights.hdf5").rename(elmo / "mine")
    safeload_cli("lock", elmo, code=1)
    safeload_cli("lock", elmo, "--weights", elmo / "mine")
    assert {file.name for file in read_lock(elmo / "safeload.lock").files} == {"mine", "options.json"}


def test_a_model_with_two_encoders_is_locked(bert):
    tensors = bert_tensors()
    both = {f"{scope}{name}": values for scope in ("student/", "teacher/") for name, values in tensors.items()}
    write_checkpoint(bert / "bert_model.ckpt", both)
    assert "pass --scope, one of" in safeload_cli("lock", bert, code=1).stderr
    safeload_cli("lock", bert, "--scope", "student/bert")
    assert ", locked, " in safeload_cli("check", "bert", bert, "--lock", "--scope", "student/bert").stdout


def test_options_of_two_kinds_of_models_are_wrong_usage(bert):
    done = safeload_cli("lock", bert, "--weights", bert, "--checkpoint", bert, code=2)
    assert "--weights is for an ELMo" in done.stderr


def test_a_bad_model_is_not_locked(bert):
    (bert / "vocab.txt").write_text("")
    assert "empty file" in safeload_cli("lock", bert, code=1).stderr
    assert not (bert / "safeload.lock").exists()


def test_a_folder_without_a_model_is_not_locked(tmp_path):
    assert "contains no BERT or ELMo" in safeload_cli("lock", tmp_path, code=1).stderr
    assert "MissingFileError" in safeload_cli("lock", tmp_path / "none", code=1).stderr


@pytest.fixture
def archives(tiny_bert, tmp_path):
    """Return two archives with a BERT each, in one folder; the first is locked."""
    made = [write_archive(tiny_bert, tmp_path / name) for name in ("deflated.zip", "gnu.tar")]
    assert f"safeload lock {made[0]}" in safeload_cli("check", "bert", made[0], "--lock", code=1).stdout
    safeload_cli("lock", made[0])
    return made


def names_in_lock(folder):
    return [file.name for file in read_lock(folder / "safeload.lock").files]


def test_archives_in_one_folder_are_locked_together(archives, tmp_path):
    first, second = archives
    assert f"safeload lock --update {second}\n" in safeload_cli("lock", second, code=1).stderr
    safeload_cli("lock", "--update", second)
    assert names_in_lock(tmp_path) == [first.name, second.name]
    assert "2 good, 0 bad" in safeload_cli("check", "bert", first, second, "--lock").stdout

    write_archive(testing.write_bert(tmp_path / "other", seed=1), first)
    done = safeload_cli("check", "bert", first, second, "--lock", code=1).stdout
    assert "1 good, 1 bad" in done
    assert "1 of 2 locked files is different" in done
    assert f"safeload lock --update {first}\n" in done
    safeload_cli("lock", "--update", first)
    assert "2 good, 0 bad" in safeload_cli("check", "bert", first, second, "--lock").stdout
    first.unlink()
    safeload_cli("lock", "--update", second)
    assert names_in_lock(tmp_path) == [second.name]


def test_a_model_beside_archives_keeps_their_entries(archives, tiny_bert, tmp_path):
    for path in tiny_bert.iterdir():
        shutil.copy(path, tmp_path)
    safeload_cli("lock", "--update", tmp_path)
    assert archives[0].name in names_in_lock(tmp_path)
    assert "vocab.txt" in names_in_lock(tmp_path)
    (tmp_path / "vocab.txt").rename(tmp_path / "words")
    safeload_cli("lock", "--update", tmp_path, "--vocab", tmp_path / "words")
    assert "vocab.txt" not in names_in_lock(tmp_path)
    safeload_cli("lock", "--update", archives[1])
    assert {"words", *(path.name for path in archives)} < set(names_in_lock(tmp_path))


@pytest.mark.usefixtures("archives")
def test_models_of_two_kinds_are_not_locked_together(tiny_elmo, tmp_path):
    before = (tmp_path / "safeload.lock").read_bytes()
    elmo = write_archive(tiny_elmo, tmp_path / "stored.zip")
    done = safeload_cli("lock", "--update", elmo, code=1).stderr
    assert "LockError" in done
    assert "move this one into a folder of its own" in done
    assert (tmp_path / "safeload.lock").read_bytes() == before


def test_a_lock_that_cannot_be_used_is_replaced(archives, tmp_path):
    (tmp_path / "safeload.lock").write_text("version = 1")
    safeload_cli("lock", "--update", archives[1])
    assert names_in_lock(tmp_path) == [archives[1].name]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(bert):
    bert.chmod(0o555)
    assert "cannot write the lock file" in safeload_cli("lock", bert, code=1).stderr
    bert.chmod(0o755)


@pytest.mark.parametrize("form", ["hdf5", "hdf5/one-layer", "tensorflow", "tensorflow/tf-hub"])
def test_an_elmo_of_each_form_is_locked(form, tmp_path):
    folder = testing.write_elmo(tmp_path / "elmo", form=form)
    safeload_cli("lock", folder)
    assert ", locked, " in safeload_cli("check", "elmo", folder, "--lock").stdout
    testing.poison(folder, value=3.0)
    assert "LockError" in safeload_cli("check", "elmo", folder, code=1).stdout


def test_a_bert_and_an_elmo_in_one_folder_are_not_locked(bert):
    testing.write_elmo(bert)

    assert "contains both a BERT and an ELMo" in safeload_cli("lock", bert, code=1).stderr


def test_each_model_of_a_tree_is_locked(tiny_bert, tiny_elmo, tmp_path):
    tree = tmp_path / "tree"
    shutil.copytree(tiny_bert, tree / "a")
    shutil.copytree(tiny_elmo, tree / "b/c")
    for name in ("deflated.zip", "gnu.tar"):
        write_archive(tiny_bert, tree / name)
    done = safeload_cli("lock", tree)

    assert [line for line in done.stdout.splitlines() if "safeload.lock" in line] == [
        *[f"written  {tree}/safeload.lock"] * 2, f"written  {tree}/a/safeload.lock", f"written  {tree}/b/c/safeload.lock",
    ]  # fmt: skip
    assert names_in_lock(tree) == ["deflated.zip", "gnu.tar"]
    assert "4 good, 0 bad" in safeload_cli("check", tree, "--lock").stdout
    assert safeload_cli("lock", tree).stdout.count("unchanged") == 4


def test_a_bad_model_of_a_tree_is_named_and_the_others_are_locked(bert, tiny_elmo, tmp_path):
    shutil.copytree(tiny_elmo, tmp_path / "z")
    both = shutil.copytree(tiny_elmo, tmp_path / "two")
    for path in bert.iterdir():
        shutil.copy(path, both)
    testing.poison(bert)
    found = json.loads(safeload_cli("lock", tmp_path, "--json", code=1).stdout)

    assert (found["schema"], found["n_bad"]) == ("safeload-locks/1", 2)
    assert [(each["path"], each.get("done") or each["error"]["type"]) for each in found["locks"]] == [
        (str(bert), "CorruptFileError"),
        (str(both), "WrongFileKindError"),
        (str(tmp_path / "z/safeload.lock"), "written"),
    ]
    assert not (both / "safeload.lock").exists()
