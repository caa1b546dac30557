"""Completion in the real shells: what `safeload completion` prints is installed as its help says, and Tab is typed."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import time

import pytest

from safeload.cli.completion import SHELLS
from tests.command_line import safeload_cli

pty = pytest.importorskip("pty", reason="needs terminals of Unix")
SECONDS = 60


@pytest.fixture
def home(tmp_path):
    """Return the home of a new user, whose `safeload` is this one."""
    command = tmp_path / "bin/safeload"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\nfrom safeload.cli import main\nmain()\n")
    command.chmod(0o755)
    return tmp_path


def environment(home):
    path = os.pathsep.join([str(home / "bin"), os.environ["PATH"]])
    kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "PATH": path,
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "PS1": "$ ",
        "XDG_CONFIG_HOME": str(home / ".config"),
    }


def installed(shell, home, folder, name):
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    (home / folder).mkdir(parents=True, exist_ok=True)
    with open(home / folder / name, "a", encoding="utf-8") as file:
        file.write(safeload_cli("completion", shell).stdout)


def typed(command, text, wanted, home):
    """Start a shell on a terminal, type a text, and return the last line of the terminal once it has what is wanted."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(home)
        os.execvpe(command[0], command, environment(home))
    line, end = b"", time.monotonic() + SECONDS
    try:
        os.write(terminal, text.encode())
        while wanted.encode() not in line and time.monotonic() < end:
            if select.select([terminal], [], [], 1)[0]:
                line = (line + os.read(terminal, 4096)).rpartition(b"\n")[2]
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)
    return line.decode(errors="replace")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("safeload insp\t", "safeload inspect "),
        ("safeload check bert mod\t", "safeload check bert models/"),
        ("safeload convert --form keras-h\t", "--form keras-hub "),
    ],
    ids=["command", "path", "choice"],
)
@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes(shell, text, wanted, home):
    (home / "models").mkdir()
    if shell == "zsh":
        (home / ".zshrc").write_text("autoload -Uz compinit && compinit -u\n")
    folder, name = (".config/fish/completions", "safeload.fish") if shell == "fish" else (".", f".{shell}rc")
    installed(shell, home, folder, name)

    assert wanted in typed([shell, "-i"], text, wanted, home)


@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_printed_asks_safeload(shell):
    assert "_SAFELOAD_COMPLETE" in safeload_cli("completion", shell).stdout


def test_another_shell_is_wrong_usage():
    assert "'bash', 'zsh', 'fish'" in safeload_cli("completion", "tcsh", code=2).stderr
