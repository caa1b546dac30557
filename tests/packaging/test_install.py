"""What `make` shows while pip installs, with a real pip in a real environment."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from tests.docs.blocks import ROOT

TOOL = ROOT / "tools/install.py"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Return the Python of a new environment, and a project without requirements beside it."""
    pytest.importorskip("setuptools")
    tmp_path = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    (tmp_path / "one").mkdir()
    (tmp_path / "one/setup.py").write_text("from setuptools import setup\nsetup(name='one', version='1')\n")
    subprocess.run(
        [sys.executable, "setup.py", "-q", "bdist_wheel", "-d", tmp_path], cwd=tmp_path / "one", check=True, capture_output=True
    )  # fmt: skip
    return tmp_path / "venv/bin/python", str(next(tmp_path.glob("*.whl")))


def test_it_ends_with_a_count(environment):
    python, wheel = environment
    done = subprocess.run(
        [python, TOOL, "--no-index", "--force-reinstall", wheel], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("installed 1 package in ")
    assert done.stderr == ""


def test_on_a_terminal_one_line_changes(environment):
    python, wheel = environment
    ours, theirs = pty.openpty()
    subprocess.run([python, TOOL, "--no-index", "--force-reinstall", wheel], stdout=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)

    assert shown.count("\n") == 1
    assert " s  " in shown.split("\r")[1]
    assert shown.rpartition("\r")[0].rpartition("\r")[2].startswith("installed 1 package ")


def test_what_pip_says_is_shown_where_it_fails(environment):
    done = subprocess.run(
        [environment[0], TOOL, "--no-index", "no-such-package"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "No matching distribution found for no-such-package" in done.stderr
