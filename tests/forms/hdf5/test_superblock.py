"""The first block of an HDF5 file: where the file ends, and whether a program has it open."""

from __future__ import annotations

import pytest

from safeload._bytes.kinds import HDF5_SIGNATURE
from safeload._forms.hdf5.superblock import read_superblock


def superblock(version, end, *, width=8, flags=0):
    """Encode the first block of a file, in which the third address is where it ends."""
    addresses = b"".join(number.to_bytes(width, "little") for number in (0, 77, end, 99))
    if version < 2:
        return HDF5_SIGNATURE + bytes([version, 0, 0, 0, 0, width, 8, 0]) + bytes(8 + 4 * version) + addresses
    return HDF5_SIGNATURE + bytes([version, width, 8, flags]) + addresses


@pytest.mark.parametrize("width", [2, 4, 8])
@pytest.mark.parametrize(
    ("version", "flags", "is_open"),
    [
        (0, 0, False),
        (1, 0, False),
        (2, 0, False),
        (2, 1, False),
        (3, 0, False),
        (3, 1, True),
        (3, 4, False),
        (3, 5, True),
    ],
)
def test_a_superblock_says_where_the_file_ends_and_whether_it_is_open(version, flags, is_open, width):
    block = superblock(version, 1234, width=width, flags=flags)
    n_needed = block.index((99).to_bytes(width, "little"), 12 + 3 * width)

    assert read_superblock(block) == read_superblock(block[:n_needed]) == (1234, is_open)
    for cut in range(n_needed):
        assert read_superblock(block[:cut])[0] is None


def test_an_unknown_superblock_is_left_to_hdf5():
    assert read_superblock(superblock(4, 1234).ljust(64, b"\0")) == (0, False)
    without_width = superblock(2, 1234).replace(b"\2\x08", b"\2\0")
    assert read_superblock(without_width.ljust(64, b"\0")) == (None, False)
