"""Lock files: the size and SHA-256 of every file of a model, verified on the very bytes that are then loaded.

HDF5 keeps no checksum, and the checksums of a checkpoint do not say whose it is. `safeload.lock` does: it lies in the
model's folder, names each file of the model relative to itself, and applies wherever that model is loaded or checked.

Each locked file is copied once into memory of its own, hashed on the way, and everything is read from that copy: a file
that is replaced or written to between the check and the load changes nothing.
"""

from __future__ import annotations

import os
import re
import shlex
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from io import FileIO
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload import _files
from safeload._paths import resolve_path
from safeload.errors import LockError, UnsafeFileError, counted, first_few
from safeload.report import two_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from safeload.report import Clock, FileRead, LoadReport

LOCK_NAME = "safeload.lock"
VERSION = 1
MAX_LOCK_BYTES = 1 << 20
N_BLOCK_BYTES = 1 << 20
UNLOCKED: Any = object()
"""As `lock_file`: read from the disk although there is a lock. For the command that writes locks, and no other."""

_HEADER = "# Written by `safeload lock`: a file of another size or SHA-256 is not loaded.\n"
_LOCK_KEYS = {"version": int, "model": str, "n_files": int, "file": list}
_FILE_KEYS = {"name": str, "role": str, "n_bytes": int, "sha256": str}
_SHA256 = re.compile(r"[0-9a-f]{64}")


class LockedFile(NamedTuple):
    """One file of a lock.

    Attributes:
        name: Its path relative to the lock file's folder, with forward slashes.
        role: "config", "vocab", "index", "shard", ...
        n_bytes: Its size.
        sha256: Its SHA-256, 64 hexadecimal digits.
    """

    name: str
    role: str
    n_bytes: int
    sha256: str


class Lock(NamedTuple):
    """A lock file that was read and is well-formed.

    Attributes:
        path: The lock file, absolute.
        model: "BERT" or "ELMo".
        files: Every file of the model, sorted by name.
    """

    path: str
    model: str
    files: tuple[LockedFile, ...]

    def path_of(self, name: str) -> str:
        """Return the absolute path of a locked file."""
        return os.path.join(os.path.dirname(self.path), name)


def read_lock(path: str, *, given: object = None) -> Lock:
    """Read the lock file at `path`.

    Raises:
        LockError: No TOML, a key is missing, unknown or of another type, files are missing from it.
        UnsafeFileError: It names a file outside its folder, or is larger than any lock.
        MissingFileError, WrongFileKindError, UnreadableFileError: As `_files.read_small`.
    """
    data = _files.read_small(path, role="lock", max_bytes=MAX_LOCK_BYTES, given=given)
    kind = _files.kind_of(data[: _files.N_HEAD_BYTES])
    if kind is not None:
        raise _files.wrong_kind(path, kind, role="lock", wanted="a lock file that safeload wrote", given=given)
    from safeload._formats.toml import toml_table  # noqa: PLC0415  (where there is a lock)

    try:
        table = toml_table(data)
    except ValueError as exc:
        raise _malformed(path, given, f"it is not TOML: {' '.join(str(exc).split())[:200]}") from exc
    return _validated(table, path, given)


def _validated(table: dict[str, Any], path: str, given: object) -> Lock:
    _require_keys(table, _LOCK_KEYS, "the lock", path, given)
    if table["version"] != VERSION:
        raise _malformed(path, given, f"its version is {table['version']}; version {VERSION} is known")
    if table["model"] not in ("BERT", "ELMo"):
        raise _malformed(path, given, f"its model is {table['model']!r}, neither 'BERT' nor 'ELMo'")
    if table["n_files"] != len(table["file"]) or not table["file"]:
        raise _malformed(path, given, f"it lists {len(table['file'])} of {table['n_files']} files")
    files = [_validated_file(entry, path, given) for entry in table["file"]]
    names = [file.name for file in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _malformed(path, given, f"it lists {twice[0]} more than once")
    return Lock(path=path, model=table["model"], files=tuple(sorted(files)))


def _validated_file(entry: object, path: str, given: object) -> LockedFile:
    if not isinstance(entry, dict):
        raise _malformed(path, given, "file holds something else than tables")
    _require_keys(entry, _FILE_KEYS, "a file", path, given)
    file = LockedFile(**entry)
    name = file.name
    if name != os.path.normpath(name) or name.startswith(("/", "..")) or re.search(r"[\x00-\x1f\\]", name):
        message = "the lock file names a file outside its folder, or in an unusual way"
        raise UnsafeFileError(
            message, resolved=path, given=given, label="lock", context=[("name", name)], hints=[_write_again(path)]
        )
    if file.n_bytes < 0 or not _SHA256.fullmatch(file.sha256):
        raise _malformed(path, given, f"the size or SHA-256 of {name} is none")
    return file


def _require_keys(table: dict[str, Any], wanted: dict[str, type], what: str, path: str, given: object) -> None:
    lost = [key for key in wanted if key not in table]
    if lost:
        raise _malformed(path, given, f"{what} lacks {', '.join(lost)}")
    unknown = sorted(set(table) - set(wanted))
    if unknown:
        raise _malformed(path, given, f"{what} has the unknown key {unknown[0]!r}")
    for key, kind in wanted.items():
        if type(table[key]) is not kind:
            raise _malformed(
                path, given, f"{key} of {what} is of type {type(table[key]).__name__}, not {kind.__name__}"
            )


def _malformed(path: str, given: object, what: str) -> LockError:
    message = f"the lock file cannot be used: {what}"
    return LockError(message, resolved=path, given=given, label="lock", hints=["copy it again", _write_again(path)])


def _write_again(path: str) -> str:
    return f"write it anew with: safeload lock --update {shlex.quote(os.path.dirname(path))}"


def make_lock(report: LoadReport, path: str) -> Lock:
    """Return the lock of the files that a check read, to be written to `path` in or above their folders.

    Raises:
        LockError: A file lies outside the lock file's folder, or cannot be read.
    """
    folder = os.path.dirname(path)
    files = []
    for file in report.files:
        if file.role == "lock":
            continue
        name = os.path.relpath(file.path, folder)
        if name.startswith(".."):
            message = f"the {file.role} lies outside the lock file's folder"
            hints = ["a lock names files relative to itself: put it into a folder above all of them"]
            raise LockError(message, resolved=file.path, label=file.role, context=[("lock", path)], hints=hints)
        try:
            with _files.DISK.open(file.path) as opened:
                sha256, n_bytes = _hash(opened)
        except OSError as exc:
            message = f"the system cannot read the {file.role} file: {exc.strerror}"
            raise LockError(message, resolved=file.path, label=file.role) from exc
        files.append(LockedFile(name=name, role=file.role, n_bytes=n_bytes, sha256=sha256))
    return Lock(path=path, model=report.model, files=tuple(sorted(files)))


def lock_text(lock: Lock) -> str:
    """Return a lock as TOML."""
    import tomli_w  # noqa: PLC0415  (to write a lock)

    table = {
        "version": VERSION,
        "model": lock.model,
        "n_files": len(lock.files),
        "file": [file._asdict() for file in lock.files],
    }
    return _HEADER + tomli_w.dumps(table)


class LockedSource(_files.Source):
    """The verified copies of a model's locked files."""

    is_private = True

    def __init__(self, lock: Lock) -> None:
        """Copy and hash every file of the lock.

        Raises:
            LockError: A file is missing, or of another size or SHA-256; all of them are named.
        """
        self.lock = lock
        self._copies: dict[tuple[str, str], tuple[LockedFile, FileIO]] = {}
        self._opened = ExitStack()
        rows = {}
        with ExitStack() as opened:
            for file in lock.files:
                path = lock.path_of(file.name)
                copy = opened.enter_context(_memory(file.name))
                self._copies[_key(path)] = (file, copy)
                rows[file.name] = _difference(path, file, copy)
            if any(rows.values()):
                raise _differing(lock, {name: text for name, text in rows.items() if text})
            self._opened = opened.pop_all()

    def open(self, path: str) -> FileIO:
        """Open the copy of a locked file.

        Raises:
            LockError: The lock does not name the file.
        """
        _, copy = self._copy_of(path)
        opened = FileIO(os.dup(copy.fileno()), "rb")
        opened.seek(0)
        return opened

    def file_read(self, role: str, path: str) -> FileRead:
        """Return the report's row for a locked file, with its SHA-256."""
        file, _ = self._copy_of(path)
        return replace(super().file_read(role, path), n_bytes=file.n_bytes, sha256=file.sha256)

    def close(self) -> None:
        """Let the copies go."""
        self._opened.close()

    def _copy_of(self, path: str) -> tuple[LockedFile, FileIO]:
        found = self._copies.get(_key(path))
        if found is None:
            message = "a file that belongs to this model is not in its lock file"
            names = ", ".join(file.name for file in self.lock.files[: _files.MAX_NAMES_PRINTED])
            hints = [
                f"if the file is meant to be there, {_write_again(self.lock.path)}",
                "if not, load the files that are locked",
            ]
            context = [("lock", self.lock.path), ("locked", names)]
            raise LockError(
                message, files=[os.path.basename(path)], resolved=path, label="file", context=context, hints=hints
            )
        return found


def _key(path: str) -> tuple[str, str]:
    """Tell files apart by the folder's real path and their own name: a symbolic link to a file is the file's name."""
    folder, name = os.path.split(path)
    return os.path.realpath(folder), name


def _difference(path: str, file: LockedFile, copy: FileIO) -> str:
    """Fill the copy and return how it differs from what was locked; "" for not at all."""
    if not os.path.isfile(path):
        return "NO FILE" if os.path.lexists(path) else "MISSING"
    try:
        with _files.DISK.open(path) as original:
            n_bytes = os.fstat(original.fileno()).st_size
            if n_bytes != file.n_bytes:
                kind = _files.sniff(path)
                looks = f"; it is now: {kind.name}" if kind and kind.hint else ""
                return f"locked with {file.n_bytes:,} bytes, found {n_bytes:,}{looks}"
            sha256, n_bytes = _hash(original, copy)
    except OSError as exc:
        return f"the system cannot read it: {exc.strerror}"
    if (sha256, n_bytes) != (file.sha256, file.n_bytes):
        return f"locked with SHA-256 {file.sha256[:16]}..., found {sha256[:16]}..."
    return ""


def _memory(name: str) -> FileIO:
    """Return an empty file that no path leads to."""
    if hasattr(os, "memfd_create"):
        return FileIO(os.memfd_create(os.path.basename(name)[:80]), "r+b")
    import tempfile  # noqa: PLC0415  (slow to import, and needed where there is no memfd)

    return tempfile.TemporaryFile(buffering=0)


def _hash(original: FileIO, copy: FileIO | None = None) -> tuple[str, int]:
    """Return the SHA-256 and size of what is left of a file; what is hashed is written to `copy`."""
    import hashlib  # noqa: PLC0415  (slow to import, and needed where there is a lock)

    digest, n_bytes = hashlib.sha256(), 0
    block = memoryview(bytearray(N_BLOCK_BYTES))
    while n_read := original.readinto(block):
        digest.update(block[:n_read])
        n_bytes += n_read
        if copy is not None:
            _write(copy, block[:n_read])
    return digest.hexdigest(), n_bytes


def _write(copy: FileIO, block: memoryview) -> None:
    while block:
        block = block[copy.write(block) :]


def _differing(lock: Lock, rows: dict[str, str]) -> LockError:
    are = "is" if len(rows) == 1 else "are"
    message = f"{len(rows)} of {counted(len(lock.files), 'locked file')} {are} not what was locked"
    details = [
        two_lines(difference, name, f"in {os.path.dirname(lock.path)}")
        if difference.isupper()
        else two_lines("CHANGED", name, difference)
        for name, difference in rows.items()
    ]
    hints = ["take the model from where it was locked", f"if the change is meant, {_write_again(lock.path)}"]
    return LockError(
        message,
        files=list(rows),
        resolved=lock.path,
        label="lock",
        details=first_few(details, "error.files"),
        hints=hints,
    )


@contextmanager
def opened_source(
    lock_file: object, *, folder: str, base_dir: object, model: str, clock: Clock
) -> Iterator[_files.Source]:
    """Yield where a model's files are opened: verified copies where there is a lock, otherwise the disk.

    Args:
        lock_file: What the caller passed: a lock file or its folder; None for the one in `folder`, if it is there.
        folder: The config's folder.
        base_dir: Where a relative `lock_file` starts.
        model: "BERT" or "ELMo".
        clock: Where the time that a lock takes is kept.

    Raises:
        LockError: A file differs from what was locked, or the lock file cannot be used or is of another model.
        InvalidPathError, MissingFileError, WrongFileKindError, UnsafeFileError, UnreadableFileError: As `read_lock`.
    """
    path = os.path.join(folder, LOCK_NAME)
    if lock_file is UNLOCKED:
        yield _files.DISK
        return
    if lock_file is not None:
        path = resolve_path(lock_file, argument="lock_file", base_dir=base_dir)
        path = os.path.join(path, LOCK_NAME) if os.path.isdir(path) else path
    elif not os.path.lexists(path):
        yield _files.DISK
        return
    with clock.step("lock"):
        source = _verified(path, lock_file, model)
    try:
        yield source
    finally:
        source.close()


def _verified(path: str, given: object, model: str) -> LockedSource:
    lock = read_lock(path, given=given)
    if lock.model != model:
        message = f"the lock is of {lock.model}, and this model is {model}"
        raise LockError(message, resolved=path, given=given, label="lock", hints=["pass the lock of this model"])
    return LockedSource(lock)


def lock_rows(source: _files.Source) -> Iterable[FileRead]:
    """Return the report's row for the lock file, if there is one."""
    return [_files.DISK.file_read("lock", source.lock.path)] if isinstance(source, LockedSource) else []
