"""`check_many`: the results of many models, of which some break the process that checks them."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import subprocess
import sys
import textwrap
from functools import partial

import pytest

import safeload
from safeload import testing
from safeload.errors import ArgumentError, CorruptFileError, MissingFileError, UnsafeFileError
from safeload.fleet import _workers
from safeload.fleet._found import Model
from tests.conftest import copied


@pytest.fixture
def tree(tiny_bert, tiny_elmo, tmp_path):
    """Return a folder with four models, one of them damaged."""
    for name, model in (("a", tiny_bert), ("b/c", tiny_elmo), ("b/d", tiny_bert), ("e", tiny_elmo)):
        copied(model, tmp_path / "tree" / name)
    testing.poison(tmp_path / "tree/b/d")
    return tmp_path / "tree"


def test_each_model_has_a_result(tree):
    found = {os.path.relpath(result.path, tree): result for result in safeload.check_many(tree)}

    assert {path: result.kind for path, result in found.items()} == {
        "a": "bert",
        "b/c": "elmo",
        "b/d": "bert",
        "e": "elmo",
    }
    assert [path for path, result in found.items() if result.is_bad] == ["b/d"]
    assert type(found["b/d"].error) is CorruptFileError
    assert found["b/d"].error.resolved.endswith("b/d/bert_model.ckpt.data-00000-of-00001")
    assert (found["b/d"].report, found["b/d"].n_bytes) == (None, 0)
    assert found["a"].report.to_dict()["read"] == safeload.check_bert(tree / "a").to_dict()["read"]
    assert found["a"].n_bytes == sum(path.stat().st_size for path in (tree / "a").iterdir())
    assert all(result.seconds > 0 for result in found.values())


def test_paths_are_taken_as_they_are_needed(tiny_bert):
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield tiny_bert

    results = safeload.check_many(endless(), jobs=1)
    assert next(results).error is None
    results.close()
    assert len(taken) < 11_000


def test_a_path_that_leads_nowhere_and_a_folder_that_cannot_be_followed_are_results(tree, tmp_path):
    (tree / "gone").symlink_to(tree / "nothing")
    found = {result.path: result for result in safeload.check_many([tmp_path / "none", tree])}

    assert type(found[str(tmp_path / "none")].error) is MissingFileError
    assert type(found[str(tree / "gone")].error) is MissingFileError
    assert len(found) == 6


@pytest.mark.parametrize("jobs", [0, -1, "2", 1.5, True])
def test_jobs_that_are_no_count_are_an_error(jobs):
    with pytest.raises(ArgumentError, match="jobs must be an integer from 1"):
        safeload.check_many([], jobs=jobs)


def test_a_client_of_something_else_is_an_error():
    with pytest.raises(ArgumentError, match=r"client must be a dask\.distributed\.Client"):
        safeload.check_many([], client=object())


def run_with_h5py(body, script, tmp_path):
    """Run a script where h5py's `File` begins with a body."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/h5py.py").write_text(
        textwrap.dedent(f"""
        import os, signal, sys, time
        sys.modules.pop("h5py")
        sys.path[:] = [path for path in sys.path if path != os.path.dirname(__file__)]
        import h5py
        real = h5py.File
        def File(cursor, *rest):
            if "/c/" in cursor._open_file.path:
                {body}
            return real(cursor, *rest)
        h5py.File = File
        """)
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "modules"), os.environ.get("PYTHONPATH", "")])}
    (tmp_path / "script.py").write_text(textwrap.dedent(script))
    command = [sys.executable, str(tmp_path / "script.py")]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.splitlines()


SCRIPT = """
import safeload
from safeload.fleet import _workers
{before}
for result in safeload.check_many({tree!r}, jobs=2):
    print(result.path[-1], type(result.error).__name__, result.error and result.error.message)
"""
"""A script without `if __name__ == "__main__"`: a worker that imported it would check the models again."""


@pytest.mark.parametrize(
    ("body", "before", "told"),
    [
        ("os.abort()", "", "its process ended with the signal SIGABRT"),
        ("os._exit(3)", "", "its process ended with the exit code 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "", "its process ended with the signal SIGKILL"),
        ("time.sleep(600)", "_workers.TIMEOUT_SECONDS, _workers.POLL_SECONDS = 4, 0.1", "it did not finish within 4 s"),
    ],
    ids=["abort", "exit", "kill", "hang"],
)
def test_a_model_that_breaks_its_worker_is_one_result(body, before, told, tree, tmp_path):
    lines = run_with_h5py(body, SCRIPT.format(before=before, tree=str(tree)), tmp_path)

    assert sorted(lines) == [
        "a NoneType None",
        f"c UnsafeFileError the model could not be checked: {told}",
        "d CorruptFileError 1 of 37 variables is damaged in the checkpoint",
        "e NoneType None",
    ]


def test_a_result_that_cannot_be_sent_is_one_result(tree, tmp_path):
    script = SCRIPT.format(before="", tree=str(tree))
    lines = run_with_h5py("raise type('Local', (Exception,), {})('x')", script, tmp_path)
    assert len(lines) == 4
    assert sum(line.startswith("c SafeLoadError the check failed with Local") for line in lines) == 1


def test_the_workers_end_with_the_iterator(tree):
    results = safeload.check_many([tree] * 50, jobs=2)
    next(results)
    workers = [process.pid for process in multiprocessing.active_children()]
    assert workers
    results.close()
    for pid in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_crash_says_what_may_have_ended_it(tree):
    from safeload.fleet._checker import crashed
    from safeload.fleet._found import Model

    model = Model(str(tree / "a"), "bert")
    assert type(crashed(model, "x", 0.0).error) is UnsafeFileError
    assert "do not load it" in crashed(model, "x", 0.0).error.hints[0]
    assert "memory" in crashed(model, "x", 0.0, is_killed=True).error.hints[0]


def test_a_worker_has_the_environment_of_the_call(tiny_bert, monkeypatch):
    monkeypatch.setenv("TAKEN_AWAY", "before")
    list(safeload.check_many(tiny_bert))  # from now on there is a fork server
    monkeypatch.setenv("SET_LATER", "after")
    monkeypatch.delenv("TAKEN_AWAY")

    assert [_asked(partial(os.getenv, name)) for name in ("SET_LATER", "TAKEN_AWAY")] == ["after", MODEL]


MODEL = Model("model", "bert")


def _asked(checker):
    worker = _workers._Worker(checker)
    worker.give(1, MODEL)
    assert worker.pipe.poll(60)
    found = worker.take()
    worker.end()
    return found
