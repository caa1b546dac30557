"""Locks whose names were written on another system, and what lies between the locked files."""

from __future__ import annotations

import json
import shutil
import unicodedata

import pytest

import safeload
from safeload import testing
from safeload.errors import LockError, VocabularyError
from safeload.lock import LOCK_NAME, lock_text, make_lock, read_lock, with_others
from safeload.settings import read_settings
from tests.archives import write_archive
from tests.bytes.test_names import APART, COMPOSED, litter
from tests.folding import fold, without_accents
from tests.weights.files import write_shards


def locked(folder, check=safeload.check_bert, name=None):
    """Write the lock of a folder; `name` changes the names in it."""
    path = folder / LOCK_NAME
    path.unlink(missing_ok=True)
    lock = make_lock(check(folder), path)
    if name is not None:
        lock = lock._replace(files=tuple(file._replace(name=name(file.name)) for file in lock.files))
    path.write_text(lock_text(lock), encoding="utf-8")
    return folder


def as_elsewhere(name):
    """Return a name in the other of its two spellings."""
    other = unicodedata.normalize("NFD", name)
    return unicodedata.normalize("NFC", name) if other == name else other


def named(folder, name):
    """Return a BERT whose vocabulary has a name."""
    testing.write_bert(folder, form="safetensors")
    (folder / "vocab.txt").rename(folder / name)
    return lambda folder: safeload.check_bert(folder, vocab_file=folder / name)


@pytest.mark.parametrize("name", [f"{COMPOSED}.txt", f"{APART}.txt"])
def test_a_lock_finds_a_file_however_its_accents_are_written(name, tmp_path):
    check = named(tmp_path, name)
    locked(tmp_path, check, as_elsewhere)

    assert check(tmp_path).files[-1].role == "lock"
    assert safeload.check_bert(tmp_path, vocab_file=tmp_path / as_elsewhere(name)).digest == check(tmp_path).digest
    (tmp_path / name).write_text("[PAD]\n", encoding="utf-8")
    with pytest.raises(LockError) as caught:
        check(tmp_path)
    assert caught.value.files == (name,)


@pytest.mark.parametrize("name", [f"{COMPOSED}.txt", f"{APART}.txt"])
def test_a_lock_of_one_of_two_files_is_not_of_the_other(name, tmp_path):
    check = named(tmp_path, name)
    locked(tmp_path, check)
    shutil.copy(tmp_path / name, tmp_path / as_elsewhere(name))

    assert check(tmp_path).files[1].sha256
    with pytest.raises(LockError, match="not in its lock file"):
        safeload.check_bert(tmp_path, vocab_file=tmp_path / as_elsewhere(name))
    (tmp_path / as_elsewhere(name)).write_text("[PAD]\n", encoding="utf-8")
    assert check(tmp_path).files[1].path == str(tmp_path / name)


def test_where_case_counts_a_lock_of_another_case_says_so(tmp_path):
    testing.write_bert(tmp_path, form="safetensors")
    locked(tmp_path, name=lambda name: name.replace("model", "Model"))
    with pytest.raises(
        LockError, match=r"MISSING    Model\.safetensors\n.*, which has model\.safetensors: case counts there"
    ):
        safeload.check_bert(tmp_path)


@pytest.mark.parametrize("same", [None, without_accents])
def test_where_case_does_not_count_a_lock_of_another_case_is_of_the_file(same, tmp_path, monkeypatch):
    name = f"{APART}.txt"
    check = named(tmp_path, name)
    other = as_elsewhere if same else lambda each: as_elsewhere(each).upper()
    locked(tmp_path, check, other)
    fold(monkeypatch, tmp_path, *([same] if same else []))

    assert check(tmp_path).files[-1].role == "lock"
    assert safeload.check_bert(tmp_path, vocab_file=tmp_path / other(name)).digest == check(tmp_path).digest
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:-1] + b"\1")
    with pytest.raises(LockError, match="CHANGED"):
        check(tmp_path)


def test_two_names_of_one_file_are_refused_where_it_is_one(tmp_path, monkeypatch):
    folder = locked(testing.write_bert(tmp_path / "model", form="safetensors"))
    path = folder / LOCK_NAME
    lock = read_lock(path)
    vocab = next(file for file in lock.files if file.role == "vocab")
    path.write_text(lock_text(lock._replace(files=(*lock.files, vocab._replace(name="Vocab.txt")))), encoding="utf-8")
    fold(monkeypatch, tmp_path)
    with pytest.raises(LockError, match="two names that are those of one file on this system") as caught:
        safeload.check_bert(folder)
    assert caught.value.context == (("names", "Vocab.txt, vocab.txt"),)


def test_two_files_that_differ_in_case_are_two_where_it_counts(tmp_path):
    folder = locked(testing.write_bert(tmp_path / "model", form="safetensors"))
    shutil.copy(folder / "vocab.txt", folder / "Vocab.txt")
    path = folder / LOCK_NAME
    lock = read_lock(path)
    vocab = next(file for file in lock.files if file.role == "vocab")
    path.write_text(lock_text(lock._replace(files=(*lock.files, vocab._replace(name="Vocab.txt")))), encoding="utf-8")

    assert safeload.check_bert(folder).files[-1].role == "lock"
    (folder / "Vocab.txt").write_text("[PAD]\n", encoding="utf-8")
    with pytest.raises(LockError) as caught:
        safeload.check_bert(folder)
    assert caught.value.files == ("Vocab.txt",)


@pytest.mark.parametrize(("old", "new"), [(b"\n", b"\r\n"), (b"\r\n", b"\n")])
def test_a_file_whose_line_ends_git_changed_is_told(old, new, tmp_path):
    folder = testing.write_bert(tmp_path / "model", form="safetensors")
    path = folder / "vocab.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", old))
    locked(folder)
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(LockError, match=r"only its line ends are others, as git changes them: see core\.autocrlf"):
        safeload.check_bert(folder)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(LockError) as caught:
        safeload.check_bert(folder)
    assert "line ends" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["", "/"])
def test_a_lock_that_was_written_on_windows_applies(suffix, tmp_path):
    testing.write_bert(tmp_path / "models" / "bert", form="safetensors")
    path = tmp_path / LOCK_NAME
    lock = make_lock(safeload.check_bert(tmp_path / "models/bert"), path)
    assert {file.name for file in lock.files} >= {"models/bert/vocab.txt"}
    path.write_text(lock_text(lock).replace("models/bert/", r"models\\bert\\"), encoding="utf-8")

    assert read_lock(path).files == lock.files
    assert safeload.check_bert(tmp_path / "models/bert", lock_file=f"{tmp_path}{suffix}").files[-1].role == "lock"
    (tmp_path / "models/bert/vocab.txt").write_text("[PAD]\n", encoding="utf-8")
    with pytest.raises((LockError, VocabularyError)) as caught:
        safeload.check_bert(tmp_path / "models/bert", lock_file=path)
    assert caught.value.files == ("models/bert/vocab.txt",)


def test_a_new_lock_replaces_the_entry_of_an_archive_in_another_spelling(tmp_path):
    archive = tmp_path / f"{APART}.zip"
    write_archive(testing.write_bert(tmp_path / "model", form="safetensors"), tmp_path / "flat.zip").rename(archive)
    lock = make_lock(safeload.check_bert(archive), tmp_path / LOCK_NAME)
    old = lock._replace(files=tuple(file._replace(name=as_elsewhere(file.name)) for file in lock.files))

    assert [file.name for file in with_others(lock, lock).files] == [f"{APART}.zip"]
    assert [file.name for file in with_others(lock, old).files] == [f"{APART}.zip"]


def test_what_systems_leave_in_a_folder_is_in_no_lock(tmp_path):
    folder = testing.write_bert(tmp_path / "model", form="safetensors")
    names = {each.name for each in folder.iterdir()}
    litter(folder)
    locked(folder)

    assert {file.name for file in read_lock(folder / LOCK_NAME).files} == names
    assert safeload.check_bert(folder).files[-1].role == "lock"


def test_a_lock_is_found_behind_the_links_of_macos(tmp_path):
    folder = locked(testing.write_bert(tmp_path / "private/var/model", form="safetensors"))
    (tmp_path / "var").symlink_to("private/var")
    given, real = tmp_path / "var/model", folder

    assert safeload.check_bert(given).digest == safeload.check_bert(real).digest
    assert safeload.check_bert(given, vocab_file=real / "vocab.txt", lock_file=given).files[-1].role == "lock"


@pytest.mark.parametrize(("there", "asked"), [(COMPOSED, APART), (APART, COMPOSED)])
def test_shards_and_settings_are_found_however_their_accents_are_written(there, asked, tmp_path):
    folder = write_shards(tmp_path, f"{there}model")
    index = folder / f"{there}model.safetensors.index.json"
    table = json.loads(index.read_text(encoding="utf-8"))
    table["weight_map"] = {name: file.replace(there, asked) for name, file in table["weight_map"].items()}
    index.write_text(json.dumps(table), encoding="utf-8")

    assert len(safeload.check_weights(index).files) == 3
    (tmp_path / f"{there}.json").write_text("{}", encoding="utf-8")
    (tmp_path / "settings.ini").write_text(f"[M]\nconfig_file = {asked}.json\n", encoding="utf-8")
    assert read_settings(tmp_path / "settings.ini", "M")["config_file"] == str(tmp_path / f"{there}.json")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r"models\bert", "models/bert"),
        (r"models\..\models\bert\model.ckpt", "models/bert/model.ckpt"),
        (r"here\literally", r"here\literally"),
        (r"prefix\literally", r"prefix\literally"),
        (r"$SAFELOAD_TEST\bert", "models/bert"),
    ],
)
def test_settings_that_were_written_on_windows_lead_to_the_same_files(text, wanted, tmp_path, monkeypatch):
    monkeypatch.setenv("SAFELOAD_TEST", "models")
    (tmp_path / "models/bert").mkdir(parents=True)
    (tmp_path / r"here\literally").touch()
    (tmp_path / r"prefix\literally.index").touch()
    (tmp_path / "settings.ini").write_text(f"[M]\nconfig_file = {text}\n", encoding="utf-8")

    assert read_settings(tmp_path / "settings.ini", "M")["config_file"] == f"{tmp_path}/{wanted}"


def test_a_path_with_a_drive_stays_as_it_is_written(tmp_path):
    (tmp_path / "settings.ini").write_text("[M]\nconfig_file = C:\\models\\bert\n", encoding="utf-8")

    assert read_settings(tmp_path / "settings.ini", "M")["config_file"] == f"{tmp_path}/C:\\models\\bert"
