"""Objects that are kept in a folder of the disk: found again, verified, and never half there."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

import safeload
from safeload import errors
from safeload._bytes.remote import kept
from tests.servers import serving
from tests.weights.files import write_safetensors

NAME = "model.safetensors"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve weights of which the copy takes several requests."""
    monkeypatch.setattr(kept, "N_PART_BYTES", 100_000)
    monkeypatch.setattr("safeload._bytes.remote.attempts.FIRST_WAIT", 0.001)
    (tmp_path / "served").mkdir()
    write(tmp_path / "served", 1)
    with serving(tmp_path / "served") as found:
        yield found


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "kept" / "here"


def write(folder, seed):
    values = np.random.default_rng(seed).standard_normal((300, 1000)).astype(np.float32)
    write_safetensors(folder / NAME, {"x": values})


def n_bytes_asked(server):
    """Return how many bytes were asked for since the last call."""
    ranges = [asked.removeprefix("bytes=").split("-") for _, asked in server.asked if asked]
    server.asked.clear()
    return sum(int(end) - int(start) + 1 for start, end in ranges)


def load(server, cache):
    return safeload.load_state_dict(f"{server.address}/{NAME}", cache_dir=cache)["x"]


def test_what_was_read_is_kept_and_read_again(server, cache):
    local = safeload.load_state_dict(server.folder / NAME)["x"]
    assert np.array_equal(load(server, cache), local)
    assert n_bytes_asked(server) > local.nbytes
    (copy,) = cache.iterdir()
    assert copy.read_bytes() == (server.folder / NAME).read_bytes()

    assert np.array_equal(load(server, cache), local)
    assert n_bytes_asked(server) < 300_000
    assert [*cache.iterdir()] == [copy]


def test_nothing_is_kept_unless_it_is_asked_for(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    safeload.check_weights(f"{server.address}/{NAME}")
    assert sorted(tmp_path.rglob("*")) == before


def test_another_version_is_another_copy(server, cache):
    first = load(server, cache)
    write(server.folder, 2)
    second = load(server, cache)
    assert not np.array_equal(first, second)
    assert np.array_equal(second, safeload.load_state_dict(server.folder / NAME)["x"])
    assert len([*cache.iterdir()]) == 2


@pytest.mark.parametrize("damage", [lambda data: data[:-1] + bytes([data[-1] ^ 1]), lambda data: data[:-9]])
def test_a_damaged_copy_is_replaced(damage, server, cache):
    local = load(server, cache)
    (copy,) = cache.iterdir()
    data = copy.read_bytes()
    copy.chmod(0o600)
    copy.write_bytes(damage(data))
    assert np.array_equal(load(server, cache), local)
    assert copy.read_bytes() == data


@pytest.mark.parametrize("fault", ["cut", "503"])
def test_a_copy_that_fails_leaves_nothing(fault, server, cache):
    server.faults = {fault}
    with pytest.raises(errors.FileSystemError):
        load(server, cache)
    assert not cache.exists() or [*cache.iterdir()] == []
    server.faults, server.left = {fault}, 2
    assert load(server, cache).shape == (300, 1000)


def test_what_a_killed_process_left_is_removed_a_day_later(server, cache):
    server.bytes_per_second = 300_000
    code = "import sys, safeload; safeload.check_weights(sys.argv[1], cache_dir=sys.argv[2])"
    process = subprocess.Popen([sys.executable, "-c", code, f"{server.address}/{NAME}", str(cache)])
    while not (cache.exists() and [*cache.iterdir()]):
        time.sleep(0.01)
    process.kill()
    process.wait()
    (left,) = cache.iterdir()
    mine, link = cache / "new-model.part", cache / ".safeload-link.part"
    mine.write_bytes(b"")
    link.symlink_to(mine)
    server.bytes_per_second = None
    os.utime(left, (time.time() - kept.STALE_SECONDS + 600,) * 2)
    load(server, cache)
    assert left.exists()
    write(server.folder, 2)
    for path in (left, mine):
        os.utime(path, (time.time() - kept.STALE_SECONDS - 600,) * 2)
    load(server, cache)

    assert not left.exists()
    assert mine.exists()
    assert link.is_symlink()


def test_an_object_without_a_version_is_not_kept(server, cache, monkeypatch):
    monkeypatch.setattr("safeload._bytes.remote.http.pin_of", lambda _answer: "")
    monkeypatch.setattr("safeload._bytes.remote.answers.pin_of", lambda _answer: "")
    assert load(server, cache).shape == (300, 1000)
    assert not cache.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(errors.FileSystemError, match="cannot be kept in cache_dir"):
        load(server, tmp_path / "locked" / "here")


def test_a_file_in_the_place_of_the_folder(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(errors.FileSystemError, match="cannot be kept in cache_dir"):
        load(server, tmp_path / "file")


@pytest.mark.parametrize("call", [safeload.check_weights, safeload.check_bert, safeload.check_elmo])
def test_a_cache_that_is_no_path_of_the_disk(call, server):
    with pytest.raises(errors.InvalidPathError, match="cache_dir is an address"):
        call(f"{server.address}/{NAME}", cache_dir="memory://cache")


def test_names_in_the_cache_have_no_secrets(server, cache):
    address = server.address.replace("http://", "http://user:SECRET@")
    safeload.check_weights(f"{address}/{NAME}?sig=SECRET", cache_dir=cache)
    assert n_bytes_asked(server)
    safeload.check_weights(f"{server.address}/{NAME}", cache_dir=cache)
    assert n_bytes_asked(server) < 300_000
    assert "SECRET" not in "".join(os.listdir(cache))


def test_two_processes_at_once(server, cache):
    code = "import sys, safeload; print(float(safeload.load_state_dict(sys.argv[1], cache_dir=sys.argv[2])['x'].sum()))"
    command = [sys.executable, "-c", code, f"{server.address}/{NAME}", str(cache)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {process.communicate()[0] for process in running}
    assert all(process.returncode == 0 for process in running)
    assert said == {f"{float(load(server, cache).sum())}\n"}
    assert len([*cache.iterdir()]) == 1
