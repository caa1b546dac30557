"""Read the text of an HDF5 attribute without libhdf5, which copies what a length in the file says.

Attributes in dense storage, which a writer chooses for more than eight of an object, are not read.

Source:
    HDF5 File Format Specification 3.0, sections III.E (global heap), IV.A.2.d (datatype) and IV.A.2.m (attribute).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from safeload._forms.hdf5.listing import RefusedError
from safeload._forms.hdf5.trees import messages
from safeload._forms.intact import require_intact

if TYPE_CHECKING:
    from safeload._forms.hdf5.trees import Place

MAX_TEXT_BYTES = 16 << 20
"""The length of a text, in bytes."""

MAX_HEAP_ITEMS = 1 << 16
"""Their numbers have 16 bits."""

_ATTRIBUTE = 0x0C
_STRING, _OF_VARIABLE_LENGTH = 3, 9
_N_TYPE_HEAD = 8
_N_HEAP_ITEM = 8  # before the size: its number, its references and what is reserved
_COLLECTION = b"GCOL\x01"


def read_text(place: Place, address: int, name: str) -> str | None:
    """Return the text of an attribute of an object; None if it has none of that name, or it is no single text.

    Raises:
        RefusedError: The text is longer than any that a library writes.
        ValueError: The attribute is damaged, or there are two of that name.
        OSError: The system cannot read.
    """
    found = [part for kind, data in messages(place, address) if kind == _ATTRIBUTE and (part := _parts(data, name))]
    require_intact(len(found) <= 1)
    if not found:
        return None
    datatype, values = found[0]
    require_intact(len(datatype) >= _N_TYPE_HEAD)
    kind, n_bytes = datatype[0] & 0x0F, int.from_bytes(datatype[4:8], "little")
    if kind == _OF_VARIABLE_LENGTH and datatype[1] & 0x0F == 1:
        data = _in_heap(place, values, name)
    elif kind == _STRING:
        require_intact(len(values) >= n_bytes)
        data = values[:n_bytes]
    else:
        return None
    return data.rstrip(b"\0").decode("utf-8")


def _parts(data: bytes, wanted: str) -> tuple[bytes, bytes] | None:
    """Return the datatype and the values of an attribute of one value, if it has the name."""
    require_intact(len(data) > _N_TYPE_HEAD)
    version = data[0]
    require_intact(version in (1, 2, 3))
    lengths = struct.unpack_from("<HHH", data, 2)
    at = 9 if version == 3 else 8  # noqa: PLR2004  (the version that says how the name is encoded)
    parts = []
    for length in lengths:
        require_intact(at + length <= len(data))
        parts.append(data[at : at + length])
        at += -(-length // 8) * 8 if version == 1 else length
    name, datatype, dataspace = parts
    is_scalar = len(dataspace) > 1 and dataspace[1] == 0
    return (datatype, data[at:]) if name.rstrip(b"\0") == wanted.encode() and is_scalar else None


def _in_heap(place: Place, values: bytes, name: str) -> bytes:
    """Return the bytes of a text in a global heap."""
    require_intact(len(values) >= 4 + place.n_address + 4)
    length = int.from_bytes(values[:4], "little")
    if length > MAX_TEXT_BYTES:
        raise RefusedError(name, f"a text of {length:,} bytes")
    where = place.address(values, 4)
    number = int.from_bytes(values[4 + place.n_address :][:4], "little")
    if not length or where is None:
        return b""
    head = place.read(where, _N_HEAP_ITEM + place.n_length)
    require_intact(head.startswith(_COLLECTION))
    end = where + int.from_bytes(head[8:], "little")
    at, n_head = where + len(head), _N_HEAP_ITEM + place.n_length
    for _ in range(MAX_HEAP_ITEMS):
        require_intact(at + n_head <= end)
        item = place.read(at, n_head)
        size = int.from_bytes(item[8:], "little")
        if int.from_bytes(item[:2], "little") == number:
            require_intact(length <= size and at + n_head + length <= end)
            return place.read(at + n_head, length)
        require_intact(item[:2] != b"\0\0")
        at += n_head + -(-size // 8) * 8
    message = "its text is not where the attribute says"
    raise ValueError(message)
