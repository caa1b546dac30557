"""Run safeload's command line as a person does."""

from __future__ import annotations

import os
import subprocess
import sys


def safeload_cli(*arguments, code=0, env=None):
    """Run `safeload` in a process of its own; return the finished process."""
    command = [sys.executable, "-m", "safeload", *map(str, arguments)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(env or {})}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done
