"""Open files, and read small ones completely, after checking that they are regular files of an acceptable size."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from safeload._bytes import absent
from safeload._bytes.kinds import sniff
from safeload.errors import CorruptFileError, UnsafeFileError, WrongFileKindError

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile


def require_file(ref: FileRef) -> None:
    """Require a regular, readable file, or a copy of one.

    Raises:
        MissingFileError: The path does not exist.
        WrongFileKindError: It is a directory.
        UnsafeFileError: It is a FIFO, a socket or a device.
        UnreadableFileError: This process may not read it.
        FileSystemError: The system cannot look at it.
    """
    if ref.source.holds(ref.path):
        return
    try:
        mode = ref.source.mode(ref.path)
    except OSError as exc:
        raise absent.failed(ref, exc) from exc
    if stat.S_ISDIR(mode):
        message = f"the {ref.role} path is a directory, not a file"
        inside = ("inside", absent.names_text(absent.names_in(ref)))
        wanted = f"{ref.role} file"
        raise WrongFileKindError(message, wanted=wanted, found="directory", **ref.facts, context=[inside])
    if not stat.S_ISREG(mode):
        message = f"the {ref.role} path is not a regular file; FIFOs, sockets and devices are never read"
        raise UnsafeFileError(message, **ref.facts)
    if not ref.source.may_read(ref.path):
        raise absent.unreadable(ref)


def open_file(ref: FileRef) -> OpenFile:
    """Open a regular file.

    Raises:
        MissingFileError, WrongFileKindError, UnsafeFileError, UnreadableFileError, FileSystemError: As `require_file`.
        LockError: The file is not in the lock that applies.
    """
    require_file(ref)
    try:
        return ref.source.open(ref.path)
    except OSError as exc:
        raise absent.failed(ref, exc, "open") from exc


def require_opens(ref: FileRef) -> None:
    """Require that a file can be opened, where nothing was recognised in it.

    Raises:
        MissingFileError, WrongFileKindError, UnsafeFileError, UnreadableFileError, FileSystemError: As `open_file`.
    """
    open_file(ref).close()


def read_small(ref: FileRef, *, max_bytes: int) -> bytes:
    """Read a file of at most `max_bytes`.

    Raises:
        UnsafeFileError: The file is larger.
        CorruptFileError: It changed while it was being read.
        MissingFileError, WrongFileKindError, UnreadableFileError, FileSystemError: As `open_file`.
    """
    with open_file(ref) as file:
        if file.n_bytes > max_bytes:
            kind = sniff(ref)
            message = (
                f"the {ref.role} file has {file.n_bytes:,} bytes; no {ref.role} file needs more than {max_bytes:,}"
            )
            raise UnsafeFileError(message, **ref.facts, hints=[f"this looks like: {kind.name}"] if kind else [])
        try:
            data = file.read(max_bytes + 1)
            file.prove()
        except OSError as exc:
            raise absent.failed(ref, exc) from exc
        if len(data) != file.n_bytes or file.is_written_to():
            message = f"the {ref.role} file changed while it was being read"
            raise CorruptFileError(message, **ref.facts)
    return data
