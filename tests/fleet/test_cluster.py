"""`check_many` on a Dask cluster: a real scheduler, and workers that are processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

import safeload
from safeload import testing
from safeload.errors import ArgumentError, BackendError
from safeload.fleet import _cluster
from safeload.fleet._found import Model
from tests.command_line import safeload_cli

distributed = pytest.importorskip("distributed")


@pytest.fixture
def scheduler(tmp_path):
    """Yield the process of a scheduler, and its address."""
    file = tmp_path / "scheduler.json"
    command = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--port",
        "0",
        "--no-dashboard",
        "--host",
        "127.0.0.1",
    ]
    process = started([*command, "--scheduler-file", str(file)], tmp_path)
    for _ in range(600):
        if file.exists() and file.stat().st_size:
            break
        time.sleep(0.1)
    yield process, json.loads(file.read_text())["address"]
    end(process)


@pytest.fixture
def workers(scheduler, tmp_path):
    """Return a function that starts a worker, of one thread and without a nanny."""
    running = []

    def start():
        command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler[1], "--nthreads", "1", "--no-nanny"]
        running.append(started([*command, "--no-dashboard", "--local-directory", str(tmp_path)], tmp_path))
        return running[-1]

    yield start
    for process in running:
        end(process)


@pytest.fixture
def client(scheduler):
    with distributed.Client(scheduler[1], timeout=60) as found:
        yield found


def started(command, folder):
    environment = {**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "60s"}  # on a busy machine
    with open(folder / "log.txt", "ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)


def end(process):
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()


def tree_of(tiny_bert, folder, count):
    """Write a folder with many models, of which every tenth is damaged."""
    for number in range(count):
        shutil.copytree(tiny_bert, folder / f"{number:03}")
    for number in range(0, count, 10):
        for path in (folder / f"{number:03}").iterdir():
            path.chmod(0o644)
        testing.poison(folder / f"{number:03}")
    return folder


def test_a_worker_that_is_killed_loses_nothing(tiny_bert, client, workers, tmp_path):
    tree = tree_of(tiny_bert, tmp_path / "tree", 150)
    processes = [workers(), workers()]
    client.wait_for_workers(2, timeout=60)
    paths, bad = [], []
    for number, result in enumerate(safeload.check_many(tree, client=client)):
        paths.append(result.path)
        bad += [result.path] * result.is_bad
        if number == 20:
            processes[0].kill()

    assert sorted(paths) == [str(tree / f"{number:03}") for number in range(150)]
    assert sorted(bad) == [str(tree / f"{number:03}") for number in range(0, 150, 10)]
    assert processes[0].wait() == -signal.SIGKILL


def test_the_command_takes_the_address_of_a_scheduler(tiny_bert, client, workers, scheduler, tmp_path):
    tree = tree_of(tiny_bert, tmp_path / "tree", 12)
    workers()
    client.wait_for_workers(1, timeout=60)
    done = safeload_cli("check", tree, "--dask", scheduler[1], "--json", code=1)
    found = json.loads(done.stdout)

    assert (found["n_good"], found["n_bad"]) == (10, 2)
    assert [each["path"] for each in found["models"]] == [str(tree / f"{number:03}") for number in range(12)]
    assert "are of this machine" in safeload_cli("check", tree, "--dask", scheduler[1], "-j", "2", code=2).stderr


def test_the_command_says_that_it_waits_for_a_worker(tiny_bert, workers, scheduler):
    command = [sys.executable, "-m", "safeload", "check", str(tiny_bert), "--dask", scheduler[1]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = process.stderr.readline()
        workers()
        assert process.wait(timeout=300) == 0

    assert said == "the cluster has no workers yet: waiting for one\n"


def test_jobs_are_the_clusters(client):
    with pytest.raises(ArgumentError, match="jobs must be None with a client"):
        safeload.check_many([], client=client, jobs=2)


def test_a_scheduler_that_goes_away_is_an_error(tiny_bert, client, workers, scheduler, tmp_path):
    tree = tree_of(tiny_bert, tmp_path / "tree", 100)
    workers()
    client.wait_for_workers(1, timeout=60)
    results = safeload.check_many(tree, client=client)
    next(results)
    scheduler[0].kill()
    with pytest.raises(BackendError, match="the Dask cluster lost the check"):
        list(results)


def test_a_result_that_the_scheduler_takes_with_it_is_an_error(client, workers, scheduler):
    workers()
    futures = client.map(str, range(20))
    distributed.wait(futures)
    scheduler[0].kill()
    with pytest.raises(BackendError, match="the Dask cluster lost the check of model"):
        [_cluster._result_of(future, Model("model", "bert")) for future in futures]


UNREADABLE = "type('Unreadable', (), {'__reduce__': lambda self: (eval, ('1 / 0',))})()"


def test_a_result_that_cannot_be_read_here_is_that_models(client, workers):
    workers()
    future = client.submit(eval, UNREADABLE)
    distributed.wait(future)
    found = _cluster._result_of(future, Model("model", "bert"))

    assert (found.path, found.is_bad) == ("model", True)
    assert "ZeroDivisionError" in str(found.error)


def test_a_client_that_was_closed_is_an_error(tiny_bert, client):
    client.close()
    with pytest.raises(BackendError, match="the Dask cluster was lost before the"):
        list(safeload.check_many(tiny_bert, client=client))


def test_an_address_at_which_nothing_answers_is_an_error(tiny_bert):
    done = safeload_cli("check", tiny_bert, "--dask", "tcp://127.0.0.1:9", code=2)
    assert "no Dask scheduler answers at 'tcp://127.0.0.1:9'" in done.stderr


def test_the_secrets_of_an_address_are_not_repeated(tiny_bert):
    for given in ("tcp://user:SECRET@127.0.0.1:9", "tcp://user:SECRET@127.0.0.1:9?SECRET"):
        assert "SECRET" not in safeload_cli("check", tiny_bert, "--dask", given, code=2).stderr
