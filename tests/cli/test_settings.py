"""Options of `safeload check` in pyproject.toml."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import safeload
from safeload import testing
from safeload.cli import _settings
from tests.command_line import safeload_cli
from tests.conftest import copied


@pytest.fixture
def project(tiny_bert, tmp_path, monkeypatch):
    """Return a function that writes the table into a project with two models, and enters a folder of it."""
    for name in ("good", "draft-1"):
        copied(tiny_bert, tmp_path / name)
    testing.truncate(tmp_path / "draft-1")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/notes.txt").touch()  # an empty folder beside models is a bad model
    monkeypatch.chdir(tmp_path / "inner")

    def write(text):
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def test_the_nearest_file_gives_defaults_and_they_are_named(project):
    folder = project("[tool.safeload.check]\nexclude = ['draft-*']\nexpect = 1\nquiet = true\nfail-fast = true\n")
    done = safeload_cli("check", folder)

    assert done.stdout.startswith("1 good, 0 bad")
    assert done.stderr == f"options from {folder / 'pyproject.toml'}: exclude, expect, fail-fast, quiet\n"
    assert safeload_cli("check", "bert", folder).stdout.startswith("1 good, 0 bad")


def test_the_command_line_wins(project):
    folder = project("[tool.safeload.check]\nexpect = 7\nexclude = ['draft-*']\n")

    assert safeload_cli("check", folder, "--expect", "1").stdout.startswith("ok ")
    assert "1 good, 1 bad" in safeload_cli("check", folder, "--expect", "2", "--exclude", "none", code=1).stdout


@pytest.mark.parametrize("text", ["", "[tool.other]\nx = 1\n", "[tool.safeload.check]\n", "tool = 'safeload'\n"])
def test_a_file_without_the_table_changes_nothing(text, project):
    done = safeload_cli("check", project(text), code=1)

    assert (done.stderr, "1 good, 1 bad" in done.stdout) == ("", True)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("output = '/tmp/x'", "'output' is not one of exclude, expect,"),
        ("dask = 'tcp://x:1'", "'dask' is not one of"),
        ("needs_lock = true", "'needs_lock' is not one of"),
        ("expect = '1'", "expect = '1' is not a whole number"),
        ("expect = true", "expect = True is not a whole number"),
        ("expect = 0", "0 is not in the range"),
        ("exclude = 'draft-*'", "exclude = 'draft-*' is not a list of strings"),
        ("exclude = [1]", "exclude = [1] is not a list of strings"),
        ("strict = 1", "strict = 1 is not true or false"),
        ("strict =", "the file cannot be read"),
    ],
)
def test_a_wrong_line_is_an_error_that_names_the_file(line, text, project):
    folder = project(f"[tool.safeload.check]\n{line}\n")
    shown = safeload_cli("check", folder, code=2).stderr

    assert text in shown
    assert str(folder / "pyproject.toml") in shown


def test_every_key_is_an_option_of_each_check():
    from safeload.cli.check import check, check_any

    for command in (check_any, *check.commands.values()):
        options = {option for param in command.params for option in param.opts}
        assert {f"--{key}" for key in _settings.SETTABLE} <= options


def test_a_working_directory_that_was_removed_has_no_settings(tiny_bert, tmp_path):
    (tmp_path / "gone").mkdir()
    # a script, as the installed command is: with `-c` and that folder, Python 3.13.0 cannot import socket
    script = tmp_path / "main.py"
    script.write_text(
        f"import os; os.rmdir(os.getcwd()); from safeload.cli import main; main(['check', {str(tiny_bert)!r}])",
        encoding="utf-8",
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(safeload.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path / "gone",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout[:3]) == (0, "ok "), done.stderr
