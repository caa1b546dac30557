"""Run Python scripts without importing their packages each time: a process imports them once, and forks for each script.

    with forking.template("h5py") as run:
        done = run("-m", "json.tool", "file.json", cwd=folder)

A script has the working directory, environment, arguments, output and exit code of a process of its own. What its packages
read from the environment when they are imported is the template's: where that differs, start a process.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
WRITE = os.O_WRONLY | os.O_CREAT


@contextlib.contextmanager
def template(*modules, env=None):
    """Import those of the modules that are installed in a process; give a function that runs a script in a fork of it.

    Args:
        modules: What to import.
        env: The environment in which they are imported. Defaults to that of this process.
    """
    command = [sys.executable, "-m", "tests.forking", *modules]
    with (
        tempfile.TemporaryFile("w+") as told,
        subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told, text=True
        ) as process,
    ):

        def ask(**request):
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            told.seek(0)
            assert answer, f"the template has ended: {told.read()}"
            return json.loads(answer)

        def run(*arguments, cwd=".", env=None, timeout=0):
            """Run what `python ARGUMENTS` runs, a script or `-m` and a module; return it as `subprocess.run` does.

            Where a signal ended it, the last line of `stderr` says so. A `timeout` is in whole seconds; 0 is none.
            """
            command = list(map(str, arguments))
            with tempfile.TemporaryDirectory() as folder:
                out, err = Path(folder, "out"), Path(folder, "err")
                found = ask(
                    command=command,
                    cwd=os.path.abspath(cwd),
                    env=dict(os.environ if env is None else env),
                    out=str(out),
                    err=str(err),
                    timeout=timeout,
                )
                done = subprocess.CompletedProcess(command, found["code"], out.read_text(), err.read_text())
            if found["timed_out"]:
                raise subprocess.TimeoutExpired(command, timeout, done.stdout, done.stderr)
            if done.returncode < 0:
                name = signal.Signals(-done.returncode).name
                done.stderr += f"ended by {name} after {found['seconds']:.1f} s of processor time\n"
            return done

        try:
            yield run
        finally:
            process.stdin.close()


def wait_for(child, timeout):
    """Wait for a child's end, and kill it when its time is over; return what came of it."""
    timed_out = False

    def kill(*_):
        nonlocal timed_out
        timed_out = True
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    signal.alarm(timeout)
    _, status, usage = os.wait4(child, 0)
    signal.alarm(0)
    seconds = usage.ru_utime + usage.ru_stime
    return {"code": os.waitstatus_to_exitcode(status), "seconds": seconds, "timed_out": timed_out}


def become(request):
    """Give this process the files, working directory and environment of a request."""
    for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, request["out"], WRITE), (2, request["err"], WRITE)):
        file = os.open(name, flags, 0o600)
        os.dup2(file, number)
        os.close(file)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])


def execute(command):
    """Run `python COMMAND` in this process."""
    name, *arguments = command[1:] if command[0] == "-m" else command
    added = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    first = os.getcwd() if command[0] == "-m" else os.path.dirname(os.path.abspath(name))
    sys.path[:1] = [first, *filter(None, added)]
    sys.argv[:] = [name, *arguments]
    if command[0] == "-m":
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(name, run_name="__main__")


def serve(modules):
    """Import the modules, and answer requests to their end; return the request that a fork of this process is for."""
    for name in modules:
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)
    gc.freeze()
    answers = os.dup(1)
    os.dup2(2, 1)  # what a package prints is no answer
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            os.close(answers)
            become(request)
            return request
        os.write(answers, json.dumps(wait_for(child, request["timeout"])).encode() + b"\n")
    return None


if __name__ == "__main__" and (asked := serve(sys.argv[1:])):
    execute(asked["command"])
