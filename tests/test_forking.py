"""A script in a fork of the template behaves as in a process of its own, and no crash is silent."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests import forking

SCRIPT = """
import atexit, json, os, sys
atexit.register(print, "at exit")
print(json.dumps([__name__, sys.argv, sys.path[0], os.getcwd(), os.environ.get("ASKED"), sys.stdin.read()]))
exec(os.environ.get("CODE", ""))
"""


@pytest.fixture(scope="module")
def run():
    with forking.template("json", "no_such_package.module") as run:
        yield run


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


@pytest.mark.parametrize("as_module", [False, True])
@pytest.mark.parametrize("code", ["", "sys.exit(3)", "sys.exit('a text')", "os._exit(4)", "print(1, file=sys.stderr)"])
def test_it_does_what_python_does(code, as_module, run, script, tmp_path):
    command = ["-m" if as_module else script, "script" if as_module else "a", "b"]
    options = {"cwd": tmp_path, "env": {**os.environ, "ASKED": "yes", "CODE": code}}
    ours = run(*command, **options)
    theirs = subprocess.run(
        [sys.executable, *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options
    )

    assert (ours.returncode, ours.stdout, ours.stderr) == (theirs.returncode, theirs.stdout, theirs.stderr)
    assert '"__main__"' in ours.stdout or code == "os._exit(4)"


def test_an_exception_has_its_traceback(run, script):
    done = run(script, env={**os.environ, "CODE": "1 / 0"})

    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_a_signal_is_named(run, script):
    done = run(script, env={**os.environ, "CODE": "os.kill(os.getpid(), 11)"})

    assert done.returncode == -11
    assert done.stderr.startswith("ended by SIGSEGV after ")


def test_the_limit_of_processor_time_is_named(run, script):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass"
    done = run(script, env={**os.environ, "CODE": limit})

    assert done.returncode == -9
    assert done.stderr.startswith(("ended by SIGKILL after 1.", "ended by SIGKILL after 0.9"))


def test_a_script_that_waits_is_killed_and_the_next_one_runs(run, script):
    with pytest.raises(subprocess.TimeoutExpired):
        run(script, env={**os.environ, "CODE": "import time; time.sleep(60)"}, timeout=1)
    assert run(script).returncode == 0


def test_what_a_script_does_is_gone_with_it(run, script):
    run(script, env={**os.environ, "CODE": "import json; json.dumps = os.environ['ASKED'] = None"})

    assert run(script).returncode == 0


def test_a_template_that_ends_says_why(tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text("raise RuntimeError('not today')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    with forking.template("broken_package") as run, pytest.raises(AssertionError, match="RuntimeError: not today"):
        run("-m", "json.tool")
