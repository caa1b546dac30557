"""Every form of the call finds the same files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import safeload
from safeload.errors import (
    AmbiguousCheckpointError,
    ConfigError,
    InvalidPathError,
    MissingFileError,
    SafeLoadError,
    UnreadableFileError,
    WrongFileKindError,
)
from tests.elmos import OPTIONS_NAME, WEIGHTS_NAME

FORMS = {
    "folder": lambda folder: ((folder,), {}),
    "folder_with_slash": lambda folder: ((f"{folder}/",), {}),
    "options": lambda folder: ((folder / OPTIONS_NAME,), {}),
    "two_files": lambda folder: ((str(folder / OPTIONS_NAME), str(folder / WEIGHTS_NAME)), {}),
    "bytes": lambda folder: ((os.fsencode(folder / OPTIONS_NAME), os.fsencode(folder / WEIGHTS_NAME)), {}),
    "two_folders": lambda folder: ((folder, folder), {}),
    "base_dir": lambda folder: ((OPTIONS_NAME, WEIGHTS_NAME), {"base_dir": folder}),
    "file_url": lambda folder: (((folder / OPTIONS_NAME).as_uri(), (folder / WEIGHTS_NAME).as_uri()), {}),
    "dots": lambda folder: ((f"{folder}/../{folder.name}/{OPTIONS_NAME}",), {}),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_each_form_finds_the_files(form, tiny_elmo):
    arguments, options = form(tiny_elmo)
    report = safeload.check_elmo(*arguments, **options)

    assert [file.path for file in report.files] == [str(tiny_elmo / OPTIONS_NAME), str(tiny_elmo / WEIGHTS_NAME)]
    assert len(report.read) == 29


@pytest.mark.parametrize("form", FORMS)
def test_a_report_says_whether_the_weights_were_given(form, tiny_elmo):
    arguments, options = FORMS[form](tiny_elmo)
    report = safeload.check_elmo(*arguments, **options)

    assert report.given == str(arguments[-1])
    assert report.place == ("HDF5 file" if form in ("two_files", "bytes", "base_dir", "file_url") else "folder")


def test_the_options_are_told_first_and_both_files_before_either_is_read(elmo):
    with pytest.raises(MissingFileError, match="no options file"):
        safeload.check_elmo(elmo / "o.json", elmo / "w.hdf5")
    (elmo / OPTIONS_NAME).write_text("{")
    with pytest.raises(MissingFileError, match="no weight file"):
        safeload.check_elmo(elmo / OPTIONS_NAME, elmo / "w.hdf5")


@pytest.mark.parametrize("ending", ["hdf5", "h5", "hdf"])
def test_weights_are_found_by_their_ending(ending, elmo):
    (elmo / WEIGHTS_NAME).rename(elmo / f"w.{ending}")
    for name in (f".hidden.{ending}", "w.h5x"):
        (elmo / name).write_bytes(b"")

    assert Path(safeload.check_elmo(elmo).files[1].path).name == f"w.{ending}"


def test_a_folder_with_several_files_lists_them(elmo):
    for name in ("a_Weights.hdf5", "b_weights.h5", "c.h5"):
        (elmo / name).write_bytes(b"")
    (elmo / WEIGHTS_NAME).unlink()
    with pytest.raises(AmbiguousCheckpointError) as caught:
        safeload.check_elmo(OPTIONS_NAME, ".", base_dir=elmo)
    assert caught.value.candidates == (str(elmo / "a_Weights.hdf5"), str(elmo / "b_weights.h5"))
    assert (caught.value.resolved, caught.value.given, caught.value.label) == (str(elmo), ".", "folder")

    (elmo / OPTIONS_NAME).rename(elmo / "a_Options.json")
    (elmo / "b_options.json").write_text("{}")
    with pytest.raises(ConfigError) as caught:
        safeload.check_elmo(".", base_dir=elmo)
    assert caught.value.hints == ("pass options_file, one of: a_Options.json, b_options.json",)
    assert (caught.value.resolved, caught.value.given, caught.value.label) == (str(elmo), ".", "folder")


def test_what_was_looked_for_in_a_folder_is_kept(elmo):
    (elmo / WEIGHTS_NAME).unlink()
    with pytest.raises(MissingFileError) as caught:
        safeload.check_elmo(elmo)
    assert caught.value.looked_for == ("*weights*.hdf5", "*.hdf5")
    (elmo / OPTIONS_NAME).unlink()
    with pytest.raises(MissingFileError) as caught:
        safeload.check_elmo(elmo)
    assert caught.value.looked_for == ("*options*.json", "*.json")


SIGNS = {
    ("encoder.pkl", "token_embedder.pkl"): "an ELMoForManyLangs model",
    ("saved_model.pb",): "a TensorFlow model or TF-Hub module",
    ("tfhub_module.pb",): "a TF-Hub module",
    ("bert_config.json",): "a BERT model",
}


@pytest.mark.parametrize("signs", SIGNS, ids=str)
def test_a_folder_of_another_model_is_known_by_all_of_its_files(signs, elmo, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    for name in signs:
        (folder / name).write_bytes(b"{}")
    for given in ([folder], [elmo / OPTIONS_NAME, folder]):
        with pytest.raises(WrongFileKindError) as caught:
            safeload.check_elmo(*given)
        assert caught.value.found == SIGNS[signs]
        assert caught.value.wanted == "a folder with one options JSON and one HDF5 file"
        assert (caught.value.resolved, caught.value.given, caught.value.label) == (str(folder), given[-1], "folder")


@pytest.mark.parametrize("signs", [signs for signs in SIGNS if len(signs) > 1], ids=str)
def test_one_of_those_files_alone_is_no_other_model(signs, tmp_path):
    for name in signs:
        (tmp_path / name).write_bytes(b"{}")
        with pytest.raises(SafeLoadError) as caught:
            safeload.check_elmo(tmp_path)
        assert not isinstance(caught.value, WrongFileKindError)
        (tmp_path / name).unlink()


@pytest.mark.parametrize("signs", SIGNS, ids=str)
def test_an_elmo_beside_another_model_is_read(signs, elmo):
    for name in signs:
        (elmo / name).write_bytes(b"{}")

    assert len(safeload.check_elmo(elmo).read) == 29


def test_swapped_files_are_told_and_other_weights_are_not_called_swapped(elmo):
    with pytest.raises(WrongFileKindError) as caught:
        safeload.check_elmo(elmo / WEIGHTS_NAME, elmo / OPTIONS_NAME)
    swapped = "options_file and weight_file are swapped: the first is an HDF5 file, the second JSON text"
    assert caught.value.message == swapped
    assert (caught.value.wanted, caught.value.found) == ("JSON text", "HDF5 file")
    for weights in (elmo / WEIGHTS_NAME, elmo / "none", elmo, None):
        with pytest.raises(WrongFileKindError) as caught:
            safeload.check_elmo(elmo / WEIGHTS_NAME, weights)
        assert caught.value.message == "the options file is not JSON text: HDF5 file"
        assert caught.value.hints == (
            "it holds weights: pass the options JSON as options_file, and this as weight_file",
        )


def test_what_is_wrong_with_the_other_argument_is_told_of_that(elmo, tmp_path):
    with pytest.raises(InvalidPathError, match=r"^weight_file is of type int, not a path"):
        safeload.check_elmo(elmo / WEIGHTS_NAME, 3)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingFileError) as caught:
        safeload.check_elmo(elmo / WEIGHTS_NAME, "empty", base_dir=tmp_path)
    assert (caught.value.given, caught.value.label) == ("empty", "weight")
    assert caught.value.looked_for == ("*weights*.hdf5", "*.hdf5")


def test_a_hidden_file_is_neither_options_nor_weights(elmo):
    for name in (f".{OPTIONS_NAME}", f".{WEIGHTS_NAME}"):
        (elmo / name).write_bytes(b"")

    assert [Path(file.path).name for file in safeload.check_elmo(elmo).files] == [OPTIONS_NAME, WEIGHTS_NAME]


def test_a_checkpoint_of_another_model_is_not_called_the_weights(elmo, tiny_bert):
    for weights in (elmo / OPTIONS_NAME, elmo / WEIGHTS_NAME, elmo, None):
        with pytest.raises(WrongFileKindError) as caught:
            safeload.check_elmo(tiny_bert / "bert_model.ckpt.index", weights)
        assert caught.value.message == "the options file is not JSON text: TensorFlow index file or V1 checkpoint"
        assert caught.value.hints == ()


def test_a_folder_that_cannot_be_listed_is_told(elmo, monkeypatch):
    def fail(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", fail)
    with pytest.raises(UnreadableFileError, match="no permission to read the folder") as caught:
        safeload.check_elmo(elmo)
    assert (caught.value.resolved, caught.value.label) == (str(elmo), "folder")


def test_a_subfolder_that_cannot_be_listed_gives_no_hint(elmo, monkeypatch):
    (elmo / "up" / "inner").mkdir(parents=True)
    listdir = os.listdir

    def fail(path):
        if str(path).endswith("inner"):
            raise PermissionError(13, "Permission denied", path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", fail)
    with pytest.raises(MissingFileError, match="there is no options file"):
        safeload.check_elmo(elmo / "up")


def test_home_and_variables(tiny_elmo, monkeypatch):
    monkeypatch.setenv("HOME", str(tiny_elmo.parent))
    monkeypatch.setenv("ELMO", tiny_elmo.name)

    assert safeload.check_elmo("~/$ELMO").files[0].path == str(tiny_elmo / OPTIONS_NAME)


def test_published_names_are_preferred(elmo):
    (elmo / OPTIONS_NAME).rename(elmo / "elmo_2x16_options.json")
    (elmo / WEIGHTS_NAME).rename(elmo / "elmo_2x16_weights.h5")
    (elmo / "metrics.json").write_text("{}", encoding="utf-8")
    (elmo / "vectors.hdf5").write_bytes(b"")

    assert [Path(file.path).name for file in safeload.check_elmo(elmo).files] == [
        "elmo_2x16_options.json",
        "elmo_2x16_weights.h5",
    ]


def test_links_are_followed_and_said(elmo, tmp_path):
    (tmp_path / "linked").symlink_to(elmo)
    report = safeload.check_elmo(tmp_path / "linked")

    assert report.files[1].path == str(tmp_path / "linked" / WEIGHTS_NAME)
    assert report.files[1].real_path == str(elmo / WEIGHTS_NAME)


@pytest.mark.parametrize("ending", [".hdf5", ".h5", ".hdf"])
def test_weights_are_known_by_their_ending(ending, elmo):
    (elmo / WEIGHTS_NAME).rename(elmo / f"w{ending}")

    assert len(safeload.check_elmo(elmo).read) == 29
