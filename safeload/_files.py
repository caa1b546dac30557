"""What a file really is, from its first bytes; how big a file may be; what lies where a file was expected."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload import _paths
from safeload.errors import (
    CorruptFileError,
    MissingFileError,
    SafeLoadError,
    UnreadableFileError,
    UnsafeFileError,
    WrongFileKindError,
)
from safeload.report import FileRead

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO

N_HEAD_BYTES = 1024
MAX_NAMES_PRINTED = 8
SSTABLE_MAGIC = bytes.fromhex("57fb808b247547db")
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
JSON_TEXT = "JSON text"
LFS_HEADER = b"version https://git-lfs.github.com/spec/v1"

UNPACK = "unpack the archive and pass the folder or file inside it"
DOWNLOAD_AGAIN = "download the file again; what was saved is not the file"


class FileKind(NamedTuple):
    """What a file was recognised as.

    Attributes:
        name: Such as "Git LFS pointer".
        hint: What to do when this is not the kind that was wanted; "" where nothing special helps.
    """

    name: str
    hint: str = ""


_PYTORCH = "this is a PyTorch or pickle file; safeload never unpickles: convert the weights where they come from"
_BY_FIRST_BYTES = (
    (HDF5_SIGNATURE, "HDF5 file", ""),
    (b"PK\x03\x04", "zip archive (PyTorch saves such files too)", UNPACK),
    (b"\x1f\x8b", "gzip archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "7z archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "zstd archive", UNPACK),
    (b"\xfd7zXZ", "xz archive", UNPACK),
    (b"BZh", "bzip2 archive", UNPACK),
    (b"\x80\x02", "pickle", _PYTORCH),
    (b"\x80\x03", "pickle", _PYTORCH),
    (b"\x80\x04", "pickle", _PYTORCH),
    (b"\x80\x05", "pickle", _PYTORCH),
    (b"\x93NUMPY", "NumPy array file", ""),
    (b"%PDF", "PDF document", DOWNLOAD_AGAIN),
    (b"\xff\xfe\x00\x00", "UTF-32 text", "save it as UTF-8"),
    (b"\x00\x00\xfe\xff", "UTF-32 text", "save it as UTF-8"),
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
)


def kind_of(head: bytes, tail: bytes = b"") -> FileKind | None:
    """Recognise a file by its first `N_HEAD_BYTES` and, for an sstable, its last 8 bytes; None where nothing is sure."""
    if not head:
        return FileKind(name="empty file", hint="copy or download the file again; the disk may have been full")
    if head.startswith(LFS_HEADER):
        fields = dict(line.split(b" ", 1) for line in head.splitlines() if b" " in line)
        size = fields.get(b"size", b"?").decode("ascii", "replace")
        oid = fields.get(b"oid", b"?").decode("ascii", "replace")
        return FileKind(
            name=f"Git LFS pointer to {oid}, {size} bytes", hint="run: git lfs install && git lfs pull, in the clone"
        )
    for first, name, hint in _BY_FIRST_BYTES:
        if head.startswith(first):
            return FileKind(name=name, hint=hint)
    if tail == SSTABLE_MAGIC:
        return FileKind(name="TensorFlow index file or V1 checkpoint")
    return _kind_of_text(head)


def _kind_of_text(head: bytes) -> FileKind | None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:256].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return FileKind(name="HTML page", hint=DOWNLOAD_AGAIN)
    if start.startswith((b"<?xml", b"<error>")):
        return FileKind(name="XML page, as a server sends for an error", hint=DOWNLOAD_AGAIN)
    if head[257:262] == b"ustar":
        return FileKind(name="tar archive", hint=UNPACK)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 27:
        return FileKind(name="safetensors file")
    if b"<unk>" in head[:64] and b"\0" in head[:64]:
        return FileKind(name="SentencePiece model")
    if start.startswith(b"{"):
        return FileKind(name=JSON_TEXT)
    if b"\0" in head:
        return FileKind(name="binary file of no kind that safeload knows")
    return None


def sniff(path: str) -> FileKind | None:
    """Recognise the regular file at `path`; None where nothing is sure, or the system cannot read it."""
    if not os.path.isfile(path):
        return None  # opening a FIFO would wait for its writer
    try:
        with DISK.open(path) as file:
            head = file.read(N_HEAD_BYTES)
            n_bytes = os.fstat(file.fileno()).st_size
            tail = os.pread(file.fileno(), 8, n_bytes - 8) if n_bytes > N_HEAD_BYTES else head[-8:]
    except OSError:
        return None
    return kind_of(head, tail)


class Source:
    """Where a model's files are opened: here as they lie on the disk, in `lock.py` as copies that were verified.

    Attributes:
        is_private: Whether no other process can change what was opened.
    """

    is_private = False

    def open(self, path: str) -> FileIO:
        """Open a regular file to be read, without a buffer.

        Raises:
            OSError: The system cannot, or the path has become a FIFO, for whose writer it would wait, or a device.
        """
        file = open(path, "rb", buffering=0, opener=_open_without_waiting)  # noqa: SIM115  (the caller closes it)
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise OSError(errno.EINVAL, "it is no regular file any more", path)
        return file

    def file_read(self, role: str, path: str) -> FileRead:
        """Return the report's row for a file that is read."""
        real = os.path.realpath(path)
        n_bytes = Path(path).stat().st_size
        return FileRead(role=role, path=path, n_bytes=n_bytes, real_path=real if real != path else None)


DISK = Source()


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def require_file(path: str, *, role: str, given: object = None) -> os.stat_result:
    """Return the status of the regular, readable file at `path`.

    Raises:
        MissingFileError: Nothing is there.
        WrongFileKindError: It is a directory.
        UnsafeFileError: It is a FIFO, a socket or a device.
        UnreadableFileError: This process may not read it.
    """
    try:
        status = Path(path).stat()
    except PermissionError as exc:
        raise unreadable(path, role=role, given=given) from exc
    except OSError as exc:
        raise missing(path, role=role, given=given) from exc
    if stat.S_ISDIR(status.st_mode):
        message = f"the {role} path is a directory, not a file"
        inside = ("inside", _names_text(_names_in(path)))
        raise WrongFileKindError(
            message, wanted=f"{role} file", found="directory", resolved=path, given=given, label=role, context=[inside]
        )
    if not stat.S_ISREG(status.st_mode):
        message = f"the {role} path is no regular file; a FIFO, socket or device is never read"
        raise UnsafeFileError(message, resolved=path, given=given, label=role)
    if not os.access(path, os.R_OK):
        raise unreadable(path, role=role, given=given)
    return status


def read_small(path: str, *, role: str, max_bytes: int, given: object = None, source: Source = DISK) -> bytes:
    """Return the whole file, which a model needs to be no larger than `max_bytes`.

    Raises:
        UnsafeFileError: The file is larger.
        MissingFileError, WrongFileKindError, UnreadableFileError: As `require_file`.
    """
    status = require_file(path, role=role, given=given)
    if status.st_size > max_bytes:
        kind = sniff(path)
        message = f"the {role} file has {status.st_size:,} bytes; no {role} file needs more than {max_bytes:,}"
        hints = [f"this looks like: {kind.name}"] if kind else []
        raise UnsafeFileError(message, resolved=path, given=given, label=role, hints=hints)
    try:
        with source.open(path) as file:
            data = file.read(max_bytes + 1)
    except OSError as exc:
        message = f"the system cannot read the {role} file: {exc.strerror}"
        raise UnreadableFileError(message, resolved=path, given=given, label=role) from exc
    if len(data) != status.st_size:
        message = f"the {role} file changed while it was being read"
        raise CorruptFileError(message, resolved=path, given=given, label=role)
    return data


@contextmanager
def written_whole(path: str, *, role: str) -> Iterator[Path]:
    """Yield a path beside `path` to write to, which then takes its place: the file is there whole or not at all.

    Raises:
        UnreadableFileError: The system cannot write there.
    """
    unfinished = Path(f"{path}.{os.getpid()}.part")
    try:
        yield unfinished
        unfinished.replace(path)
    except SafeLoadError:
        raise
    except OSError as exc:
        message = f"the {role} file cannot be written: {exc.strerror}"
        raise UnreadableFileError(message, resolved=os.path.abspath(path), given=path, label=role) from exc
    finally:
        with suppress(OSError):
            unfinished.unlink()


def wrong_kind(path: str, kind: FileKind, *, role: str, wanted: str, given: object = None) -> WrongFileKindError:
    """Return the error for a file that is another kind than its place asks for."""
    message = f"the {role} file is not {wanted}: {kind.name}"
    hints = [kind.hint] if kind.hint else []
    return WrongFileKindError(
        message, wanted=wanted, found=kind.name, resolved=path, given=given, label=role, hints=hints
    )


def unreadable(path: str, *, role: str, given: object = None) -> UnreadableFileError:
    """Return the error for a file that this process may not read."""
    message = f"no permission to read the {role}"
    hints = ["ask for read permission on the file, and for execute permission on each folder above it"]
    return UnreadableFileError(message, resolved=path, given=given, label=role, hints=hints)


def missing(path: str, *, role: str, given: object = None, looked_for: tuple[str, ...] = ()) -> MissingFileError:
    """Return the error for a path that leads nowhere, with what a person needs to see their mistake."""
    message = (
        f"the {role} file is a symbolic link that leads nowhere"
        if os.path.islink(path)
        else f"there is no {role} file at this path"
    )
    return MissingFileError(message, **missing_facts(path, role, given, looked_for or (os.path.basename(path),)))


def missing_facts(path: str, label: str, given: object, looked_for: tuple[str, ...]) -> dict[str, Any]:
    """Return the facts about a path that leads nowhere: the nearest folder, its contents, names that are close."""
    parent = os.path.dirname(path)
    while not os.path.isdir(parent) and parent != os.path.dirname(parent):
        parent = os.path.dirname(parent)
    beside = _names_in(parent)
    near = _paths.near_paths(path, parent, beside)
    context = [("cwd", _paths.working_directory() or "removed")] if not os.path.isabs(str(given)) else []
    if parent != os.path.dirname(path):
        context.append(("exists", parent))
    context.append(("inside", _names_text(beside)))
    hints = _paths.invisible_hints(path) + [f"did you mean {other} ?" for other in near]
    if os.path.islink(path):
        context.append(("link to", os.path.realpath(path)))
    return {
        "resolved": path,
        "given": given,
        "label": label,
        "context": context,
        "hints": hints,
        "looked_for": looked_for,
        "beside": tuple(beside),
        "close_names": tuple(map(os.path.basename, near)) if parent == os.path.dirname(path) else (),
    }


def _names_in(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return []


def _names_text(names: list[str]) -> str:
    left = len(names) - MAX_NAMES_PRINTED
    more = f", ... and {left} more" if left > 0 else ""
    return ", ".join(names[:MAX_NAMES_PRINTED]) + more if names else "nothing"
