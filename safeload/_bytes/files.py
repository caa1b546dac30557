"""Refer to files, and find and open them where they are."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._bytes import system
from safeload._bytes.addresses import is_address, joined
from safeload._bytes.open_file import NotRegularError, OpenFile
from safeload.report import FileRead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from safeload._bytes.open_file import Access


class Source:
    """The place of a model's files: the disk; there are subclasses for archives, and for verified copies.

    Attributes:
        proof: What its own checksums prove of the files that are read; "" if it has none.
    """

    proof = ""

    def learn(self, address: str, given: object) -> None:
        """Ask for what is on the same host as it is asked for at this address, which a caller passed; the disk has no hosts."""

    def is_dir(self, path: str) -> bool:
        """Return whether a folder is at the path."""
        return os.path.isdir(path)

    def is_file(self, path: str) -> bool:
        """Return whether a regular file is at the path."""
        return os.path.isfile(path)

    def exists(self, path: str) -> bool:
        """Return whether anything is at the path, or at the end of its symbolic links."""
        return os.path.exists(path)

    def is_there(self, path: str) -> bool:
        """Return whether anything is at the path, even a broken symbolic link."""
        return os.path.lexists(path)

    def is_link(self, path: str) -> bool:
        """Return whether a symbolic link is at the path."""
        return os.path.islink(path)

    def mode(self, path: str) -> int:
        """Return the mode of what is at the path, as `os.stat` gives it.

        Raises:
            OSError: Nothing is there, or the system cannot look at it.
        """
        return os.stat(path).st_mode

    def may_read(self, path: str) -> bool:
        """Return whether this process may read the file."""
        return os.access(path, os.R_OK)

    def names_in(self, path: str) -> list[str]:
        """Return the names in a folder, in no order.

        Raises:
            OSError: The system cannot list the folder.
        """
        return os.listdir(path)

    def open(self, path: str) -> OpenFile:
        """Open a regular file for reading.

        Raises:
            NotRegularError: The path is now a FIFO or device.
            OSError: The system cannot open it.
        """
        return _open_regular(path)

    def expect(self, paths: Sequence[str]) -> None:
        """Expect these files to be opened; a source that hashes whole files begins with all of them."""

    def look_at(self, path: str) -> OpenFile:
        """Open a regular file as it is now, even if a verified copy of it is read.

        Raises:
            OSError: As `open`.
        """
        return _open_regular(path)

    def prove(self, path: str) -> None:
        """Compare what was read of an open file with the checksum of the whole file, where the source has one.

        Raises:
            DamagedDataError: They differ.
            OSError: The system cannot read.
        """

    def access(self, path: str) -> Access:  # noqa: ARG002  (an archive looks)
        """Return how an open file is read fastest."""
        return "random"

    def files_of_proof(self) -> list[FileRead]:
        """Return the report entries for the locks and the signature that apply: none on disk.

        Raises:
            OSError: They are not there any more.
        """
        return []

    def proof_of_blobs(self) -> str:
        """Return what the names of blobs in a cache of huggingface_hub prove of the files that were opened; "" if nothing."""
        return ""

    def below(self) -> Source:
        """Return what opens the files that the source itself is made of: itself, but for an archive's."""
        return self

    def on_disk(self, path: str) -> str:
        """Return the path of the file on disk that has the contents of a file."""
        return path

    def containers(self) -> list[FileRead]:
        """Return the report entries for the files that hold the others: none on disk.

        Raises:
            OSError: They are not there any more.
        """
        return []

    def holds(self, path: str) -> bool:  # noqa: ARG002  (a source of copies looks)
        """Return whether a verified copy of the file is read, whatever is at the path now."""
        return False

    def file_read(self, role: str, path: str) -> FileRead:
        """Return the report entry for a file.

        Raises:
            OSError: The file is not there any more.
        """
        real = os.path.realpath(path)
        n_bytes = os.stat(path).st_size
        return FileRead(role=role, path=path, n_bytes=n_bytes, real_path=real if real != path else None)


def _open_regular(path: str) -> OpenFile:
    file = open(path, "rb", buffering=0, opener=system.open_without_waiting)  # noqa: SIM115  (OpenFile closes it)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotRegularError(errno.EINVAL, "no longer a regular file", path)
    return OpenFile(file, path)


DISK = Source()


def real_path(path: str) -> str:
    """Return a path without symbolic links; an address has none."""
    return path if is_address(path) else os.path.realpath(path)


class FileRef(NamedTuple):
    """A reference to a file, before it is opened.

    Attributes:
        path: The resolved path.
        role: The file's role in the model: "config", "vocab", "index", "shard", "weight", ...
        given: The argument as the caller passed it.
        source: What opens the file.
    """

    path: str
    role: str
    given: object = None
    source: Source = DISK

    @property
    def facts(self) -> dict[str, Any]:
        """Arguments for an error about this file."""
        return {"resolved": self.path, "given": self.given, "label": self.role}

    def at(self, path: str, role: str | None = None) -> FileRef:
        """Return a reference to another file that belongs to the same argument."""
        return self._replace(path=path, role=role or self.role)

    def inside(self, name: str, role: str | None = None) -> FileRef:
        """Return a reference to a file in this folder."""
        return self.at(joined(self.path, name), role)

    def folder(self) -> FileRef:
        """Return a reference to the folder of this file."""
        return self.at(os.path.dirname(self.path))

    def is_on_disk(self) -> bool:
        """Return whether other libraries can open the path too: not if it leads into an archive, or is an address."""
        return not is_address(self.path) and self.source.on_disk(self.path) == self.path

    def is_dir(self) -> bool:
        """Return whether it is a folder."""
        return self.source.is_dir(self.path)

    def is_file(self) -> bool:
        """Return whether it is a regular file."""
        return self.source.is_file(self.path)
