"""Read an open safetensors file, or the shards that an index lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._forms.ranges import Extent, RangeFile
from safeload._forms.safetensors.header import read_header
from safeload._text.words import counted

if TYPE_CHECKING:
    from collections.abc import Collection

    from safeload._bytes.files import FileRef


class Safetensors(RangeFile):
    """A safetensors file, or several that an index lists.

    Attributes:
        metadata: What the writer of the first file says about it, such as {"format": "pt"}.
    """

    without = "none: safetensors stores no checksums; a lock file records a SHA-256 of each file"

    def __init__(self, ref: FileRef) -> None:
        """Open the files and list their tensors.

        Raises:
            WrongFileKindError: Not a safetensors file, nor an index of such files.
            CorruptFileError: Truncated or damaged, or the index and the shards contradict each other.
            UnsafeFileError: The index names a file outside its folder, or a header exceeds a limit.
            MissingFileError, UnreadableFileError, FileSystemError: As `open_file`.
        """
        self.metadata: dict[str, str] = {}
        super().__init__(ref)
        self.summary = f"safetensors in {counted(len(self.refs), 'file')}"

    def _list(self, number: int) -> Collection[str]:
        header = read_header(self.opened[number], self.refs[number])
        self.metadata = self.metadata or header.metadata
        for name, entry in header.entries.items():
            n_bytes = entry.end - entry.start
            self._add(name, Extent(number, entry.start, n_bytes), entry.shape, entry.dtype, n_bytes)
        return header.entries
