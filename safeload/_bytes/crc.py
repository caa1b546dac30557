"""CRC-32C: that of the package crc32c, or NumPy's own where no wheel of it is installed."""

from __future__ import annotations

import functools
import struct
import warnings
from typing import TYPE_CHECKING, Any

from safeload.errors import SafeLoadWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from typing_extensions import Buffer

_POLYNOMIAL = 0x82F63B78
_ALL = 0xFFFFFFFF
_DISTANCES = (4323, 5259, 5685)
"""Bytes of zeros after a byte leave the checksum as the same byte does, with each of these fewer: x to the power of 8 * 5685 is the
sum of those of 8 * (5685 - 4323), 8 * (5685 - 5259) and 0, modulo the polynomial. So are the squares of all, hence `_SCALES`."""

_SCALES = (16, 1)


@functools.cache
def _tables() -> tuple[list[int], list[int]]:
    """Return what four bytes make of the lower and of the upper half of a checksum."""
    import numpy as np  # noqa: PLC0415  (no command needs it before it reads a file)

    crc: NDArray[Any] = np.arange(1 << 16, dtype=np.uint32)
    rows = []
    for _ in range(2):
        for _ in range(16):
            crc = crc >> 1 ^ (crc & 1) * np.uint32(_POLYNOMIAL)
        rows.append(crc.tolist())
    upper, lower = rows
    return lower, upper


def own_crc32c(data: Buffer, value: int = 0) -> int:
    """Return the CRC-32C of data, after other data whose checksum is `value`.

    Bytes are folded into the last 5,685 with XOR, 4,323 or more at once, and these are looked up in tables.
    """
    view = memoryview(data).cast("B")
    crc = value ^ _ALL
    if len(view) > _DISTANCES[-1]:
        view, crc = _folded(view, crc), 0
    lower, upper = _tables()
    n_words = len(view) // 4
    for (word,) in struct.iter_unpack("<I", view[: 4 * n_words]):
        crc ^= word
        crc = lower[crc & 0xFFFF] ^ upper[crc >> 16]
    for byte in view[4 * n_words :]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc ^ _ALL


def _folded(view: memoryview, crc: int) -> memoryview:
    """Return data of the same remainder, of 5,685 bytes."""
    import numpy as np  # noqa: PLC0415  (no command needs it before it reads a file)

    rest = np.array(view, np.uint8)
    rest[:4] ^= np.frombuffer(crc.to_bytes(4, "little"), np.uint8)
    for scale in _SCALES:
        distances = [scale * distance for distance in _DISTANCES]
        end, start = rest.size - distances[-1], 0
        while start < end:
            stop = min(start + distances[0], end)
            for distance in distances:
                rest[start + distance : stop + distance] ^= rest[start:stop]
            start = stop
        rest = rest[max(end, 0) :]
    return rest.data


@functools.cache
def _found() -> Callable[[Buffer, int], int]:
    try:
        import crc32c as package  # noqa: PLC0415  (slow to import, and not everywhere)
    except ImportError:
        message = "the package crc32c is not installed: checksums take several times as long; pip install crc32c"
        warnings.warn(message, SafeLoadWarning, stacklevel=3)
        return own_crc32c
    crc32c: Callable[[Buffer, int], int] = package.crc32c
    return crc32c


def crc32c(data: Buffer, value: int = 0) -> int:
    """Return the CRC-32C of data, after other data whose checksum is `value`."""
    return _found()(data, value)
