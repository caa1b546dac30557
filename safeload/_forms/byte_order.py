"""Turn values from the byte order of a file into that of this host.

Weight files are little-endian. On a big-endian host, each number is swapped once, behind the checksum of its bytes.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = TypeVar("Array", bound=NDArray[Any])

HOST_IS_BIG = sys.byteorder == "big"


def number_bytes(dtype: str, n_item_bytes: int) -> int:
    """Return the size of the numbers that values of a type consist of: a complex number of two. At least 1."""
    return max(1, n_item_bytes // (2 if dtype.startswith("complex") else 1))


def to_host(values: Array, n_number_bytes: int, *, is_big: bool = False) -> Array:
    """Swap the bytes of numbers in place, if the file had them in another order than this host; return the same array.

    Args:
        values: What the file has, in C order and of any type.
        n_number_bytes: The size of a number; 1 for bytes.
        is_big: Whether the file has them in big-endian byte order.
    """
    if is_big != HOST_IS_BIG and n_number_bytes > 1:
        values.reshape(-1).view(f"u{n_number_bytes}").byteswap(inplace=True)
    return values


def stored_as(dtype: np.dtype[Any], *, is_big: bool) -> np.dtype[Any]:
    """Return a type in the byte order of a file."""
    stored: np.dtype[Any] = dtype.newbyteorder(">" if is_big else "<")
    return stored


def little(values: NDArray[Any]) -> NDArray[Any]:
    """Return values as they are written to files, in little-endian byte order; without a copy where they are so in memory."""
    return values.astype(stored_as(values.dtype, is_big=False), copy=False)


def is_big_endian(dtype: np.dtype[Any]) -> bool:
    """Return whether values of a type are in big-endian byte order."""
    return dtype.itemsize > 1 and dtype == stored_as(dtype, is_big=True)
