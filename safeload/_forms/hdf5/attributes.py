"""Read the texts of an HDF5 attribute without libhdf5, which copies what a length in the file says.

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
"""The texts in the heaps of a file; the names of a BERT-Large's weights are 400."""

_ATTRIBUTE = 0x0C
_STRING, _OF_VARIABLE_LENGTH = 3, 9
_N_TYPE_HEAD = 8
_N_SPACE_HEAD = 4
_N_HEAP_ITEM = 8  # before the size: its number, its references and what is reserved
_COLLECTION = b"GCOL\x01"


def read_text(place: Place, address: int, name: str) -> str | None:
    """Return the text of an attribute of an object; None if it has none of that name, or it is no single text.

    Raises:
        RefusedError: The text is longer than any that a library writes.
        ValueError: The attribute is damaged, or there are two of that name.
        OSError: The system cannot read.
    """
    found = _read(place, address, name, rank=0)
    return None if found is None else found[0]


def read_texts(place: Place, address: int, name: str) -> list[str] | None:
    """Return the list of texts of an attribute of an object; None if it has none of that name, or it is no list of texts.

    Raises:
        RefusedError, ValueError, OSError: As `read_text`.
    """
    return _read(place, address, name, rank=1)


def _read(place: Place, address: int, name: str, *, rank: int) -> list[str] | None:
    found = [part for kind, data in messages(place, address) if kind == _ATTRIBUTE and (part := _parts(data, name))]
    require_intact(len(found) <= 1)
    if not found:
        return None
    datatype, dataspace, values = found[0]
    if len(dataspace) < _N_SPACE_HEAD or dataspace[1] != rank:
        return None
    require_intact(len(datatype) >= _N_TYPE_HEAD)
    kind, n_bytes = datatype[0] & 0x0F, int.from_bytes(datatype[4:8], "little")
    is_variable = kind == _OF_VARIABLE_LENGTH and datatype[1] & 0x0F == 1
    if not is_variable and kind != _STRING:
        return None
    n_texts = _length(place, dataspace) if rank else 1
    n_each = 4 + place.n_address + 4 if is_variable else n_bytes
    require_intact(n_each > 0 and len(values) >= n_texts * n_each)
    each = [values[at * n_each : (at + 1) * n_each] for at in range(n_texts)]
    texts = [_in_heap(place, item, name) for item in each] if is_variable else each
    return [text.rstrip(b"\0").decode("utf-8") for text in texts]


def _length(place: Place, dataspace: bytes) -> int:
    """Return the size of the only dimension."""
    at = 8 if dataspace[0] == 1 else _N_SPACE_HEAD
    require_intact(len(dataspace) >= at + place.n_length)
    return int.from_bytes(dataspace[at : at + place.n_length], "little")


def _parts(data: bytes, wanted: str) -> tuple[bytes, bytes, bytes] | None:
    """Return the datatype, the dataspace and the values of an attribute, if it has the name."""
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
    return (datatype, dataspace, data[at:]) if name.rstrip(b"\0") == wanted.encode() else None


def _in_heap(place: Place, values: bytes, name: str) -> bytes:
    """Return the bytes of a text in a global heap."""
    length = int.from_bytes(values[:4], "little")
    if length > MAX_TEXT_BYTES:
        raise RefusedError(name, f"a text of {length:,} bytes")
    where = place.address(values, 4)
    if not length or where is None:
        return b""
    if where not in place.heaps:
        place.heaps[where] = _items(place, where, name)
    at, size = place.heaps[where].get(int.from_bytes(values[4 + place.n_address :][:4], "little"), (0, -1))
    if length > size:
        message = "its text is not where the attribute says"
        raise ValueError(message)
    return place.read(at, length)


def _items(place: Place, where: int, name: str) -> dict[int, tuple[int, int]]:
    """Return the address and size of each item of a global heap, by its number."""
    head = place.read(where, _N_HEAP_ITEM + place.n_length)
    require_intact(head.startswith(_COLLECTION))
    end = where + int.from_bytes(head[8:], "little")
    at, n_head = where + len(head), _N_HEAP_ITEM + place.n_length
    n_left = MAX_HEAP_ITEMS - sum(map(len, place.heaps.values()))
    found: dict[int, tuple[int, int]] = {}
    while at + n_head <= end:
        item = place.read(at, n_head)
        number, size = int.from_bytes(item[:2], "little"), int.from_bytes(item[8:], "little")
        if not number:  # what follows is free
            break
        if len(found) == n_left:
            raise RefusedError(name, f"more than {MAX_HEAP_ITEMS:,} texts in the file")
        require_intact(number not in found and at + n_head + size <= end)
        found[number] = at + n_head, size
        at += n_head + -(-size // 8) * 8
    return found
