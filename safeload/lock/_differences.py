"""Find and describe what differs between a lock and the files on the disk."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from safeload._bytes.absent import MAX_NAMES_PRINTED, failed
from safeload._bytes.archives.locating import archive_at
from safeload._bytes.kinds import sniff
from safeload._bytes.names import other_case
from safeload._text.words import some_of, two_lines
from safeload.errors import LockError
from safeload.lock import write_again

if TYPE_CHECKING:
    from collections.abc import Sequence

    from safeload._bytes.files import FileRef
    from safeload.lock import Lock, LockedFile


MAX_TEXT_BYTES = 1 << 22
"""The size up to which a file that differs is compared without its line ends."""


def not_locked(path: str, locks: Sequence[Lock]) -> LockError:
    """Return the error for a file that no lock lists."""
    message = "a file that belongs to this model is not in its lock file"
    again = _again(locks[0], archive_at(path) or locks[0].folder)
    if any(path.startswith(lock.path_of("")) for lock in locks):
        hints = [f"if the file belongs there, {again}", "if not, load the files that are locked"]
    else:
        hints = [
            f"a lock covers its own folder: if the file belongs to the locked model, copy it there, and then {again}",
            "if it belongs to another model, copy the config beside it, and load it with that copy",
        ]
    context = []
    for lock in locks:
        names = ", ".join(file.name for file in lock.files[:MAX_NAMES_PRINTED])
        context += [("lock", lock.path), ("locked", names)]
    return LockError(message, files=[os.path.basename(path)], resolved=path, label="file", context=context, hints=hints)


def absence(ref: FileRef) -> tuple[str, str] | None:
    """Return why a locked or signed file cannot be opened: a kind and a description; None if it is there.

    Raises:
        UnreadableFileError, FileSystemError: The system, or a server, cannot look at it.
    """
    try:
        is_file = stat.S_ISREG(ref.source.mode(ref.path))
    except FileNotFoundError:
        other = other_case(ref.path, ref.source)
        beside = f", which has {other}: case counts there" if other else ""
        return "MISSING", f"in {os.path.dirname(ref.path)}{beside}"
    except OSError as exc:
        raise failed(ref, exc) from exc
    return None if is_file else ("NOT A FILE", f"in {os.path.dirname(ref.path)}")


def resized(ref: FileRef, file: LockedFile, n_bytes: int) -> str:
    """Describe a file that has another size than the lock says."""
    kind = sniff(ref)
    looks = f"; it is now: {kind.name}" if kind and kind.hint else ""
    if _has_other_line_ends(ref, file, n_bytes):
        looks = "; only its line ends are others, as git changes them: see core.autocrlf"
    return f"locked with {file.n_bytes:,} bytes, found {n_bytes:,}{looks}"


def _has_other_line_ends(ref: FileRef, file: LockedFile, n_bytes: int) -> bool:
    """Return whether a small file would be the locked one with the line ends of another system."""
    if n_bytes > MAX_TEXT_BYTES:
        return False
    try:
        with ref.source.look_at(ref.path) as opened:
            plain = opened.read(n_bytes).replace(b"\r\n", b"\n")
    except OSError:
        return False
    import hashlib  # noqa: PLC0415  (only a difference needs it)

    others = (plain, plain.replace(b"\n", b"\r\n"))
    return file.sha256 in {hashlib.sha256(other).hexdigest() for other in others}


def rehashed(file: LockedFile, sha256: str) -> str:
    """Describe a file that has another SHA-256 than the lock says."""
    return f"locked with SHA-256 {file.sha256[:16]}..., found {sha256[:16]}..."


def lock_error(lock: Lock, rows: dict[str, tuple[str, str]]) -> LockError:
    """Return the error for files that differ from the lock: name -> a kind and a description."""
    message = f"{some_of(len(rows), len(lock.files), 'locked file')} different from the lock"
    details = [two_lines(kind, name, what) for name, (kind, what) in rows.items()]
    hints = [
        "restore the model from where it was locked",
        f"if the change is intended, {_again(lock, _model_of(lock, list(rows)))}",
    ]
    return LockError(
        message,
        files=list(rows),
        resolved=lock.path,
        label="lock",
        details=details,
        hints=hints,
    )


def _model_of(lock: Lock, names: Sequence[str]) -> str:
    """Return the path of the model with these locked files: an archive, or the lock's folder."""
    archives = [file.name for file in lock.files if file.role == "archive" and file.name in names]
    return lock.path_of(archives[0]) if archives else lock.folder


def _again(lock: Lock, path: str) -> str:
    return write_again(path, lock.model, lock.path if lock.root else "", lock.folder)
