"""Define what a pickle of torch.save describes, and the errors about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from safeload._forms.arrays import Run
from safeload._forms.weight_file import COPY_AGAIN
from safeload.errors import CorruptFileError, UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile

SAVE_STATE_DICT = "save model.state_dict() alone, with torch.save, where the file was made"


class Global(NamedTuple):
    """The name of a class, function or constant of Python; it is never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        """Return the name as Python code has it."""
        return f"{self.module}.{self.name}"


class Inert:
    """A value that holds no tensor and that no load needs, such as a device."""


INERT = Inert()


class Storage(NamedTuple):
    """A storage: values in a row, which one or more tensors use.

    Attributes:
        key: Its name in the file.
        dtype: NumPy's name of its element type, or "bfloat16", or torch's name of one that cannot be read.
        item_bytes: The size of an element, in bytes.
        n_values: The number of elements.
    """

    key: str
    dtype: str
    item_bytes: int
    n_values: int


class View(NamedTuple):
    """A part of a storage, which torch before 0.4 could save as a storage of its own.

    Attributes:
        key: Its own name in the file.
        storage: The whole storage.
        start: The place of its first element there.
        n_values: The number of its elements.
    """

    key: str
    storage: Storage
    start: int
    n_values: int


class Tensor(NamedTuple):
    """A tensor: a view of a storage.

    Attributes:
        storage: Where its values are; None if it has none, or none in rows.
        offset: The first value's place in the storage, in elements.
        shape: The size of each dimension.
        strides: The distance between neighbours along each axis, in elements.
        dtype: Its element type.
        item_bytes: The size of an element, in bytes; `storage` may count bytes.
    """

    storage: Storage | None
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    item_bytes: int


class Place(NamedTuple):
    """The bytes of a storage.

    Attributes:
        offset: The offset of the first in the file.
        n_bytes: Their number.
        crc: Their CRC-32; None if the file has none.
        unpacked: A file of them alone, where they are compressed; else None.
    """

    offset: int
    n_bytes: int
    crc: int | None = None
    unpacked: OpenFile | None = None

    def run(self, file: OpenFile) -> Run:
        """Return how they are read and verified."""
        at = (file, self.offset) if self.unpacked is None else (self.unpacked, 0)
        return Run(*at, self.n_bytes, crc=self.crc, checksum="crc32")


class Content(NamedTuple):
    """The content of a file.

    Attributes:
        tensors: Name -> tensor.
        places: Key of a storage -> its bytes.
    """

    tensors: Mapping[str, Tensor]
    places: Mapping[str, Place]


def damaged(ref: FileRef, what: str, *names: str, offset: int | None = None) -> CorruptFileError:
    """Return the error for a file that contradicts itself."""
    message = f"the {ref.role} file is damaged: {what}"
    return CorruptFileError(message, **ref.facts, variables=names, offset=offset, hints=[COPY_AGAIN])


def truncated(ref: FileRef, what: str) -> CorruptFileError:
    """Return the error for a file that lacks its end."""
    message = f"the {ref.role} file is truncated: {what}"
    hints = [f"{COPY_AGAIN}; the copy was cut off or the disk was full"]
    return CorruptFileError(message, **ref.facts, hints=hints)


def unsafe(ref: FileRef, what: str, hint: str = "take the file from where the model was published") -> UnsafeFileError:
    """Return the error for a file that asks for more than weights."""
    return UnsafeFileError(f"the {ref.role} file {what}", **ref.facts, hints=[hint])
