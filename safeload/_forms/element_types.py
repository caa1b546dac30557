"""List the element types that are read from files that hold plain bits."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class ElementType(NamedTuple):
    """An element type.

    Attributes:
        n_bits: The size of a value, in bits.
        numpy: NumPy's name of the type, or of the integers that have the same bits.
    """

    n_bits: int
    numpy: str


_OF_NUMPY = (
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
)
TYPES = {
    **{name: ElementType(int(name.lstrip("uintfloacmpex")), name) for name in _OF_NUMPY},
    "bool": ElementType(8, "bool"),
    "bfloat16": ElementType(16, "uint16"),
    "complex32": ElementType(32, "uint32"),
    "float8_e4m3fn": ElementType(8, "uint8"),
    "float8_e5m2": ElementType(8, "uint8"),
    "float8_e4m3fnuz": ElementType(8, "uint8"),
    "float8_e5m2fnuz": ElementType(8, "uint8"),
    "float8_e8m0fnu": ElementType(8, "uint8"),
    "float4_e2m1fn_x2": ElementType(8, "uint8"),
    "float4_e2m1fn": ElementType(4, "uint8"),
    "float6_e2m3fn": ElementType(6, "uint8"),
    "float6_e3m2fn": ElementType(6, "uint8"),
}
"""Name -> type; the names are NumPy's, or torch's where NumPy has none. Of `float4_e2m1fn_x2`, a value is a pair."""

NAN_BITS = {
    "float8_e4m3fn": (0x7F, 0x7F),
    "float8_e5m2": (0x7C, 0x7C),
    "float8_e4m3fnuz": (0xFF, 0x80),
    "float8_e5m2fnuz": (0xFF, 0x80),
    "float8_e4m3b11fnuz": (0xFF, 0x80),
    "float8_e8m0fnu": (0xFF, 0xFF),
}
"""Types of one byte -> the bits that are looked at, and what they are for NaN and infinity. Floats of fewer bits have neither.

Source:
    The OCP specifications of 8-bit floats and of microscaling formats; ml_dtypes/include/float8.h, ml_dtypes 0.5.
"""

N_ITEM_BYTES = 8
"""What values that are used where they lie in a file are aligned to; complex numbers are pairs."""

PACKED = ("float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn")
"""The types whose values are smaller than a byte; they are read as a row of bytes."""


def n_bits_of(shape: Sequence[int], dtype: str) -> int:
    """Return the size of a tensor in C order, in bits."""
    return prod(shape) * TYPES[dtype].n_bits


def n_bytes_of(shape: Sequence[int], dtype: str) -> int:
    """Return the size of a tensor in C order, in whole bytes."""
    return -(-n_bits_of(shape, dtype) // 8)
