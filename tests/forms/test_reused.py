"""Memory is reused only when no array has it any more, and only while somebody asks for that."""

from __future__ import annotations

import threading

import numpy as np

from safeload._forms import reused
from safeload._forms.arrays import memory_for
from safeload._forms.reused import N_REUSED_BYTES, reused_memory

SIZE = 2 << 20


def test_memory_of_an_array_that_is_gone_is_reused():
    with reused_memory():
        first = memory_for(SIZE)
        address = first.ctypes.data
        del first

        assert memory_for(SIZE // 2).ctypes.data == address


def test_memory_that_a_view_still_has_is_not_reused():
    with reused_memory():
        first = memory_for(SIZE)
        view = first[5:].view(np.uint8)[::2]
        address = first.ctypes.data
        del first
        other = memory_for(SIZE)

        assert other.ctypes.data != address
        other[...] = 1
        assert not view.any()


def test_two_arrays_never_share_memory_in_many_threads():
    faults = []

    def use(number):
        for _ in range(200):
            one = memory_for(SIZE)
            one[:] = number
            if one[0] != number or one[-1] != number:
                faults.append(number)

    with reused_memory():
        threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert not faults


def test_large_memory_is_reused_for_what_is_large():
    with reused_memory():
        large = memory_for(2 * N_REUSED_BYTES)
        address = large.ctypes.data
        del large
        small = memory_for(SIZE)
        assert small.ctypes.data != address
        assert memory_for(N_REUSED_BYTES + 1).ctypes.data == address


def test_little_is_kept_besides_the_largest():
    with reused_memory():
        held = memory_for(2 * SIZE)
        for size in (N_REUSED_BYTES + 1, 2 * N_REUSED_BYTES, 3 * N_REUSED_BYTES):
            memory_for(size)
        sizes = [len(each) for each in reused._KEPT]

        assert sizes == [2 * SIZE, 3 * N_REUSED_BYTES]
        parts = [memory_for(N_REUSED_BYTES // 2) for _ in range(5)]
        assert 3 * N_REUSED_BYTES not in [len(each) for each in reused._KEPT]
        assert held.size == 2 * SIZE
        assert len(parts) == 5


def test_nothing_is_kept_afterwards():
    with reused_memory(), reused_memory():
        memory_for(SIZE)
    assert not reused._KEPT
    memory_for(SIZE)
    assert not reused._KEPT
