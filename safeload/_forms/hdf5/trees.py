"""Walk the B-trees of an HDF5 object before libhdf5 does, which recurses into a tree without end if a node contains itself.

Source:
    HDF5 File Format Specification 3.0, sections III.A (B-trees) and IV.A (object headers).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from safeload._forms.hdf5.superblock import find_widths
from safeload._forms.intact import require_intact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload._bytes.open_file import OpenFile

MAX_TREE_DEPTH = 16
"""Levels of a B-tree; a node has dozens of children."""

MAX_HEADER_BYTES = 16 << 20
MAX_HEADER_BLOCKS = 1_000

_GROUP, _CHUNKS = 0, 1
_LINK_INFO, _LAYOUT, _CONTINUATION, _SYMBOL_TABLE = 0x02, 0x08, 0x10, 0x11
_CHUNKED, _INDEXED_BY_TREE = 2, 5
_SECOND_TREE = b"BTHD"


class Place(NamedTuple):
    """The file that has the structures, and how it writes their addresses.

    Attributes:
        file: The open file.
        base: The offset from which addresses count.
        n_address: Bytes of an address.
        n_length: Bytes of a length.
        taken: (first, last + 1) byte of each structure so far, where no values can be.
        heaps: Address of a global heap -> the address and size of each of its items, by its number.
    """

    file: OpenFile
    base: int
    n_address: int
    n_length: int
    taken: set[tuple[int, int]]
    heaps: dict[int, dict[int, tuple[int, int]]]

    def take(self, address: int, n_bytes: int) -> None:
        """Note the bytes of a structure."""
        self.taken.add((self.base + address, self.base + address + n_bytes))

    def read(self, address: int, n_bytes: int) -> bytes:
        """Return all of the bytes at an address; raises ValueError if they are not there."""
        require_intact(self.base + address + n_bytes <= self.file.n_bytes)
        data = self.file.read(n_bytes, self.base + address)
        require_intact(len(data) == n_bytes)
        self.take(address, n_bytes)
        return data

    def address(self, data: bytes, at: int) -> int | None:
        """Return the address in a structure; None if it is undefined."""
        raw = data[at : at + self.n_address]
        require_intact(len(raw) == self.n_address)
        return None if raw == b"\xff" * self.n_address else int.from_bytes(raw, "little")


def place_of(file: OpenFile) -> Place:
    """Return how an open file writes addresses; raises ValueError if it has no superblock."""
    return Place(file, *find_widths(file), set(), {})


def require_trees(place: Place, address: int) -> None:
    """Require that the B-trees of a group or dataset are trees: each node is in one place, and they are not deep.

    Args:
        place: The file.
        address: The address of the object's header.

    Raises:
        ValueError: A node is in two places, a tree is too deep, or a structure is cut off.
        OSError: The system cannot read.
    """
    for kind, data in messages(place, address):
        if kind == _SYMBOL_TABLE:
            _require_first_tree(place, place.address(data, 0), _GROUP, place.n_length)
        elif kind == _LINK_INFO:
            require_intact(len(data) > 1)
            _require_second_tree(place, place.address(data, 2 + 8 * (data[1] & 1) + place.n_address))
        elif kind == _LAYOUT:
            _require_layout(place, data)


def _require_layout(place: Place, data: bytes) -> None:
    """Require that the index of a chunked dataset ends."""
    require_intact(len(data) > 4)  # noqa: PLR2004  (the fixed fields)
    version = data[0]
    if version < 3:  # noqa: PLR2004  (of the layout message)
        rank, layout, at = data[1], data[2], 8
    else:
        rank, layout, at = data[2], data[1], 3
    if layout != _CHUNKED:
        return
    if version <= 3:  # noqa: PLR2004
        _require_first_tree(place, place.address(data, at), _CHUNKS, 8 + 8 * rank)
        return
    rank, width = data[3], data[4]  # after the version, the class and flags
    at = 5 + rank * width
    if data[at : at + 1] == bytes([_INDEXED_BY_TREE]):
        _require_second_tree(place, place.address(data, at + 7))


def _require_first_tree(place: Place, root: int | None, kind: int, n_key: int) -> None:
    """Walk a B-tree of version 1, whose levels must descend by one."""
    pending: list[tuple[int, int | None]] = [(root, None)] if root is not None else []
    seen: set[int] = set()
    n_pair, n_head = n_key + place.n_address, 8 + 2 * place.n_address
    while pending:
        address, wanted = pending.pop()
        head = place.read(address, n_head)
        found, level, count = struct.unpack_from("<BBH", head, 4)
        require_intact(head.startswith(b"TREE") and found == kind and level <= MAX_TREE_DEPTH)
        require_intact(wanted in (None, level))
        if address in seen:
            message = "a node of an index is in two places"
            raise ValueError(message)
        seen.add(address)
        place.take(address, n_head + count * n_pair)
        if level:
            data = place.read(address + n_head, count * n_pair)
            children = [place.address(data, n_key + at * n_pair) for at in range(count)]
            pending += [(child, level - 1) for child in children if child is not None]


def _require_second_tree(place: Place, address: int | None) -> None:
    """Require the depth of a B-tree of version 2, which its header has."""
    if address is None:
        return
    head = place.read(address, 14)
    require_intact(head.startswith(_SECOND_TREE) and struct.unpack_from("<H", head, 12)[0] <= MAX_TREE_DEPTH)


def messages(place: Place, address: int) -> Iterator[tuple[int, bytes]]:
    """Yield (type, data) of each message of an object header, in all of its blocks."""
    start = place.read(address, 1)
    blocks, flags = _first_block(place, address, start)
    n_bytes = n_blocks = 0
    while blocks:
        at, size = blocks.pop(0)
        n_bytes, n_blocks = n_bytes + size, n_blocks + 1
        if n_bytes > MAX_HEADER_BYTES or n_blocks > MAX_HEADER_BLOCKS:
            message = "the header of an object is larger than any that a library writes"
            raise ValueError(message)
        for kind, data in _in_block(place.read(at, size), flags):
            if kind == _CONTINUATION:
                where = place.address(data, 0)
                length = int.from_bytes(data[place.n_address : place.n_address + place.n_length], "little")
                require_intact(where is not None)
                blocks.append((where or 0, length) if flags is None else ((where or 0) + 4, max(0, length - 8)))
            yield kind, data


def _first_block(place: Place, address: int, start: bytes) -> tuple[list[tuple[int, int]], int | None]:
    """Return the first block of messages, and the flags of a header of version 2; None of version 1."""
    if start == b"\x01":
        head = place.read(address, 16)
        return [(address + 16, int.from_bytes(head[8:12], "little"))], None
    head = place.read(address, 6)
    require_intact(head.startswith(b"OHDR\x02"))
    flags = head[5]
    at = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    return [(at + width, int.from_bytes(place.read(at, width), "little"))], flags


def _in_block(data: bytes, flags: int | None) -> Iterator[tuple[int, bytes]]:
    """Yield (type, data) of each message in a block; in version 2, a gap may end it."""
    n_head = 8 if flags is None else 6 if flags & 4 else 4
    at = 0
    while at + n_head <= len(data):
        kind, size = struct.unpack_from("<HH", data, at) if flags is None else struct.unpack_from("<BH", data, at)
        require_intact(at + n_head + size <= len(data))
        yield kind, data[at + n_head : at + n_head + size]
        at += n_head + size
