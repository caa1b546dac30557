"""Read an open safetensors file, or the shards that an index lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._bytes.small import open_file
from safeload._forms.ranges import Extent, RangeFile, listed
from safeload._forms.safetensors.header import read_header
from safeload._forms.shards import index_of
from safeload._text.words import counted

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._forms.weight_file import StoredTensor


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
        self.ref = ref
        index = index_of(ref)
        self.refs = index.refs if index else [ref]
        self.others = [("index", index.ref.path)] if index else []
        self.summary = f"safetensors in {counted(len(self.refs), 'file')}"
        self.opened = []
        self.metadata: dict[str, str] = {}
        extents: dict[str, Extent] = {}
        tensors: dict[str, StoredTensor] = {}
        try:
            for number, shard in enumerate(self.refs):
                self.opened.append(open_file(shard))
                header = read_header(self.opened[number], shard)
                self.metadata = self.metadata or header.metadata
                if index:
                    index.require_listed(number, header.entries)
                for name, entry in header.entries.items():
                    n_bytes = entry.end - entry.start
                    extents[name] = Extent(number, entry.start, n_bytes)
                    tensors[name] = listed(name, entry.shape, entry.dtype, n_bytes)
            if index:
                index.require_all(tensors)
        except BaseException:
            self.close()
            raise
        self.extents, self.tensors = extents, tensors
