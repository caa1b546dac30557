"""What values look like while they are read: finite, large, or all the same, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from safeload._bytes.files import DISK
from safeload._forms import look
from safeload._forms.arrays import DamagedError, Run, columns_of, look_at, read_run
from safeload._forms.element_types import NAN_BITS
from safeload._forms.look import Look, count_non_finite, measure
from safeload._forms.seen import Seen
from tests.forms.laws import LAW

FLOATS = (np.float16, np.float32, np.float64)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (6,), (2, 3)], ids=str)
def test_nan_and_infinity_are_counted_and_the_largest_values_are_not(dtype, shape):
    values = np.full(shape, np.finfo(dtype).max, dtype)
    with np.errstate(all="ignore"):
        assert count_non_finite(values) == 0
        for count, bad in enumerate((np.nan, np.inf, -np.inf)[: values.size], 1):
            values.reshape(-1)[-count] = bad
            assert count_non_finite(values) == count


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("dtype", FLOATS)
def test_only_a_magnitude_beyond_1000_is_noted(dtype, sign):
    values = np.zeros((30, 30), dtype)
    assert measure(values) == (0, 0)
    values[:] = 999.5 * sign
    assert measure(values) == (0, 0)
    values[3, 4] = 1000 * sign
    assert measure(values) == (0, 0)
    values[5, 6] = larger = np.nextafter(dtype(1000), dtype(2000)) * sign
    assert measure(values) == (0, abs(float(larger)))
    values[29, 29] = np.inf
    with np.errstate(all="ignore"):
        assert measure(values) == (1, 0)


def shown(values, dtype="float32"):
    """Return what is seen of values, without their checksum."""
    return look_at(values, dtype)._replace(checksum="")


def test_the_bits_of_bfloat16_count_as_its_values():
    bits = (np.float32([[1.5, -2048, 3], [1.5, 3, 3]]).view(np.uint32) >> 16).astype(np.uint16)

    assert measure(bits) == (0, 2048)
    assert shown(bits[:, :1], "bfloat16") == Seen(0, 1.5, "equal")
    assert count_non_finite(np.uint16([0x7F80, 0xFF80, 0x7FC0, 0x7F7F])) == 3
    assert measure(np.uint16([0x7F7F]))[1] == pytest.approx(3.39e38, rel=1e-2)


ROWS = np.float32([[1, 2, 3]] * 4)
EACH = np.repeat(np.float32([[1], [2], [3], [4]]), 3, axis=1)


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        (np.full((4, 3), 7, "f4"), Seen(0, 7, "equal")),
        (np.full((2, 1, 1, 3), 7, "f4"), Seen(0, 7, "equal")),
        (np.full(5, -0.5, "f4"), Seen(0, -0.5, "equal")),
        (np.full((4, 3), 2e3, "f4"), Seen(2e3, 2e3, "equal")),
        (ROWS, Seen(0, None, "equal")),
        (EACH, Seen(0, None, "constant")),
        (ROWS.T, Seen(0, None, "constant")),
        (ROWS[:1], Seen()),
        (ROWS[:, :1], Seen(0, 1, "equal")),
        (EACH[:1], Seen(0, 1, "constant")),
        (np.float32([1, 2, 1]), Seen()),
        (np.float32([[1, 2], [1, 3]]), Seen()),
        (np.float32([[1, 1], [1, 2]]), Seen()),
        (np.float32([[0, 0], [1, 2], [3, 3]]), Seen()),
        (np.float32([[7]]), Seen()),
        (np.float32(7), Seen()),
        (np.zeros((0, 3), "f4"), Seen()),
        (np.zeros((3, 0), "f4"), Seen()),
        (np.full((4, 3), 7), Seen()),
    ],
    ids=str,
)
def test_what_is_the_same_is_seen(values, seen):
    assert shown(np.ascontiguousarray(values), values.dtype.name) == seen


def slow_look(values):
    """Return what a look at all values at once sees."""
    rows = values.reshape(-1, columns_of(values.shape))
    is_one = values.size > 1 and bool((values == values.flat[0]).all())
    each = rows.shape[1] > 1 and bool((rows == rows[:, :1]).all())
    every = len(rows) > 1 and bool((rows == rows[0]).all())
    return Seen(0, float(values.flat[0]) if is_one else None, "equal" if every else "constant" if each else "")


@LAW
@given(
    values=arrays_of.arrays(
        np.float32, st.tuples(st.integers(1, 9), st.integers(1, 5)), elements=st.sampled_from([0, 1]), fill=st.just(0)
    ),
    n_block_bytes=st.integers(4, 60),
)
def test_the_size_of_a_block_changes_nothing(tmp_path_factory, values, n_block_bytes):
    path = tmp_path_factory.getbasetemp() / "looked_at"
    path.write_bytes(values.tobytes())
    with pytest.MonkeyPatch.context() as patch, DISK.open(str(path)) as file:
        patch.setattr(look, "N_BLOCK_BYTES", n_block_bytes)
        columns = columns_of(values.shape)
        found = [
            read_run(Run(file, 0, values.nbytes, "float32", columns=columns), memory)
            for memory in (None, np.empty(values.nbytes, np.uint8))
        ]
        whole, fits = look_at(values, "float32"), columns * 4 <= n_block_bytes

    assert found == [whole, whole]
    whole = whole._replace(checksum="")
    assert whole == slow_look(values) if fits else whole.constant == slow_look(values).constant


def test_a_row_that_is_longer_than_a_block_is_read_in_blocks(monkeypatch):
    monkeypatch.setattr(look, "N_BLOCK_BYTES", 16)

    assert Look("float32", 5).n_block_bytes == 16
    assert Look("float32", 3).n_block_bytes == 12
    assert shown(np.ones((2, 5), "f4")) == Seen(0, 1, "equal")
    assert shown(np.arange(10, dtype="f4").reshape(2, 5)) == Seen()


@pytest.mark.parametrize("name", NAN_BITS)
def test_nan_and_infinity_in_floats_of_a_byte_are_what_ml_dtypes_says(name):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    if not hasattr(ml_dtypes, name):
        pytest.skip("this ml_dtypes has no such type")
    bits = np.tile(np.arange(256, dtype=np.uint8), 9_000)
    n_bad = int((~np.isfinite(np.arange(256, dtype=np.uint8).view(getattr(ml_dtypes, name)).astype(np.float32))).sum())
    with pytest.raises(DamagedError, match=f"^NOT FINITE: {9_000 * n_bad:,} of 2,304,000 values"):
        look_at(bits, name)
    assert n_bad
    assert shown(bits[:1], name) == Seen()
