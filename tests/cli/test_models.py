"""Which folders of a tree hold models, and the outcome of a check of one."""

from __future__ import annotations

import json
import pickle
import shutil

import pytest

from safeload.cli._models import CHECKS, Checker, find_models
from safeload.errors import LockError, MissingFileError
from safeload.lock import LOCK_NAME


@pytest.fixture
def tree(tiny_bert, tiny_elmo, tmp_path):
    """Return a folder above two models, with others that do not count."""
    links = {"b10": tiny_bert, "b/x": tiny_bert, "e": tiny_elmo, ".cache/b": tiny_bert, "__MACOSX": tiny_bert}
    for name, model in links.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(model)
    (tmp_path / "e2").mkdir()
    (tmp_path / "e2/.w.hdf5").touch()
    return tmp_path


def test_the_models_of_a_tree_are_found_in_order(tree):
    assert find_models("bert", [str(tree)]) == [str(tree / "b/x")]  # b10 leads to the same folder
    assert find_models("elmo", [str(tree)]) == [str(tree / "e")]
    assert find_models("bert", [str(tree / "b10"), str(tree / "b")]) == [str(tree / "b10"), str(tree / "b/x")]


@pytest.mark.parametrize("kind", CHECKS)
def test_a_path_without_a_model_is_checked_itself(kind, tree):
    for name in ("e2", "nothing", "e2/.w.hdf5"):
        assert find_models(kind, [str(tree / name)]) == [str(tree / name)]


def test_a_linked_folder_is_entered_once(tiny_bert, tmp_path):
    tree = tmp_path / "tree"
    for name in ("a", "b/c", "b/d"):
        shutil.copytree(tiny_bert, tree / name)
    (tree / "a/loop").symlink_to(tree)
    (tree.parent / "linked").mkdir()
    (tree.parent / "linked/x").symlink_to(tree / "a")
    assert find_models("bert", [str(tree)]) == [str(tree / name) for name in ("a", "b/c", "b/d")]
    assert find_models("bert", [str(tree.parent / "linked")])[0] == str(tree.parent / "linked/x")


@pytest.mark.parametrize("kind", CHECKS)
def test_a_good_model_has_a_report_and_no_error(kind, request):
    model = str(request.getfixturevalue(f"tiny_{kind}"))
    outcome = Checker(kind=kind)(model)

    assert (outcome.path, outcome.error) == (model, None)
    assert outcome.report.model.lower() == kind
    found = json.loads(json.dumps(outcome.to_dict()))
    assert (found["path"], found["ok"], found["error"]) == (model, True, None)
    assert found["report"]["model"] == outcome.report.model
    assert 0 < found["seconds"] < 60


def test_a_bad_model_has_an_error_and_no_report(tmp_path):
    outcome = Checker(kind="bert")(str(tmp_path))

    assert (outcome.report, type(outcome.error)) == (None, MissingFileError)
    found = json.loads(json.dumps(outcome.to_dict()))
    assert (found["ok"], found["report"], found["error"]["type"]) == (False, None, "MissingFileError")


def test_the_options_reach_the_check(tiny_bert):
    checker = Checker(kind="bert", options={"training": True})

    assert len(checker(str(tiny_bert)).report.read) == 46
    assert pickle.loads(pickle.dumps(checker)) == checker  # another process runs it


@pytest.mark.parametrize("kind", CHECKS)
def test_a_model_may_need_a_lock(kind, request):
    folder = request.getfixturevalue(f"tiny_{kind}")
    error = Checker(kind=kind, needs_lock=True)(str(folder)).error

    assert (type(error), error.message) == (LockError, "the model has no lock file")
    assert (error.resolved, error.label) == (str(folder / LOCK_NAME), "lock")
    assert error.hints[0].endswith(f"safeload lock {folder}")
