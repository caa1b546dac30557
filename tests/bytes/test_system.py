"""What differs between operating systems: each fallback, by taking the function away."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
from multiprocessing.context import ForkServerContext, SpawnContext

import pytest

from safeload._bytes import system
from safeload._bytes.cgroups import memory_limit
from safeload._bytes.files import DISK

DATA = bytes(range(256)) * 400


@pytest.fixture
def without_preadv(monkeypatch):
    monkeypatch.delattr(os, "preadv")


@pytest.fixture
def data_file(tmp_path):
    (tmp_path / "f").write_bytes(DATA)
    with DISK.open(str(tmp_path / "f")) as file:
        yield file


@pytest.mark.usefixtures("without_preadv")
@pytest.mark.system_calls
def test_without_preadv_bytes_are_read_at_each_offset(data_file):
    block = bytearray(10)

    assert data_file.read_into(memoryview(block), 250) == 10
    assert bytes(block) == DATA[250:260]
    assert data_file.read(10, len(DATA) - 3) == DATA[-3:]
    assert data_file.read(10, len(DATA)) == b""


@pytest.mark.usefixtures("without_preadv")
@pytest.mark.system_calls
def test_without_preadv_threads_do_not_move_each_other_s_place(data_file):
    wrong = []
    usual = sys.getswitchinterval()

    def read(start):
        for offset in range(start, start + 1000):
            if data_file.read(50, offset * 17) != DATA[offset * 17 : offset * 17 + 50]:
                wrong.append(offset)  # noqa: PERF401

    threads = [threading.Thread(target=read, args=(1000 * number,)) for number in range(4)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)

    assert wrong == []


@pytest.mark.parametrize("has_memfd", [True, False])
@pytest.mark.system_calls
def test_a_private_file_has_no_path_and_can_be_written_and_read(has_memfd, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not has_memfd:
        monkeypatch.delattr(os, "memfd_create")

    with system.private_file() as file:
        assert file.write(b"12345") == 5
        block = bytearray(5)
        assert system.read_at(file, memoryview(block)[:3], 2) == 3
        assert bytes(block[:3]) == b"345"
        assert os.listdir(tmp_path) == []
        assert os.fstat(file.fileno()).st_nlink == 0


def test_a_fifo_is_opened_without_waiting_for_its_writer(tmp_path):
    os.mkfifo(tmp_path / "f")

    descriptor = system.open_without_waiting(str(tmp_path / "f"), os.O_RDONLY)

    os.close(descriptor)


@pytest.mark.system_calls
def test_without_o_nonblock_a_file_is_opened_and_read(tmp_path, monkeypatch):
    (tmp_path / "f").write_bytes(DATA)
    with monkeypatch.context() as patch:
        patch.delattr(os, "O_NONBLOCK")
        importlib.reload(system)
        try:
            assert system._NON_BLOCKING == 0
            with DISK.open(str(tmp_path / "f")) as file:
                assert file.read(len(DATA)) == DATA
        finally:
            patch.undo()
            importlib.reload(system)

    assert system._NON_BLOCKING == os.O_NONBLOCK


LIMITS = """
import resource, sys
{first}
from safeload._bytes import system
system.limit_cpu_seconds(100)
print(*resource.getrlimit(resource.RLIMIT_CPU))
"""


def limits_after(first):
    """Return the limits of CPU seconds of a process that asked for 100 more than it has used."""
    command = [sys.executable, "-c", LIMITS.format(first=first)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [int(limit) for limit in done.stdout.split()]


def test_the_cpu_time_of_a_process_is_limited_from_now_on():
    soft, hard = limits_after("")
    assert (101 <= soft <= 110, hard) == (True, -1)
    soft, _ = limits_after("import time\nwhile time.process_time() < 3: pass")
    assert soft >= 104


@pytest.mark.parametrize(("most", "limits"), [(100, [100, 100]), (60, [60, 60])])
def test_a_lower_limit_of_cpu_time_stays(most, limits):
    assert limits_after(f"resource.setrlimit(resource.RLIMIT_CPU, ({most}, {most}))") == limits


def test_a_lower_limit_of_cpu_time_without_a_hard_one_stays():
    assert limits_after("resource.setrlimit(resource.RLIMIT_CPU, (60, resource.RLIM_INFINITY))") == [60, -1]


@pytest.mark.system_calls
def test_the_memory_of_a_process_is_limited_to_the_machines():
    code = "import resource; from safeload._bytes import system; {}system.limit_memory(); print(resource.getrlimit(resource.RLIMIT_DATA)[0])"
    n_bytes = min(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), memory_limit() or sys.maxsize)
    for first, limit in (
        ("", n_bytes),
        (f"resource.setrlimit(resource.RLIMIT_DATA, ({1 << 30}, {1 << 30})); ", 1 << 30),
    ):
        done = subprocess.run([sys.executable, "-c", code.format(first)], capture_output=True, text=True, check=True)
        assert int(done.stdout) == limit


@pytest.mark.system_calls
def test_memory_is_not_shared_with_a_process_that_is_forked():
    memory = system.anonymous_memory(100)
    child = os.fork()
    if not child:
        memory[0] = 77
        os._exit(0)
    os.waitpid(child, 0)

    assert bytes(memory) == bytes(100)


@pytest.mark.parametrize("n_bytes", [1 << 60, 1 << 70])
def test_memory_that_the_system_has_not_is_a_memory_error(n_bytes):
    with pytest.raises(MemoryError):
        system.anonymous_memory(n_bytes)


def test_without_resource_the_cpu_time_is_not_limited():
    assert limits_after("sys.modules['resource'] = None") == list(resource.getrlimit(resource.RLIMIT_CPU))


@pytest.mark.parametrize(
    ("methods", "kind"),
    [
        (["fork", "spawn", "forkserver"], ForkServerContext),
        (["spawn"], SpawnContext),
        (["fork", "spawn"], SpawnContext),
    ],
)
@pytest.mark.system_calls
def test_processes_begin_without_what_this_one_has_open(methods, kind, monkeypatch):
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: methods)

    assert type(system.process_context()) is kind


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "the exit code 0"),
        (3, "the exit code 3"),
        (-signal.SIGSEGV, "the signal SIGSEGV"),
        (-1000, "the signal 1000"),
    ],
)
def test_the_end_of_a_process_has_words(code, text):
    assert system.exit_text(code) == text


WITHOUT_ALL = """
import os, sys, json, importlib.util
from contextlib import suppress

def main():
    import multiprocessing
    for name in ("preadv", "memfd_create", "O_NONBLOCK"):
        delattr(os, name)
    sys.modules["resource"] = None
    multiprocessing.get_all_start_methods = lambda: ["spawn"]

    import safeload
    from safeload._bytes import system
    from safeload.fleet import _workers

    system.limit_cpu_seconds(100)
    bert, elmo = sys.argv[1:]
    reports = [safeload.check_bert(bert), safeload.check_elmo(elmo)]
    n_weights = []
    if importlib.util.find_spec("keras_bert"):
        n_weights.append(len(safeload.load_bert(bert).get_weights()))
    n_weights.append(len(list(safeload.load_elmo(elmo, backend="torch").parameters())))
    start = type(_workers._CONTEXT).__name__
    files = [bool(file.sha256) for report in reports for file in report.files if file.role != 'lock']
    print(json.dumps([[len(report.read) for report in reports], n_weights, start, files]))

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("is_locked", [False, True])
def test_without_all_of_them_models_are_checked_and_loaded(is_locked, bert, elmo, tmp_path, run_script):
    pytest.importorskip("torch")
    from tests.command_line import safeload_cli

    if is_locked:
        safeload_cli("lock", bert)
        safeload_cli("lock", elmo)
    (tmp_path / "without_all.py").write_text(WITHOUT_ALL)

    done = run_script(tmp_path / "without_all.py", bert, elmo)

    assert done.returncode == 0, done.stderr[-3000:]
    n_read, n_weights, start, files = json.loads(done.stdout.splitlines()[-1])
    assert n_read == [37, 29]
    assert all(n_weights)
    assert start == "SpawnContext"
    assert files == [is_locked] * len(files)


@pytest.mark.system_calls
def test_the_branches_are_those_that_are_taken(monkeypatch):
    usual = system.branches()
    for name in ("preadv", "memfd_create", "posix_fallocate"):
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    other = system.branches()

    assert other["workers"] == "spawn"
    assert {name for name in usual if usual[name] != other[name]} >= {"reads", "files without a path", "workers"}
