"""Read a member of an archive at any offset."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from safeload._bytes.archives.checksums import PartsCrc
from safeload._bytes.open_file import DamagedDataError, OpenFile

if TYPE_CHECKING:
    from safeload._bytes.archives.inflating import Inflated
    from safeload._bytes.archives.members import Member
    from safeload._bytes.open_file import Access


class MemberFile(OpenFile):
    """An open member, which owns an open file of its archive."""

    def __init__(self, archive: OpenFile, path: str, member: Member) -> None:
        """Take ownership of the open archive."""
        self.path, self.n_bytes, self.failure = path, member.n_bytes, None
        self._archive = archive
        self._member = member

    def read_into(self, block: memoryview, offset: int) -> int:
        """Fill the block as `OpenFile` does, to the end of the member.

        Raises:
            DamagedDataError: What is compressed is damaged.
            OSError: The system cannot read.
        """
        block = block[: max(0, self.n_bytes - offset)]
        if not block:
            return 0
        try:
            return self._fill(block, offset)
        except OSError as exc:
            self.failure = exc
            raise

    def is_written_to(self) -> bool:
        """Return whether the archive was written to since it was opened."""
        return self._archive.is_written_to()

    def is_replaced(self) -> bool:
        """Return whether the archive's path now refers to another file, or the archive was written to."""
        return self._archive.is_replaced()

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()

    @abstractmethod
    def _fill(self, block: memoryview, offset: int) -> int:
        """Fill a block that lies within the member."""


class StoredFile(MemberFile):
    """An open member that is not compressed."""

    def __init__(self, archive: OpenFile, path: str, member: Member) -> None:
        """Take ownership of the open archive."""
        super().__init__(archive, path, member)
        self._parts = PartsCrc()
        self._is_proven = member.crc is None

    def prove(self) -> None:
        """Compare the CRC-32 of what was read, and of the rest, with the archive's.

        Raises:
            DamagedDataError: They differ.
            OSError: The system cannot read.
        """
        if self._is_proven:
            return
        crc = self._parts.whole(self.n_bytes, self._fill_unseen)
        if crc != self._member.crc or self._parts.is_contradictory:
            raise DamagedDataError(f"its CRC-32 is {crc:08x}, not {self._member.crc:08x}")
        self._is_proven = True

    def _fill(self, block: memoryview, offset: int) -> int:
        n_read = self._fill_unseen(block, offset)
        if not self._is_proven:
            self._parts.add(offset, block[:n_read])
        return n_read

    def _fill_unseen(self, block: memoryview, offset: int) -> int:
        return self._archive.read_into(block, self._member.start + offset)


class InflatedFile(MemberFile):
    """An open member that is compressed, by itself or with the archive."""

    def __init__(self, archive: OpenFile, path: str, member: Member, inflated: Inflated) -> None:
        """Take ownership of the open archive; several members may be of the same inflated data."""
        super().__init__(archive, path, member)
        self._inflated = inflated
        self._start = 0 if member.n_stored is not None else member.start

    @property
    def access(self) -> Access:
        """How it is read fastest: in order, and in one thread as long as it was not inflated yet."""
        return "in order" if self._inflated.is_complete else "once"

    def prove(self) -> None:
        """Inflate what was not read yet, and compare size and CRC-32 with the archive's.

        Raises:
            DamagedDataError: They differ.
            OSError: The system cannot read.
        """
        self._inflated.advance(self._archive)

    def keep(self) -> None:
        """Keep what is inflated from now on; not of an archive that is compressed as a whole, which has other files."""
        self._inflated.keep()

    def forget(self, offset: int, n_bytes: int) -> None:
        """Give back the memory of what was kept of these bytes."""
        self._inflated.forget(self._start + offset, n_bytes)

    def _fill(self, block: memoryview, offset: int) -> int:
        return self._inflated.read_into(self._archive, block, self._start + offset)
