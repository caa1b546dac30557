"""Run safeload's command line as a person does."""

from __future__ import annotations

import atexit
import functools
import os
import subprocess
import sys
from contextlib import ExitStack

from tests import forking


def safeload_cli(*arguments, code=0, env=None):
    """Run `safeload` in a process of its own; return the finished process.

    The process is a fork of one that has imported what the command line needs of other packages; it is a new one where the
    packages themselves may be others.
    """
    command = ["-m", "safeload", *map(str, arguments)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(env or {})}
    if "PYTHONPATH" in (env or {}):
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, env=environment)
    else:
        done = _template()(*command, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@functools.cache
def _template():
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(
        forking.template("click", "crc32c", "h5py", "rich.console", "rich.table", "rich.progress")
    )
