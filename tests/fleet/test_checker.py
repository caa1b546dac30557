"""The outcome of a check of one model."""

from __future__ import annotations

import json
import pickle

import pytest

from safeload.errors import LockError, MissingFileError
from safeload.fleet._checker import CHECKS, Checker
from safeload.fleet._found import Model
from safeload.lock import LOCK_NAME


@pytest.mark.parametrize("kind", ["bert", "elmo"])
def test_a_good_model_has_a_report_and_no_error(kind, request):
    model = str(request.getfixturevalue(f"tiny_{kind}"))
    outcome = Checker()(Model(model, kind))

    assert (outcome.path, outcome.error) == (model, None)
    assert outcome.report.model.lower() == kind
    found = json.loads(json.dumps(outcome.to_dict()))
    assert (found["path"], found["ok"], found["error"]) == (model, True, None)
    assert found["report"]["model"] == outcome.report.model
    assert 0 < found["seconds"] < 60


def test_a_bad_model_has_an_error_and_no_report(tmp_path):
    outcome = Checker()(Model(str(tmp_path), "bert"))

    assert (outcome.report, type(outcome.error)) == (None, MissingFileError)
    found = json.loads(json.dumps(outcome.to_dict()))
    assert (found["ok"], found["report"], found["error"]["type"]) == (False, None, "MissingFileError")


def test_the_options_reach_the_check(tiny_bert):
    checker = Checker(options={"training": True})

    assert len(checker(Model(str(tiny_bert), "bert")).report.read) == 46
    assert pickle.loads(pickle.dumps(checker)) == checker  # another process runs it


@pytest.mark.parametrize("kind", ["bert", "elmo"])
def test_a_model_may_need_a_lock(kind, request):
    folder = request.getfixturevalue(f"tiny_{kind}")
    error = Checker(needs_lock=True)(Model(str(folder), kind)).error

    assert (type(error), error.message) == (LockError, "the model has no lock file")
    assert (error.resolved, error.label) == (str(folder / LOCK_NAME), "lock")
    assert error.hints[0].endswith(f"safeload lock {folder}")


@pytest.mark.parametrize("fault", [ZeroDivisionError("a\x1b\nb"), MemoryError(), SystemExit(3), RecursionError()])
def test_whatever_a_model_raises_is_its_outcome(fault, monkeypatch, tmp_path):
    def check(path):  # noqa: ARG001  (as the check that it replaces)
        raise fault

    monkeypatch.setitem(CHECKS, "bert", check)
    error = pickle.loads(pickle.dumps(Checker()(Model(str(tmp_path), "bert")))).error

    assert type(fault).__name__ in error.message
    assert error.resolved == str(tmp_path)
    assert "test_checker.py" in str(error)
    assert "report it" in error.hints[0]
    assert str(error).isascii()
    assert "\x1b" not in str(error)
