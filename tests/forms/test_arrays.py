"""What the readers of values share: memory, runs of bytes, and threads that share the work."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from safeload._bytes.files import DISK
from safeload._forms.arrays import (
    FLOATS,
    MAX_THREADS,
    MIN_MAPPED_BYTES,
    N_ALIGN_BYTES,
    N_ALONE_BYTES,
    DamagedError,
    Run,
    in_shares,
    memory_for,
    read_floats,
    read_run,
)
from safeload._forms.look import N_BLOCK_BYTES
from tests.forms.laws import LAW


@LAW
@given(sizes=st.lists(st.integers(0, 100)))
def test_each_item_is_used_once_and_the_results_are_in_order(sizes):
    used = []

    def use(item):
        used.append(item)
        return item * 2

    items = list(range(len(sizes)))

    assert in_shares(items, lambda item: sizes[item], use) == [item * 2 for item in items]
    assert sorted(used) == items


@pytest.mark.parametrize("n_threads", [2, 4])
def test_each_thread_has_about_the_same_number_of_bytes(n_threads, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: n_threads)
    together = threading.Barrier(n_threads, timeout=20)
    shares = {}

    def use(item):
        if threading.get_ident() not in shares:
            together.wait()
        shares.setdefault(threading.get_ident(), []).append(item)

    sizes = [size << 20 for size in (1, 2, 3, 4, 10, 7, 7, 6)]
    in_shares(sizes, lambda item: item, use)
    totals = [sum(share) for share in shares.values()]

    assert len(totals) == n_threads
    assert max(totals) - min(totals) <= max(sizes)


def test_little_is_used_in_the_thread_that_asks(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    threads = []
    in_shares([N_ALONE_BYTES // 2] * 2, lambda item: item, lambda _: threads.append(threading.get_ident()))

    assert threads == [threading.get_ident()] * 2


def test_a_share_is_used_in_the_order_of_the_file(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    used = []
    in_shares([3, 1, 2], lambda item: item, used.append)

    assert used == [3, 1, 2]


def test_there_are_never_more_threads_than_the_limit(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    threads = set()
    in_shares(range(1000), lambda _: 1 << 20, lambda _: threads.add(threading.get_ident()))

    assert len(threads) <= MAX_THREADS


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_what_a_thread_raises_is_raised(bad, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 3)

    def use(item):
        if item == bad:
            raise OverflowError(bad)

    with pytest.raises(OverflowError, match=str(bad)):
        in_shares([0, 1, 2], lambda _: N_ALONE_BYTES, use)


@pytest.mark.parametrize("n_bytes", [1, 63, 64, 65, 4096, MIN_MAPPED_BYTES - 1, MIN_MAPPED_BYTES, MIN_MAPPED_BYTES + 1])
def test_memory_is_aligned_and_can_be_written(n_bytes):
    memory = memory_for(n_bytes)
    memory[:] = 7

    assert memory.nbytes == n_bytes
    assert memory.ctypes.data % N_ALIGN_BYTES == 0


@pytest.mark.parametrize("at_once", [1, 3, 100])
@pytest.mark.system_calls
def test_a_read_that_the_system_cuts_short_goes_on(at_once, tmp_path, monkeypatch):
    (tmp_path / "f").write_bytes(bytes(range(100)))
    preadv = os.preadv
    monkeypatch.setattr(os, "preadv", lambda file, views, at: preadv(file, [views[0][:at_once]], at))
    block = np.zeros(40, np.uint8)
    file = DISK.open(str(tmp_path / "f"))

    assert file.read_into(block.data, 7) == 40
    assert block.tobytes() == bytes(range(7, 47))
    assert file.read_into(block.data, 90) == 10
    assert block.tobytes() == bytes(range(90, 100)) + bytes(range(17, 47))
    assert file.read_into(block.data, 100) == 0
    file.close()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(1, 2), (3, 7), (700, 768), (5, N_BLOCK_BYTES // 8)])
def test_a_matrix_is_widened_and_transposed_while_it_is_read(shape, dtype, turned, tmp_path):
    values = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    values = (values.view(np.uint32) & 0xFFFF0000).view(np.float32) if dtype == "bfloat16" else values
    stored = (values.view(np.uint32) >> 16).astype(np.uint16) if dtype == "bfloat16" else values.astype(dtype)
    (tmp_path / "f").write_bytes(stored.tobytes())
    run = Run(None, 0, stored.nbytes, dtype, crc32c(stored.tobytes()), columns=shape[1])
    with DISK.open(str(tmp_path / "f")) as file:
        found, seen = read_floats(run._replace(file=file), shape, turned=turned)
        checked = read_run(run._replace(file=file))

    assert found.shape == shape
    assert np.array_equal(found, stored.astype(np.float32) if dtype != "bfloat16" else values)
    assert (found.T if turned else found).flags.c_contiguous
    assert found.ctypes.data % N_ALIGN_BYTES == 0
    assert seen == checked


@pytest.mark.parametrize("n_bytes", [4, N_BLOCK_BYTES - 4, N_BLOCK_BYTES, N_BLOCK_BYTES + 4])
def test_a_run_is_read_and_each_fault_has_its_kind(n_bytes, tmp_path):
    values = np.arange(n_bytes // 4, dtype=np.float32)
    (tmp_path / "f").write_bytes(b"head" + values.tobytes())
    file = DISK.open(str(tmp_path / "f"))
    crc = crc32c(values.tobytes())
    memory = memory_for(n_bytes)
    read_run(Run(file, 4, n_bytes, "float32", crc), memory)

    assert np.array_equal(memory.view(np.float32), values)
    read_run(Run(file, 4, n_bytes, "float32", crc))
    for run, kind in (
        (Run(file, 4, n_bytes, "", crc ^ 1), "CHECKSUM"),
        (Run(file, 8, n_bytes, "", crc), "TRUNCATED"),
    ):
        for target in (memory, None):
            with pytest.raises(DamagedError) as caught:
                read_run(run, target)
            assert caught.value.kind == kind
    values[-1] = np.nan
    (tmp_path / "f").write_bytes(b"head" + values.tobytes())
    file.close()
    with (
        DISK.open(str(tmp_path / "f")) as file,
        np.errstate(all="ignore"),
        pytest.raises(DamagedError, match=f"1 of {n_bytes // 4:,} values"),
    ):
        read_run(Run(file, 4, n_bytes, "float32"))
