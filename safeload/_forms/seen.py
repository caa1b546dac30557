"""Define what reading a tensor shows of its values."""

from __future__ import annotations

from typing import Literal, NamedTuple

LARGE = 1e3
"""The magnitude beyond which the largest value is noted."""


class Inexact(NamedTuple):
    """The values in float64 that float32 cannot hold.

    Attributes:
        n_values: Their number.
        first: The first of them.
        at: Its number in the order in which the values are stored.
    """

    n_values: int
    first: float
    at: int


class Seen(NamedTuple):
    """What reading a tensor showed of its values.

    Attributes:
        largest: The largest magnitude, if it is beyond `LARGE`; else 0.
        constant: The value that all have, of two or more; None if they differ.
        rows: "equal" if all rows are the same, "constant" if each row has one value, both of two or more; else "".
        inexact: The values that float32 cannot hold; None if there are none.
        checksum: The kind and value of the checksum of the stored bytes, such as "crc32:1c291ca3"; "" if none was computed.
    """

    largest: float = 0.0
    constant: float | None = None
    rows: Literal["", "equal", "constant"] = ""
    inexact: Inexact | None = None
    checksum: str = ""
