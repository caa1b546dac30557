"""Describe missing and unreadable files: the nearest existing folder, its contents and similar names.

`failed` selects the error for what the system reports.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from safeload._bytes import mistyped, paths, windows
from safeload._bytes.addresses import is_address
from safeload._bytes.names import is_shown
from safeload._bytes.open_file import ChangedDataError, DamagedDataError, NotRegularError, RemoteError, ReplacedError
from safeload.errors import (
    CorruptFileError,
    FileSystemError,
    MissingFileError,
    UnreadableFileError,
    UnsafeFileError,
    WrongFileKindError,
)

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload.errors import SafeLoadError

MAX_NAMES_PRINTED = 8
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_FORBIDDEN = (errno.EACCES, errno.EPERM)
_NO_SPACE = "free some space on the disk, or in the user's quota"
_UNLISTED = "the server lists no folders; pass the addresses of the config and of the weights themselves"
_TRIED = "none of the usual names is in a folder of this address: {}"
_HINTS = {
    errno.EMFILE: "allow this process more open files: ulimit -n",
    errno.ENFILE: "too many files are open on this machine; close some programs",
    errno.ENOMEM: "free some memory, or allow this process more: ulimit -v",
    errno.ELOOP: "a symbolic link leads back to itself; remove it, and link to the file itself",
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EFBIG: "allow this process larger files: ulimit -f",
    errno.EROFS: "the file system is mounted read-only; write to another folder",
    errno.ESTALE: "the network file system lost the file; mount it again, then try again",
    errno.EIO: "the disk or the network failed; look into the system's log, and try a copy on another disk",
}


def failed(ref: FileRef, exc: OSError, verb: str = "read") -> SafeLoadError:
    """Return the error for a file or folder that the system could not open, read or write.

    `MissingFileError`, `UnreadableFileError`, `WrongFileKindError` for a directory, `UnsafeFileError` if it is no longer a
    regular file, `CorruptFileError` if its source says that it is damaged or replaced, else `FileSystemError`.
    """
    if isinstance(exc, NotRegularError):
        message = f"the {ref.role} path is no longer a regular file; FIFOs, sockets and devices are never read"
        return UnsafeFileError(message, **ref.facts)
    if isinstance(exc, (ChangedDataError, DamagedDataError, ReplacedError, RemoteError)):
        return _of_source(ref, exc)
    is_write = verb == "write"
    if exc.errno in _MISSING and not is_write:
        return missing(ref)
    is_forbidden = exc.errno in _FORBIDDEN and not windows.is_of_device(exc)
    if is_forbidden and not is_write:
        return _refused(ref, exc) if is_address(ref.path) else unreadable(ref)
    what = _what(ref)
    message = f"the system cannot {verb} the {what}: {windows.in_use(exc) or exc.strerror or exc}"
    if exc.errno in _MISSING:
        return MissingFileError(message, **missing_facts(ref, (os.path.basename(ref.path),)))
    if exc.errno == errno.EISDIR:
        return WrongFileKindError(message, wanted=f"a {what}", found="directory", **ref.facts)
    if is_forbidden:
        return UnreadableFileError(message, **ref.facts)
    return FileSystemError(message, errno=exc.errno, **ref.facts, hints=hints_of(exc))


def _of_source(
    ref: FileRef, exc: ChangedDataError | DamagedDataError | ReplacedError | RemoteError
) -> CorruptFileError | FileSystemError:
    """Return the error for what an archive, a server, or bytes that were hashed before, show of a file."""
    hints = ["load again when nothing writes to the folder"]
    if isinstance(exc, RemoteError):
        message = f"the {_what(ref)} cannot be read: {exc.strerror}"
        return FileSystemError(message, errno=exc.errno, **ref.facts, hints=[exc.hint] if exc.hint else [])
    if isinstance(exc, ReplacedError):
        message = f"the {ref.role} file changed while it was being read: {exc.strerror}"
    elif isinstance(exc, ChangedDataError):
        message = f"the {ref.role} file was written to while it was being read: it is no longer what was hashed"
    else:
        message = f"the {ref.role} file in the archive is damaged: {exc.strerror}"
        hints = ["copy or download the archive again, in binary mode"]
    return CorruptFileError(message, **ref.facts, hints=hints)


def hints_of(exc: OSError) -> list[str]:
    """Return what to do about a failure of the system."""
    hint = windows.hint_of(exc) or _HINTS.get(exc.errno or 0)
    return [hint] if hint else []


def unreadable(ref: FileRef) -> UnreadableFileError:
    """Return the error for a file that this process may not read."""
    message = f"no permission to read the {ref.role}"
    hints = ["ask for read permission on the file, and for execute permission on each folder above it"]
    return UnreadableFileError(message, **ref.facts, hints=hints)


def _refused(ref: FileRef, exc: OSError) -> UnreadableFileError:
    """Return the error for an object that a server does not give to this process."""
    hints = ["give this process credentials that may list and read it, in its environment or the store's own settings"]
    return UnreadableFileError(f"the {_what(ref)} cannot be read: {exc.strerror}", **ref.facts, hints=hints)


def _what(ref: FileRef) -> str:
    return ref.role if ref.role in ("folder", "address") else f"{ref.role} file"


def missing(ref: FileRef, looked_for: tuple[str, ...] = ()) -> MissingFileError:
    """Return the error for a path that does not exist.

    Raises:
        UnreadableFileError, FileSystemError: As `missing_facts`.
    """
    message = (
        f"the {ref.role} file is a broken symbolic link"
        if ref.source.is_link(ref.path)
        else f"there is no {ref.role} file at this path"
    )
    return MissingFileError(message, **missing_facts(ref, looked_for or (os.path.basename(ref.path),)))


def missing_facts(ref: FileRef, looked_for: tuple[str, ...]) -> dict[str, Any]:
    """Return error arguments for a missing path: the nearest existing folder, its contents and similar names.

    Raises:
        UnreadableFileError, FileSystemError: The system cannot tell whether the path exists.
    """
    path = ref.path
    try:
        ref.source.mode(path)
    except OSError as exc:
        if exc.errno not in _MISSING:
            raise failed(ref, exc) from exc
    parent = nearest_folder(ref)
    beside = names_in(ref.at(parent))
    near = mistyped.near_paths(path, parent, beside)
    is_relative = not os.path.isabs(str(ref.given)) and not is_address(path)
    context = [("cwd", paths.working_directory() or "removed")] if is_relative else []
    if parent not in ("", os.path.dirname(path)):
        context.append(("exists", parent))
    context += [("inside", names_text(beside))] if parent else []
    hints = mistyped.invisible_hints(path) + [f"did you mean {other}?" for other in near]
    hints = hints or (_unlisted_hints(path) if not parent else foreign_hints(ref.given))
    if ref.source.is_link(path):
        context.append(("link to", os.path.realpath(path)))
    return {
        **ref.facts,
        "context": context,
        "hints": hints,
        "looked_for": looked_for,
        "beside": tuple(beside),
        "close_names": tuple(map(os.path.basename, near)) if parent == os.path.dirname(path) else (),
    }


def _unlisted_hints(path: str) -> list[str]:
    scheme, _, rest = path.partition("://")
    if scheme not in ("http", "https", "hf"):
        return [f"{scheme}://{rest.partition('/')[0]} does not exist or is empty; check its name"]
    from safeload._bytes.hub import FILE_NAME  # noqa: PLC0415  (only a missing file needs them)
    from safeload._bytes.usual_names import TRIED  # noqa: PLC0415

    return [_UNLISTED, *([] if FILE_NAME.search(path) else [_TRIED.format(", ".join(TRIED))])]


def foreign_hints(given: object) -> list[str]:
    """Return hints for a missing path that is one of Windows, or a name on a model hub."""
    from safeload._bytes.hub import hub_hints  # noqa: PLC0415  (only a missing file needs it)

    return mistyped.windows_hints(given) or hub_hints(given)


def nearest_folder(ref: FileRef) -> str:
    """Return the nearest folder above a path that exists."""
    parent = os.path.dirname(ref.path)
    while not ref.source.is_dir(parent) and parent != os.path.dirname(parent):
        parent = os.path.dirname(parent)
    return parent


def list_names(ref: FileRef) -> list[str]:
    """List the names in a folder, sorted, without hidden files and those of systems.

    Raises:
        MissingFileError, UnreadableFileError, FileSystemError: The system cannot list the folder.
    """
    try:
        return sorted(name for name in ref.source.names_in(ref.path) if is_shown(name))
    except OSError as exc:
        raise failed(ref.at(ref.path, "folder"), exc) from exc


def names_in(ref: FileRef) -> list[str]:
    """List the names in a folder as `list_names` does, for a hint; empty if the folder cannot be read."""
    try:
        return sorted(name for name in ref.source.names_in(ref.path) if is_shown(name))
    except OSError:
        return []


def names_text(names: list[str]) -> str:
    """Format the first few names for a message."""
    left = len(names) - MAX_NAMES_PRINTED
    more = f", ... and {left} more" if left > 0 else ""
    return ", ".join(names[:MAX_NAMES_PRINTED]) + more if names else "nothing"
