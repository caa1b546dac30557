"""Which model is at a path, in each form and with each fault that the testing kit writes."""

from __future__ import annotations

import shutil

import pytest

import safeload
from safeload import testing
from safeload.fleet._checker import Checker
from safeload.fleet._found import Model
from safeload.fleet._kinds import kinds_at
from safeload.fleet._tree import BERT_OR_ELMO, find_models
from safeload.testing import BERT_FAULTS, ELMO_FAULTS
from tests.archives import write_archive

BERT_FORMS = (
    "tensorflow", "tensorflow/tf-models", "tensorflow/keras-bert-tf", "safetensors", "torch", "hdf5", "hdf5/keras-bert", "keras",
)  # fmt: skip
ELMO_FORMS = ("hdf5", "hdf5/one-layer", "tensorflow", "tensorflow/tf-hub", "torch", "torch/model")
FORMS = [*(("bert", form) for form in BERT_FORMS), *(("elmo", form) for form in ELMO_FORMS)]
WRITE = {"bert": testing.write_bert, "elmo": testing.write_elmo}
CHECK = {"bert": safeload.check_bert, "elmo": safeload.check_elmo}


def models_at(*paths):
    return list(find_models(BERT_OR_ELMO, map(str, paths)))


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_each_form_is_found_in_a_tree_and_at_its_own_path(kind, form, tmp_path):
    folder = WRITE[kind](tmp_path / "tree/inner/model", form=form)
    report = CHECK[kind](folder)

    assert models_at(tmp_path / "tree") == [Model(str(folder), kind)]
    assert kinds_at(str(folder)) == [kind]
    result = Checker()(Model(str(folder), kind))
    assert (result.error, result.report.form) == (None, report.form)


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_each_form_is_found_in_an_archive(kind, form, tmp_path):
    (tmp_path / "tree").mkdir()
    path = write_archive(WRITE[kind](tmp_path / "model", form=form), tmp_path / "tree/deflated.zip")
    assert models_at(tmp_path / "tree") == models_at(path) == [Model(str(path), kind)]


@pytest.mark.parametrize("kind", WRITE)
def test_a_file_of_a_model_says_which_it_is(kind, request):
    folder = request.getfixturevalue(f"tiny_{kind}")
    names = {
        "bert": ("bert_config.json", "bert_model.ckpt", "bert_model.ckpt.index"),
        "elmo": ("options.json", "weights.hdf5"),
    }
    for name in names[kind]:
        assert models_at(folder / name) == [Model(str(folder / name), kind)]


FAULTS = [("bert", name) for name in BERT_FAULTS] + [("elmo", name) for name in ELMO_FAULTS]


@pytest.mark.parametrize(("kind", "name"), FAULTS)
def test_a_model_with_a_fault_fails_as_in_its_own_check(kind, name, tmp_path):
    fault = {"bert": BERT_FAULTS, "elmo": ELMO_FAULTS}[kind][name]
    folder = WRITE[kind](tmp_path / "tree/model")
    fault.spoil(folder)
    with pytest.raises(safeload.SafeLoadError) as caught:
        CHECK[kind](folder)
    (found,) = models_at(folder)

    assert type(Checker()(found).error) is type(caught.value)


def test_a_vocabulary_beside_an_elmo_makes_no_bert_of_it(elmo):
    (elmo / "vocab.txt").write_text("a\n")
    assert models_at(elmo) == [Model(str(elmo), "elmo")]
    (elmo / "options.json").unlink()
    assert models_at(elmo)[0].kind == "elmo"


def test_a_bert_and_an_elmo_in_one_folder_are_two_models(bert):
    testing.write_elmo(bert)
    assert models_at(bert.parent) == [Model(str(bert), "bert"), Model(str(bert), "elmo")]


def test_a_path_without_a_model_says_so(tmp_path):
    (tmp_path / "readme.txt").write_text("x")
    for path, error, told in (
        (tmp_path, safeload.errors.WrongFileKindError, "the folder contains no BERT or ELMo"),
        (tmp_path / "readme.txt", safeload.errors.WrongFileKindError, "is not a BERT or an ELMo"),
        (tmp_path / "none", safeload.errors.MissingFileError, "there is no model file at this path"),
    ):
        (found,) = models_at(path)
        assert found == Model(str(path), "")
        result = Checker()(found)
        assert type(result.error) is error
        assert told in result.error.message


def test_an_empty_folder_beside_models_is_one(tiny_bert, tmp_path):
    shutil.copytree(tiny_bert, tmp_path / "good")
    (tmp_path / "empty").mkdir()
    assert models_at(tmp_path) == [Model(str(tmp_path / "empty"), ""), Model(str(tmp_path / "good"), "bert")]
    error = Checker()(Model(str(tmp_path / "empty"), "")).error
    assert "contains no BERT or ELMo" in error.message
    assert "inside: nothing" in str(error)
