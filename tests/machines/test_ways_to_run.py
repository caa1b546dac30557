"""Ways to run a check that differ from a script at a prompt."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import shutil
import subprocess
import sys
import zipapp

import pytest

from safeload import testing
from tests.docs.blocks import ROOT

CHECKED = "37 variables"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Return a folder with a good model and a damaged one."""
    root = tmp_path_factory.mktemp("machines") / "models"
    testing.write_bert_checkpoint(root / "good")
    testing.poison(testing.write_bert_checkpoint(root / "poisoned"))
    return root


def run(*command, code=0, env=None, **given):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        **given,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("options", [["-OO"], ["-W", "error"], ["-X", "dev", "-W", "error"], ["-I"], ["-X", "utf8=0"]])
def test_python_s_own_options_change_nothing(tree, options):
    command = [*options, "-m", "safeload", "check"]
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import runpy; sys.argv[1:] = sys.argv[1:]; "
    if "-I" in options:  # which leaves out the working directory
        command = [*options, "-c", code + "runpy.run_module('safeload', run_name='__main__')", "check"]

    assert CHECKED in run(*command, tree / "good")
    assert "CorruptFileError" in run(*command, tree, code=1)


def test_a_zipapp_checks(tree, tmp_path):
    shutil.copytree(ROOT / "safeload", tmp_path / "app/safeload", ignore=shutil.ignore_patterns("__pycache__"))
    zipapp.create_archive(tmp_path / "app", tmp_path / "safeload.pyz", main="safeload.cli:main")
    shutil.rmtree(tmp_path / "app")

    assert CHECKED in run(
        "-P" if sys.version_info >= (3, 11) else "-s", tmp_path / "safeload.pyz", "check", tree / "good"
    )
    shown = run(tmp_path / "safeload.pyz", "check", tree, "--format", "html", code=1)
    assert "CorruptFileError" in shown


IN_THREADS = """
import asyncio, sys, safeload

async def main():
    good = [asyncio.to_thread(safeload.check_bert, sys.argv[1] + "/good") for _ in range(6)]
    bad = [asyncio.to_thread(safeload.check_bert, sys.argv[1] + "/poisoned") for _ in range(6)]
    return await asyncio.gather(*good, *bad, return_exceptions=True)

found = asyncio.run(main())
assert all("37 variables" in str(each) for each in found[:6]), found[:6]
assert {type(each).__name__ for each in found[6:]} == {"CorruptFileError"}, found[6:]
assert not {"tensorflow", "torch"} & set(sys.modules)
"""
FORKED = """
import os, sys, safeload
from safeload import check_bert

check_bert(sys.argv[1] + "/good")  # its threads and its locks are not the child's
child = os.fork()
if not child:
    assert "37 variables" in str(check_bert(sys.argv[1] + "/good"))
    try:
        check_bert(sys.argv[1] + "/poisoned")
    except safeload.errors.CorruptFileError:
        os._exit(0)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert "37 variables" in str(check_bert(sys.argv[1] + "/good"))
"""


@pytest.mark.parametrize("script", [IN_THREADS, FORKED], ids=["asyncio.to_thread", "os.fork"])
def test_a_check_works_in_threads_of_asyncio_and_in_a_forked_process(tree, script):
    run("-W", "error", "-c", script, tree, timeout=120)


IN_A_PROCESS = """
import dataclasses, multiprocessing, sys, safeload

def checked(path):
    return safeload.check_bert(path)

def outputs(path):
    elmo = safeload.load_elmo(path, backend="torch", dropout=0.0)
    return elmo(safeload.character_ids([["A", "film"]]))["elmo_representations"][0].tolist()

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    with multiprocessing.Pool(2) as pool:
        here, there = checked(sys.argv[2] + "/good"), pool.apply(checked, [sys.argv[2] + "/good"])
        assert dataclasses.replace(there, seconds=here.seconds) == here, "the reports differ"
        try:
            pool.apply(checked, [sys.argv[2] + "/poisoned"])
        except safeload.errors.CorruptFileError as error:
            assert sys.argv[2] + "/poisoned" in str(error), error
        else:
            raise AssertionError("a damaged file was accepted")
        assert not {"tensorflow", "torch"} & set(sys.modules)
        if len(sys.argv) > 3:
            assert pool.apply(outputs, [sys.argv[3]]) == outputs(sys.argv[3]), "the outputs differ"
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_process_that_inherits_nothing_loads_the_same(tree, method, tiny_elmo, tmp_path):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("needs a fork server")
    (tmp_path / "script.py").write_text(IN_A_PROCESS)
    elmo = [tiny_elmo] if importlib.util.find_spec("torch") else []
    run(tmp_path / "script.py", method, tree, *elmo, timeout=240, env={"PYTHONPATH": str(ROOT)})


def test_a_name_beyond_ascii_is_checked_and_said_without_a_locale(tree):
    folder = tree.parent / "mod\u00e8les \u2603"
    shutil.copytree(tree / "poisoned", folder / "m")
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    shown = run("-m", "safeload", "check", folder, code=1, env=locale)
    assert "CorruptFileError" in shown
    assert "Traceback" not in shown
    for encoding in ("cp1252", "cp932", "ascii"):
        shown = run("-m", "safeload", "check", folder, code=1, env={"PYTHONIOENCODING": encoding}, encoding=encoding)
        assert "mod" in shown
        assert "CorruptFileError" in shown
