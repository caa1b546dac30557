"""Find the parts of a partitioned variable and their positions in the whole.

Source:
    tensorflow/core/util/tensor_bundle/tensor_bundle.cc, BundleReader::GetSliceValue;
    tensorflow/core/util/saved_tensor_slice_util.cc, EncodeTensorNameSlice. TensorFlow 2.15 and 2.21.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from safeload._forms.arrays import DamagedError
from safeload._forms.tensorflow.index_file import N_BYTES_OF

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._forms.tensorflow.index_file import Entry, Extents


def parts_of(entry: Entry, listed: Mapping[tuple[str, Extents], Entry]) -> list[tuple[tuple[slice, ...], Entry]]:
    """Return (position in the whole, entry) of each part, in the order of the values.

    The whole is allocated only after the sizes of the parts, which are bounded by the shards, add up to it.

    Raises:
        DamagedError: The parts do not make up the whole.
    """
    if entry.dtype not in N_BYTES_OF:
        raise DamagedError("TYPE", f"{entry.dtype} in parts cannot be read")
    parts = []
    for extents in entry.slices:
        part = listed.get((entry.name, extents))
        place = _place(entry.shape, extents)
        if part is None or place is None or part.slices or part.dtype != entry.dtype:
            raise DamagedError("PARTITION", f"the part at {list(extents)} is missing or of another type")
        if part.shape != tuple(at.stop - at.start for at in place):
            raise DamagedError("PARTITION", f"the part at {list(extents)} has the shape {part.shape}")
        parts.append((place, part))
    if len(set(entry.slices)) < len(parts) or sum(math.prod(part.shape) for _, part in parts) != math.prod(entry.shape):
        raise DamagedError("PARTITION", "the parts do not add up to the whole")
    covered = np.zeros(entry.shape, bool)
    for place, _ in parts:
        covered[place] = True
    if not covered.all():
        raise DamagedError("PARTITION", "the parts overlap")
    return sorted(parts, key=lambda each: [at.start for at in each[0]])


def _place(shape: tuple[int, ...], extents: Extents) -> tuple[slice, ...] | None:
    if len(extents) != len(shape):
        return None
    place = tuple(
        slice(0, size) if (start, length) == (0, -1) else slice(start, start + length)
        for size, (start, length) in zip(shape, extents, strict=True)
    )
    return place if all(0 <= at.start <= at.stop <= size for size, at in zip(shape, place, strict=True)) else None
