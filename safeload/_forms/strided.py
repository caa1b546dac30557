"""Read tensors block by block in the order in which they are stored, whatever their strides and the gaps between values."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._forms.arrays import fill
from safeload._forms.byte_order import to_host
from safeload._forms.look import block_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from safeload._forms.arrays import Run

    Array = NDArray[Any]
    Place = tuple[slice, ...]


def strides_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of C order, in elements."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def order_of(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes, the one with the largest steps first."""
    return tuple(sorted(range(len(shape)), key=lambda axis: (shape[axis] == 1, -strides[axis])))


def place_of(at: int, shape: tuple[int, ...], order: tuple[int, ...]) -> tuple[int, ...]:
    """Return the place of the value that comes after `at` others, with the axes in `order`."""
    stored = map(int, np.unravel_index(at, [shape[axis] for axis in order]))
    return tuple(place for _, place in sorted(zip(order, stored, strict=True)))


def blocks_of(
    run: Run, dtype: np.dtype[Any], shape: tuple[int, ...], strides: tuple[int, ...]
) -> Iterator[tuple[Place, Array]]:
    """Yield parts of a tensor: their place in the tensor with its axes in `order_of`, and their values.

    The values are valid until the next part is read.

    Raises:
        DamagedError: As `fill`.
    """
    if not prod(shape):
        return
    order = order_of(shape, strides)
    sizes, steps = [shape[axis] for axis in order], [strides[axis] for axis in order]
    step, n_steps = (steps[0], sizes[0]) if order else (1, 1)
    inner = 1 + sum(stride * (size - 1) for stride, size in zip(steps[1:], sizes[1:], strict=True))
    n_together = min(n_steps, max(1, 1 + (block_bytes() // dtype.itemsize - inner) // max(step, 1)))
    scratch = np.empty((n_together - 1) * step + inner, dtype)
    n_bytes = [stride * dtype.itemsize for stride in steps]
    for start in range(0, n_steps, n_together):
        count = min(n_together, n_steps - start)
        part = scratch[: (count - 1) * step + inner]
        fill(run, start * step * dtype.itemsize, part.view(np.uint8))
        to_host(part, run.number_bytes)
        place = (slice(start, start + count),) if order else ()
        yield place, np.lib.stride_tricks.as_strided(part, (count, *sizes[1:]) if order else (), n_bytes)
