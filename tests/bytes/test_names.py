"""Names that systems write in their own ways, and files that they put beside those of the user."""

from __future__ import annotations

import os
import unicodedata

import pytest

import safeload
from safeload._bytes import names
from safeload._bytes.names import as_spelled, as_stored, is_of_the_system, is_shown, key_of, leads_out, other_case
from safeload._bytes.paths import resolve_path
from safeload.errors import AmbiguousCheckpointError, WrongFileKindError
from tests.archives import write_archive
from tests.folding import fold, without_accents

COMPOSED, APART = (unicodedata.normalize(form, "mod\u00e8le") for form in ("NFC", "NFD"))
SYSTEMS = (".DS_Store", "._model.safetensors", "._config.json", "Thumbs.db", "thumbs.db", "desktop.ini", "__MACOSX")
APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(4072)


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_a_system_puts_into_a_folder_is_no_file_of_a_model(name):
    assert is_of_the_system(name)
    assert not is_shown(name)


@pytest.mark.parametrize("name", ["model.safetensors", "_._", "desktop.ini.json", "DS_Store", "a._b"])
def test_other_names_are_those_of_the_user(name):
    assert not is_of_the_system(name)
    assert is_shown(name)


def test_a_hidden_file_is_of_the_user_and_not_shown():
    assert not is_of_the_system(".hidden")
    assert not is_shown(".hidden")


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/..", "./a", "a//b", "a/", "c:", "C:/a", "d:a", "//server/share"])
def test_a_name_that_leads_out_on_any_system_does_everywhere(name):
    assert leads_out(name)


@pytest.mark.parametrize("name", ["a", "a/b.c", "...", "..a/b..", "ab:c", "a/c:/d"])
def test_other_names_lead_down(name):
    assert not leads_out(name)


@pytest.mark.parametrize(("there", "asked"), [(COMPOSED, APART), (APART, COMPOSED)])
def test_a_name_is_found_however_its_accents_are_written(there, asked, tmp_path):
    (tmp_path / there / "sub").mkdir(parents=True)
    (tmp_path / there / f"{there}.h5").touch()
    (tmp_path / there / f"{there}.ckpt.index").touch()

    assert as_stored(f"{tmp_path}/{asked}") == f"{tmp_path}/{there}"
    for inner in ("", "/sub", f"/{there}.h5", f"/{there}.ckpt", "/none"):
        path = f"{tmp_path}/{asked}{inner.replace(there, asked)}"
        assert as_spelled(path) == resolve_path(path, argument="weight_file") == f"{tmp_path}/{there}{inner}"


@pytest.mark.parametrize("asked", [COMPOSED, APART])
def test_of_two_that_differ_only_in_accents_each_is_itself(asked, tmp_path):
    for name in (COMPOSED, APART):
        (tmp_path / name).write_text(name)

    assert resolve_path(tmp_path / asked, argument="config_file") == f"{tmp_path}/{asked}"
    assert key_of(f"{tmp_path}/{asked}") == (str(tmp_path), asked)


def test_of_two_spellings_neither_is_taken_for_a_third(tmp_path):
    asked, *there = "\u1ec7", "e\u0323\u0302", "\u1eb9\u0302"
    for name in there:
        (tmp_path / name).touch()
    with pytest.raises(AmbiguousCheckpointError, match="2 names in the folder are this one") as caught:
        resolve_path(tmp_path / asked, argument="weight_file")

    assert set(caught.value.candidates) == {f"{tmp_path}/{name}" for name in there}
    assert (caught.value.given, caught.value.label) == (tmp_path / asked, "weight")


def test_where_case_counts_another_case_is_another_name(tmp_path):
    (tmp_path / "Model.h5").touch()

    assert as_stored(f"{tmp_path}/model.h5") == as_spelled(f"{tmp_path}/model.h5") == f"{tmp_path}/model.h5"
    assert key_of(f"{tmp_path}/model.h5") != key_of(f"{tmp_path}/Model.h5")
    assert other_case(f"{tmp_path}/model.h5") == "Model.h5"
    assert other_case(f"{tmp_path}/other.h5") == other_case(f"{tmp_path}/none/model.h5") == ""


def test_where_case_does_not_count_a_file_has_one_key(tmp_path, monkeypatch):
    (tmp_path / "Bert" / APART).mkdir(parents=True)
    (tmp_path / "Bert" / APART / "Model.h5").touch()
    fold(monkeypatch, tmp_path)
    paths = [
        f"{tmp_path}/{folder}/{inner}/{name}"
        for folder in ("Bert", "bert")
        for inner in (APART, COMPOSED)
        for name in ("Model.h5", "MODEL.H5")
    ]

    assert {key_of(path) for path in paths} == {(f"{tmp_path}/Bert/{APART}", "Model.h5")}


def test_where_only_accents_do_not_count_case_does(tmp_path, monkeypatch):
    (tmp_path / f"{APART}.h5").touch()
    fold(monkeypatch, tmp_path, without_accents)

    assert as_stored(f"{tmp_path}/{COMPOSED}.h5") == f"{tmp_path}/{APART}.h5"
    assert as_stored(f"{tmp_path}/{COMPOSED.upper()}.h5") == f"{tmp_path}/{COMPOSED.upper()}.h5"


def test_a_link_on_the_way_leads_to_the_same_key(tmp_path):
    (tmp_path / "private/var").mkdir(parents=True)
    (tmp_path / "var").symlink_to("private/var")

    assert key_of(f"{tmp_path}/var/model.h5") == key_of(f"{tmp_path}/private/var/model.h5")


def test_an_address_is_what_it_says():
    for path in (f"memory://a/{APART}.h5", "memory://a/Model.h5"):
        assert as_stored(path) == as_spelled(path) == path
        assert names.key_of_folder(path) == path


def litter(folder):
    """Put beside each file what macOS and Windows do."""
    for name in [
        *os.listdir(folder),
        "model.safetensors",
        "vocab.txt",
        "config.json",
        "x.index",
        "x.json",
        "x.hdf5",
        "x.h5",
    ]:
        (folder / f"._{name}").write_bytes(APPLE_DOUBLE)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / name).write_bytes(b"[x]\n")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._model.safetensors").write_bytes(APPLE_DOUBLE)


@pytest.mark.parametrize("archive", ["", "flat.zip", "command.tar"])
@pytest.mark.parametrize(
    ("kind", "form"), [("bert", "tensorflow"), ("bert", "safetensors"), ("elmo", "hdf5"), ("elmo", "torch")]
)
def test_the_model_between_them_is_the_same(kind, form, archive, tmp_path):
    from safeload import testing

    write, check = {
        "bert": (testing.write_bert, safeload.check_bert),
        "elmo": (testing.write_elmo, safeload.check_elmo),
    }[kind]
    folder = write(tmp_path / "model", form=form)
    before = check(folder)
    litter(folder)
    place = write_archive(folder, tmp_path / archive) if archive else folder

    assert check(place).digest == before.digest
    assert [each.path for each in safeload.check_many([tmp_path / "model"])] == [str(folder)]
    if not archive:
        assert check(folder).files == before.files


def test_a_file_of_macos_that_is_passed_is_told(tiny_bert, tmp_path):
    (tmp_path / "._model.safetensors").write_bytes(APPLE_DOUBLE)
    with pytest.raises(WrongFileKindError, match="AppleDouble file, which macOS puts") as caught:
        safeload.check_bert(tiny_bert, checkpoint_file=tmp_path / "._model.safetensors")
    assert caught.value.hints == ("pass the file of the same name without ._",)
