"""Blocks of tensors in the order of the file are the values of the tensor, whatever its strides."""

from __future__ import annotations

import numpy as np
import pytest

from safeload._bytes.files import DISK
from safeload._forms import look
from safeload._forms.arrays import Run
from safeload._forms.strided import blocks_of, order_of, place_of, strides_of

BASE = np.arange(4 * 6 * 5, dtype=np.float32).reshape(4, 6, 5)
VIEWS = {
    "whole": BASE,
    "turned": BASE.T,
    "axes": BASE.transpose(1, 2, 0),
    "slice": BASE[:, 1:4],
    "every other": BASE[::2, ::3, ::2],
    "row": BASE[1, 2],
    "column": BASE[:, 3, 2],
    "repeated": np.broadcast_to(BASE[0, 0], (3, 5)),
    "one": BASE[1:2, 2:3, 3:4],
    "scalar": BASE[1, 2, 3, ...],
    "nothing": BASE[:, 2:2],
}


@pytest.mark.parametrize("n_block_bytes", [4, 64, 1 << 20])
@pytest.mark.parametrize("name", VIEWS)
def test_the_blocks_are_all_of_the_tensor(tmp_path, monkeypatch, name, n_block_bytes):
    monkeypatch.setattr(look, "N_BLOCK_BYTES", n_block_bytes)
    view = VIEWS[name]
    (tmp_path / "f").write_bytes(BASE.tobytes())
    start = view.__array_interface__["data"][0] - BASE.__array_interface__["data"][0]
    strides = tuple(stride // 4 for stride in view.strides)
    out = np.full(view.shape, np.nan, np.float32)

    with DISK.open(str(tmp_path / "f")) as file:
        run = Run(file, start, BASE.nbytes - start)
        for place, block in blocks_of(run, BASE.dtype, view.shape, strides):
            out.transpose(order_of(view.shape, strides))[place] = block

    np.testing.assert_array_equal(out, view)


@pytest.mark.parametrize("name", ["whole", "turned", "axes"])
def test_a_place_is_that_of_the_value(name):
    view = VIEWS[name]
    order = order_of(view.shape, tuple(stride // 4 for stride in view.strides))

    assert all(view[place_of(at, view.shape, order)] == at for at in range(BASE.size))


def test_strides_of_c_order():
    assert strides_of((2, 3, 4)) == (12, 4, 1)
    assert strides_of(()) == ()
