"""Read the superblock of an HDF5 file, to detect truncated and unclosed files before h5py opens them.

Source:
    HDF5 File Format Specification 3.0, section II.A.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._bytes.kinds import HDF5_SIGNATURE
from safeload._forms.intact import require_intact

if TYPE_CHECKING:
    from safeload._bytes.open_file import OpenFile

N_SUPERBLOCK_BYTES = 64
_PLACES = (0, *(1 << power for power in range(9, 40)))
_OPEN_FOR_WRITING = 1


def find_superblock(file: OpenFile) -> tuple[int | None, bool] | None:
    """Find and read the superblock of an open file; None if no permitted offset has one."""
    found = _find_block(file)
    return read_superblock(found[1]) if found else None


def find_widths(file: OpenFile) -> tuple[int, int, int]:
    """Return where the superblock of an open file is, and the bytes of an address and of a length.

    Raises:
        ValueError: The file has none.
    """
    found = _find_block(file)
    require_intact(found is not None and len(found[1]) == N_SUPERBLOCK_BYTES)
    at, block = found or (0, b"")
    first = 13 if block[8] <= 1 else 9  # by the version
    return at, block[first], block[first + 1]


def _find_block(file: OpenFile) -> tuple[int, bytes] | None:
    for at in _PLACES:
        block = file.read(N_SUPERBLOCK_BYTES, at)
        if block.startswith(HDF5_SIGNATURE):
            return at, block
    return None


def read_superblock(block: bytes) -> tuple[int | None, bool]:
    """Return the end of the file and whether a writer has it open; (None, False) for a truncated block."""
    version = block[8] if len(block) > 8 else 255  # noqa: PLR2004  (the signature's length)
    if version in (0, 1):
        width, at = block[13:14], 24 + 4 * version
        is_open = False
    elif version in (2, 3):
        width, at = block[9:10], 12
        is_open = version == 3 and bool(block[11:12] and block[11] & _OPEN_FOR_WRITING)  # noqa: PLR2004  (the version with flags)
    else:
        return (None, False) if len(block) < N_SUPERBLOCK_BYTES else (0, False)
    size = width[0] if width else 0
    address = block[at + 2 * size : at + 3 * size]
    if len(address) < size or not size:
        return None, False
    return int.from_bytes(address, "little"), is_open
