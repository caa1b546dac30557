"""Write HDF5 files with h5py, so that a failure of the system is the error that the system gave.

HDF5 reports a full disk by a text, and fails again when the file is closed.
"""

from __future__ import annotations

from contextlib import contextmanager
from io import FileIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def new_hdf5(path: str) -> Iterator[Any]:
    """Yield an `h5py.File` to write to; an older file at the path is overwritten.

    Raises:
        OSError: The system cannot write: the disk is full, ...
    """
    import h5py  # noqa: PLC0415  (not for `import safeload`)

    with FileIO(path, "w+b") as file:
        target = _Target(file)
        try:
            with h5py.File(target, "w") as written:
                yield written
        except OSError as exc:
            raise target.failure or exc from exc
        if target.failure is not None:
            raise target.failure


class _Target:
    """A file that h5py writes to; it keeps the first failure, and takes what comes after without writing it.

    Attributes:
        failure: The error of the system.
    """

    def __init__(self, file: FileIO) -> None:
        self.failure: OSError | None = None
        self._file = file
        self.read, self.readinto, self.seek, self.tell = file.read, file.readinto, file.seek, file.tell

    def write(self, data: memoryview) -> int:
        """Write all of the data."""
        left = memoryview(data)
        try:
            while left and self.failure is None:
                left = left[self._file.write(left) :]
        except OSError as exc:
            self.failure = exc
            raise
        return len(data)

    def truncate(self, size: int) -> int:
        """Change the size."""
        return size if self.failure is not None else self._file.truncate(size)

    def flush(self) -> None:
        """Leave it to the system: the file has no buffer."""
