"""Find the locks of a model, and read them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from safeload._bytes import absent
from safeload._bytes.absent import failed
from safeload._bytes.addresses import is_address
from safeload._bytes.archives.locating import given_ref
from safeload._bytes.files import DISK
from safeload._bytes.kinds import NOT_THE_FILE, sniff
from safeload._bytes.names import as_spelled, key_of, key_of_folder
from safeload.errors import LockError
from safeload.lock import LOCK_NAME, Lock, LockedFile, read_lock_at, write_again

if TYPE_CHECKING:
    from collections.abc import Sequence

    from safeload._bytes.files import FileRef, Source

UNLOCKED: Any = object()
"""Passed as `lock_file`, ignores an existing lock. Only for the command that writes locks."""


def find_locks(lock_file: object, *, folders: Sequence[FileRef], base_dir: object) -> list[FileRef]:
    """Return the lock files that apply.

    Args:
        lock_file: The caller's argument: a lock file or its folder; None for those in `folders`, if present.
        folders: The folders of the config and of the weights.
        base_dir: The base of a relative `lock_file`.

    Raises:
        InvalidPathError: `lock_file` is not a path.
        UnreadableFileError, FileSystemError: The system, or a server, cannot tell whether a folder has a lock.
    """
    if lock_file is UNLOCKED:
        return []
    if lock_file is None:
        found = {key_of_folder(folder.path): folder.inside(LOCK_NAME, "lock") for folder in reversed(folders)}
        return [ref._replace(given=None) for ref in reversed(found.values()) if _is_there(ref)]
    ref = given_ref(lock_file, "lock_file", "lock", base_dir=base_dir, source=base_of(folders))
    return [ref.inside(LOCK_NAME) if ref.is_dir() else ref]


def base_of(refs: Sequence[FileRef]) -> Source:
    """Return what opens all of the references: the disk, unless one is an address."""
    return next((ref.source for ref in refs if ref.source is not DISK), DISK)


def _is_there(ref: FileRef) -> bool:
    try:
        if is_address(ref.path):
            return _is_at_address(ref)
        os.lstat(ref.path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as exc:
        raise failed(ref, exc) from exc
    return True


def _is_at_address(ref: FileRef) -> bool:
    """Return whether a lock is at an address.

    In a folder that is not listed, a refusal does not count, which a store answers too for what is not there, and neither does a
    page, which some servers send in the place of what they lack.

    Raises:
        OSError: The server refuses a lock that is listed, or the server or the network failed.
    """
    is_listed = os.path.basename(ref.path) in absent.names_in(ref.folder())
    try:
        ref.source.mode(ref.path)
    except PermissionError:
        if is_listed:
            raise
        return False
    kind = sniff(ref)
    return is_listed or (ref.is_file() and (kind is None or kind.id not in NOT_THE_FILE))


def read_locks(refs: Sequence[FileRef], *, folder: str, model: str | None = None) -> list[Lock]:
    """Read the locks, and with `model`, require that they are of such a model.

    The names in a lock that was passed start from the folder of the model, if one of the two is at an address and the lock is not
    above the model.

    Args:
        refs: The lock files.
        folder: The folder of the model.
        model: "BERT", "ELMo" or None.

    Raises:
        LockError: A lock file is malformed, or of another model.
        MissingFileError, WrongFileKindError, UnsafeFileError, UnreadableFileError: As `read_lock`.
    """
    locks = []
    for ref in refs:
        lock = read_lock_at(ref)
        if model not in (None, lock.model):
            message = f"the lock is for {lock.model}, but this model is {model}"
            hints = ["pass the lock of this model"]
            raise LockError(message, resolved=lock.path, given=ref.given, label="lock", hints=hints)
        is_away = is_address(lock.path) or is_address(folder)
        is_away = is_away and not f"{folder}/".startswith(f"{lock.folder.rstrip('/')}/")
        lock = lock._replace(root=folder) if is_away and ref.given is not None else lock
        locks.append(_as_stored(lock, ref))
    return locks


def _as_stored(lock: Lock, ref: FileRef) -> Lock:
    """Return a lock with its names spelled as the folders have them.

    Raises:
        LockError: It has two names that lead to one file here.
        AmbiguousCheckpointError: As `as_spelled`.
    """
    if is_address(lock.folder):
        return lock
    found: dict[tuple[str, str], LockedFile] = {}
    for file in lock.files:
        path = as_spelled(lock.path_of(file.name), ref.source, given=ref.given, label="lock")
        name = os.path.relpath(path, lock.folder).replace(os.sep, "/")
        key = key_of(path)
        other = found.setdefault(key, file)
        if other is not file:
            message = "the lock file cannot be used: it has two names that are those of one file on this system"
            context = [("names", f"{other.name}, {file.name}")]
            hints = [write_again(lock.folder, lock.model)]
            raise LockError(message, resolved=lock.path, given=ref.given, label="lock", context=context, hints=hints)
        found[key] = file._replace(name=name)
    return lock._replace(files=tuple(found.values()))
