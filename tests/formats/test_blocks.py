"""What the readers of values share: shares, threads, exact reads."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import LAW

from safeload._formats.blocks import count_non_finite, in_threads, read_exactly, shares


@LAW
@given(sizes=st.lists(st.integers(0, 100)), n_shares=st.integers(1, 5))
def test_each_item_is_in_one_share_and_no_share_is_much_larger(sizes, n_shares):
    split = shares(list(enumerate(sizes)), lambda item: item[1], n_shares)
    totals = [sum(size for _, size in share) for share in split]

    assert len(split) == n_shares
    assert sorted(item for share in split for item in share) == list(enumerate(sizes))
    assert max(totals) - min(totals) <= max(sizes, default=0)
    if n_shares == 1:
        assert [size for _, size in split[0]] == sorted(sizes, reverse=True)


def test_the_largest_items_are_shared_out_first():
    assert shares([1, 2, 3, 4, 10], lambda item: item, 2) == [[10], [4, 3, 2, 1]]


@pytest.mark.parametrize("n_shares", [1, 2, 4])
def test_each_share_has_a_thread_and_the_last_is_the_caller_s(n_shares):
    together = threading.Barrier(n_shares, timeout=20)

    def use(share):
        together.wait()
        return share, threading.get_ident()

    results = in_threads(use, [[number] for number in range(n_shares)])

    assert [share for share, _ in results] == [[number] for number in range(n_shares)]
    assert len({thread for _, thread in results}) == n_shares
    assert results[-1][1] == threading.get_ident()


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_what_a_thread_raises_is_raised_after_the_others_ended(bad):
    ended = []

    def use(share):
        if share == [bad]:
            raise OverflowError(bad)
        ended.append(share[0])

    with pytest.raises(OverflowError, match=str(bad)):
        in_threads(use, [[0], [1], [2]])
    assert sorted(ended) == sorted({0, 1, 2} - {bad})


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_a_read_that_the_system_cuts_short_goes_on(at_once, tmp_path, monkeypatch):
    (tmp_path / "f").write_bytes(bytes(range(100)))
    preadv = os.preadv
    monkeypatch.setattr(os, "preadv", lambda file, views, at: preadv(file, [views[0][:at_once]], at))
    block = np.zeros(5, np.float64)

    with (tmp_path / "f").open("rb") as file:
        assert read_exactly(file.fileno(), block, 7) == 40
        assert block.tobytes() == bytes(range(7, 47))
        assert read_exactly(file.fileno(), block, 90) == 10
        assert block.tobytes() == bytes(range(90, 100)) + bytes(range(17, 47))
        assert read_exactly(file.fileno(), block, 100) == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (6,), (2, 3)], ids=str)
def test_nan_and_infinity_are_counted_and_the_largest_values_are_not(dtype, shape):
    values = np.full(shape, np.finfo(dtype).max, dtype)
    with np.errstate(all="ignore"):
        assert count_non_finite(values) == 0
        for count, bad in enumerate((np.nan, np.inf, -np.inf)[: values.size], 1):
            values.reshape(-1)[-count] = bad
            assert count_non_finite(values) == count
