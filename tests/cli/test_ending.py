"""How a command ends that is stopped, or cannot write its output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

SAFELOAD = [sys.executable, "-m", "safeload"]
N_TRIES = 3
"""A busy machine may stop any process for longer than a second; what safeload itself waits for, it waits for each time."""


@pytest.fixture
def tree(tiny_elmo, tmp_path):
    """Return a folder with ten ELMos."""
    for number in range(10):
        (tmp_path / f"tree/{number}").mkdir(parents=True)
        for file in tiny_elmo.iterdir():
            (tmp_path / f"tree/{number}" / file.name).symlink_to(file)
    return tmp_path / "tree"


@pytest.fixture
def signs(tmp_path):
    """Return a FIFO into which processes write a letter as soon as they are where a test wants them."""
    os.mkfifo(tmp_path / "signs")
    with open(tmp_path / "signs", "r+b", buffering=0) as fifo:
        yield fifo


@pytest.fixture
def slow(signs):
    """Return the body of a module that gives a sign, and does something that takes a minute.

    Its sleeps are short, since Python handles a signal that arrives just before a sleep only when that is over.
    """

    def _slow(then="for _ in range(200): time.sleep(0.3)"):
        return f"import time\nwith open({str(signs.name)!r}, 'wb') as fifo: fifo.write(b'.')\n{then}"

    return _slow


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a command on a machine whose h5py, or other modules, are replaced by bodies."""
    started = []

    def _start(*arguments, **modules):
        for name, body in modules.items():
            (tmp_path / f"{name}.py").write_text(body)
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [*SAFELOAD, *map(str, arguments)], stdout=pipe, stderr=pipe, env=env, start_new_session=True
        )
        started.append(process)
        return process

    yield _start
    for process in started:
        process.kill()
        process.communicate()


def in_time(run, number, *, to_group, seconds=1):
    """Send a signal to the process that `run` starts; return its exit code and error output.

    Each of its processes closes the error output within so many seconds.
    """
    for _ in range(N_TRIES):
        *found, spent = ended(run(), number, to_group)
        if spent < seconds:
            return tuple(found)
    pytest.fail(f"it took {spent} s")


def ended(process, number, to_group):
    """Send a signal; return the exit code, the error output, and the seconds until each process had closed it."""
    begun = time.perf_counter()
    (os.killpg if to_group else os.kill)(process.pid, number)
    _, complaints = process.communicate(timeout=20)
    return process.returncode, complaints.decode(), time.perf_counter() - begun


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("to_group", [True, False], ids=["terminal", "one process"])
@pytest.mark.parametrize("isolated", [("--isolated",), ()], ids=["isolated", "pool"])
def test_a_stopped_check_ends_with_its_workers_in_one_line(number, code, to_group, isolated, start, tree, slow, signs):
    def run():
        process = start("check", "elmo", tree, "--jobs", "2", *isolated, h5py=slow())
        assert signs.read(1) + signs.read(1) == b".."  # both workers
        return process

    assert in_time(run, number, to_group=to_group) == (code, "stopped after 0 of 10, 0 bad\n")


def test_a_main_thread_that_does_not_return_ends_too(start, tiny_elmo, slow, signs):
    def run():
        stubborn = slow("while True:\n    try:\n        time.sleep(60)\n    except BaseException: pass")
        process = start("check", "elmo", tiny_elmo, h5py=stubborn)
        assert signs.read(1) == b"."
        return process

    assert in_time(run, signal.SIGINT, to_group=True) == (130, "stopped after 0 of 1, 0 bad\n")


@pytest.mark.parametrize("command", [("inspect", "{}"), ("diff", "{}", "{}"), ("lock", "{}"), ("doctor",)])
def test_every_command_can_be_stopped(command, start, tiny_elmo, slow, signs):
    def run():
        process = start(*(text.format(tiny_elmo) for text in command), h5py=slow())
        assert signs.read(1) == b"."
        return process

    assert in_time(run, signal.SIGTERM, to_group=False) == (143, "stopped\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("module", ["safeload._reports", "safeload.bert", "click", "safeload.cli.check"])
def test_a_command_can_be_stopped_while_it_is_imported(module, number, code, start, slow, signs):
    finder = f"""
import sys
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}: import slow
sys.meta_path.insert(0, Slow())
"""

    def run():
        process = start("--help", sitecustomize=finder, slow=slow())
        assert signs.read(1) == b"."
        return process

    assert in_time(run, number, to_group=True) == (code, "stopped\n")


def test_workers_end_with_a_parent_that_is_killed(start, tree, slow, signs):
    def run():
        process = start("check", "elmo", tree, "--jobs", "2", h5py=slow())
        assert signs.read(1) + signs.read(1) == b".."
        return process

    in_time(run, signal.SIGKILL, to_group=False, seconds=5)


def test_a_reader_that_goes_away_is_exit_code_141(start, tree):
    process = start("check", "elmo", tree, "--jobs", "2")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=20) == 141
    assert process.stderr.read() == b""


@pytest.mark.parametrize(
    "command", [("check", "elmo", "{}"), ("check", "elmo", "{}", "--json"), ("inspect", "{}"), ("--help",), ("-x",)]
)
def test_output_that_cannot_be_written_is_exit_code_74(command, tiny_elmo):
    arguments = [text.format(tiny_elmo) for text in command]
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*SAFELOAD, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    if command == ("-x",):
        assert done.returncode == 2
    else:
        assert (done.returncode, done.stderr) == (74, "the output cannot be written: No space left on device\n")


def test_a_closed_output_is_exit_code_74(tiny_elmo):
    command = f"exec {sys.executable} -m safeload check elmo {tiny_elmo} >&-"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (74, "the output cannot be written: standard output is closed\n")


def test_a_worker_that_crashes_is_the_result_of_its_model_alone(tree, start):
    body = """
import os, sys
sys.modules.pop("h5py"); path = sys.path.copy(); sys.path[:] = [p for p in path if p != os.path.dirname(__file__)]
import h5py
real = h5py.File
def File(cursor, *rest):
    if "/tree/4/" in cursor._open_file.path: os.abort()
    return real(cursor, *rest)
h5py.File = File
"""
    process = start("check", "elmo", tree, "--jobs", "2", h5py=body)
    shown, _ = process.communicate(timeout=60)
    lines = [line for line in shown.decode().splitlines() if line[:1].isalnum()]

    assert process.returncode == 1
    assert [line.split()[0] for line in lines[:10]] == ["ok"] * 4 + ["BAD"] + ["ok"] * 5
    assert lines[-1].startswith("9 good, 1 bad")
    assert "SIGABRT" in shown.decode()


@pytest.mark.parametrize("output", [(), ("-o", "out.json")], ids=["stdout", "file"])
def test_a_stopped_check_has_written_what_was_done(output, start, tree, tmp_path, signs, slow):
    """The worker stops at the fourth model; the first three are done."""
    body = f"""
import os, sys
sys.modules.pop("h5py"); path = sys.path.copy(); sys.path[:] = [p for p in path if p != os.path.dirname(__file__)]
import h5py
real = h5py.File
def File(cursor, *rest):
    if "/tree/3/" in cursor._open_file.path: exec({slow()!r})
    return real(cursor, *rest)
h5py.File = File
"""
    options = [str(tmp_path / each) if each.endswith("json") else each for each in output]
    process = start("check", tree, "--exclude", "[4-9]", "--jobs", "1", "--format", "json", *options, h5py=body)
    assert signs.read(1) == b"."
    os.kill(process.pid, signal.SIGINT)
    shown, complaints = process.communicate(timeout=60)
    found = json.loads((tmp_path / "out.json").read_text() if output else shown)

    assert (process.returncode, complaints.decode()) == (130, "stopped after 3 of 4, 0 bad\n")
    assert ([os.path.basename(model["path"]) for model in found["models"]], found["complete"]) == (list("012"), False)
    if output:
        assert "3 good, 0 bad" in shown.decode()
