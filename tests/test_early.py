"""Which processes end in one line at Ctrl-C before a command has begun."""

from __future__ import annotations

import subprocess
import sys

import pytest

SHOW = "import signal, safeload\nprint(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"


def shown(*command, **options):
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=True, **options)
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["safeload", "safeload.sh"])
def test_the_script_of_the_command_line_alone_changes_signals(name, tmp_path):
    (tmp_path / name).write_text(SHOW)
    assert shown(tmp_path / name, "check") == str(name != "safeload")


def test_a_program_that_imports_safeload_keeps_its_signals(tmp_path):
    (tmp_path / "program").mkdir()
    (tmp_path / "program/__init__.py").write_text(SHOW)
    (tmp_path / "program/__main__.py").touch()

    assert shown("-c", SHOW, "safeload") == "True"
    assert shown("-m", "program", "safeload", cwd=tmp_path) == "True"
    assert shown("-c", f"import sys\nsys.argv = []\n{SHOW}") == "True"
    assert shown("-c", f"import sys\ndel sys.argv\n{SHOW}") == "True"
