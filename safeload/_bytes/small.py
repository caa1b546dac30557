"""Read small files completely, after checking that they are regular files of an acceptable size."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from safeload._bytes import absent
from safeload._bytes.kinds import sniff
from safeload.errors import CorruptFileError, UnreadableFileError, UnsafeFileError, WrongFileKindError

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef


def require_file(ref: FileRef) -> os.stat_result:
    """Require a regular, readable file, and return its status.

    Raises:
        MissingFileError: The path does not exist.
        WrongFileKindError: It is a directory.
        UnsafeFileError: It is a FIFO, a socket or a device.
        UnreadableFileError: This process may not read it.
    """
    try:
        status = os.stat(ref.path)
    except PermissionError as exc:
        raise absent.unreadable(ref) from exc
    except OSError as exc:
        raise absent.missing(ref) from exc
    if stat.S_ISDIR(status.st_mode):
        message = f"the {ref.role} path is a directory, not a file"
        inside = ("inside", absent.names_text(absent.names_in(ref.path)))
        wanted = f"{ref.role} file"
        raise WrongFileKindError(message, wanted=wanted, found="directory", **ref.facts, context=[inside])
    if not stat.S_ISREG(status.st_mode):
        message = f"the {ref.role} path is not a regular file; FIFOs, sockets and devices are never read"
        raise UnsafeFileError(message, **ref.facts)
    if not os.access(ref.path, os.R_OK):
        raise absent.unreadable(ref)
    return status


def read_small(ref: FileRef, *, max_bytes: int) -> bytes:
    """Read a file of at most `max_bytes`.

    Raises:
        UnsafeFileError: The file is larger.
        CorruptFileError: It changed while it was being read.
        MissingFileError, WrongFileKindError, UnreadableFileError: As `require_file`.
    """
    status = require_file(ref)
    if status.st_size > max_bytes:
        kind = sniff(ref.path)
        message = f"the {ref.role} file has {status.st_size:,} bytes; no {ref.role} file needs more than {max_bytes:,}"
        raise UnsafeFileError(message, **ref.facts, hints=[f"this looks like: {kind.name}"] if kind else [])
    try:
        with ref.source.open(ref.path) as file:
            data = file.read(max_bytes + 1)
    except OSError as exc:
        message = f"the system cannot read the {ref.role} file: {exc.strerror}"
        raise UnreadableFileError(message, **ref.facts) from exc
    if len(data) != status.st_size:
        message = f"the {ref.role} file changed while it was being read"
        raise CorruptFileError(message, **ref.facts)
    return data
