"""CRC-32C: that of the package crc32c, or NumPy's own where no wheel of it is installed."""

from __future__ import annotations

import functools
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

_SCALES = (64, 8, 1)
"""A block of 1 MB takes 0.40 ms so, 0.65 ms with (16, 1)."""


@functools.cache
def _table() -> NDArray[Any]:
    """Return what each bit of 5,685 bytes adds to a checksum, the first bit first."""
    import numpy as np  # noqa: PLC0415  (no command needs it before it reads a file)

    rows = [_POLYNOMIAL]
    for _ in range(8 * _DISTANCES[-1] - 1):
        rows.append(rows[-1] >> 1 ^ (_POLYNOMIAL if rows[-1] & 1 else 0))
    return np.array(rows[::-1], np.uint32)


def own_crc32c(data: Buffer, value: int = 0) -> int:
    """Return the CRC-32C of data, after other data whose checksum is `value`.

    Bytes are folded into the last 5,685 with XOR, 4,323 or more at once; what each bit of these adds is in a table.
    """
    import numpy as np  # noqa: PLC0415  (no command needs it before it reads a file)

    rest = np.array(memoryview(data).cast("B"), np.uint8)
    crc = value ^ _ALL
    n_first = min(4, rest.size)
    rest[:n_first] ^= np.frombuffer(crc.to_bytes(4, "little"), np.uint8, n_first)
    bits = np.unpackbits(_folded(rest), bitorder="little")
    added = int(np.bitwise_xor.reduce(_table()[_table().size - bits.size :] * bits))
    return added ^ crc >> 8 * n_first ^ _ALL


def _folded(rest: NDArray[Any]) -> NDArray[Any]:
    """Return data of the same remainder, of at most 5,685 bytes."""
    for scale in _SCALES:
        distances = [scale * distance for distance in _DISTANCES]
        end, start = rest.size - distances[-1], 0
        while start < end:
            stop = min(start + distances[0], end)
            for distance in distances:
                rest[start + distance : stop + distance] ^= rest[start:stop]
            start = stop
        rest = rest[max(end, 0) :]
    return rest


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
