"""Read and write lock files, which list the size and SHA-256 of every file of a model.

HDF5 has no checksums, and those of a checkpoint do not identify the model. `safeload.lock` in the model's folder does: it
names the model's files relative to itself and applies whenever that model is loaded or checked.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from safeload._boundary import typed_errors
from safeload._bytes.absent import failed
from safeload._bytes.addresses import is_address, joined
from safeload._bytes.archives.locating import given_ref
from safeload._bytes.files import DISK, FileRef
from safeload._bytes.kinds import kind_of_data, wrong_kind
from safeload._bytes.names import key_of, leads_out, slashed
from safeload._bytes.paths import resolve_path
from safeload._bytes.small import read_small
from safeload._text.words import reason_of
from safeload.errors import LockError, UnsafeFileError
from safeload.report import ANY_MODEL

if TYPE_CHECKING:
    from io import FileIO

    from safeload._bytes.open_file import OpenFile
    from safeload._bytes.paths import StrPath
    from safeload.report import FileRead

LOCK_NAME = "safeload.lock"
VERSION = 1
MODELS = ("BERT", "ELMo", ANY_MODEL)
MAX_LOCK_BYTES = 1 << 20
MAX_BITS = 63
N_BLOCK_BYTES = 1 << 20
_ZEROS = bytes(N_BLOCK_BYTES)
_HEADER = "# Written by `safeload lock`: files that do not match are rejected.\n"
_LOCK_KEYS = {"version": int, "model": str, "n_files": int, "file": list}
_FILE_KEYS = {"name": str, "role": str, "n_bytes": int, "sha256": str}
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Report(Protocol):
    """What a lock is made of: the report of a check."""

    @property
    def model(self) -> str:
        """The model that was checked."""

    @property
    def files(self) -> tuple[FileRead, ...]:
        """Every file that was read."""


class LockedFile(NamedTuple):
    """A file in a lock.

    Attributes:
        name: Its path relative to the lock file's folder, with forward slashes; backslashes in the file are read as such.
        role: "config", "vocab", "index", "shard", ...
        n_bytes: Size in bytes.
        sha256: SHA-256, 64 hexadecimal digits.
    """

    name: str
    role: str
    n_bytes: int
    sha256: str


class Lock(NamedTuple):
    """The validated contents of a lock file.

    Attributes:
        path: The absolute path of the lock file.
        model: "BERT", "ELMo" or, of weights alone, "any".
        files: Every file of the model, and of other models of its kind in archives beside it, sorted by name.
        root: The folder or address from which the names start; "" for the lock's own folder.
    """

    path: str
    model: str
    files: tuple[LockedFile, ...]
    root: str = ""

    @property
    def folder(self) -> str:
        """The folder from which the names start."""
        return self.root or os.path.dirname(self.path)

    def path_of(self, name: str) -> str:
        """Return the absolute path, or the address, of a locked file."""
        return joined(self.folder, name)


@typed_errors
def read_lock(path: StrPath, *, given: object = None) -> Lock:
    """Read the lock file at `path`.

    Raises:
        InvalidPathError: `path` is invalid.
        LockError: Not TOML, a key is missing, unknown or of the wrong type, or the list of files is incomplete.
        UnsafeFileError: It names a file outside its folder, or is larger than `MAX_LOCK_BYTES`.
        MissingFileError, WrongFileKindError, UnreadableFileError: As `read_small`.
    """
    return read_lock_at(given_ref(path, "path", "lock")._replace(given=given))


def read_lock_at(ref: FileRef) -> Lock:
    """Read a lock file.

    Raises:
        LockError, UnsafeFileError, MissingFileError, WrongFileKindError, UnreadableFileError: As `read_lock`.
    """
    data = read_small(ref, max_bytes=MAX_LOCK_BYTES)
    kind = kind_of_data(data)
    if kind is not None:
        raise wrong_kind(ref, kind, wanted="a lock file that safeload wrote")
    from safeload._text.toml import toml_table  # noqa: PLC0415  (only needed with a lock)

    try:
        table = toml_table(data)
    except ValueError as exc:
        raise _malformed(ref, f"it is not TOML: {reason_of(exc)}") from exc
    return _validated(table, ref)


def _validated(table: dict[str, Any], ref: FileRef) -> Lock:
    version = table.get("version")
    if type(version) is int and VERSION < version < 1 << MAX_BITS:
        message = (
            f"the lock file cannot be used: it is of version {version}, and this safeload reads up to version {VERSION}"
        )
        hints = ["a newer safeload wrote it: install that one", write_again(os.path.dirname(ref.path))]
        raise LockError(message, **ref.facts, hints=hints)
    _require_keys(table, _LOCK_KEYS, "the lock", ref)
    if version != VERSION:
        raise _malformed(ref, f"its version is {version}, which no safeload wrote")
    if table["model"] not in MODELS:
        raise _malformed(ref, f"its model is {table['model']!r}, neither 'BERT' nor 'ELMo' nor {ANY_MODEL!r}")
    if table["n_files"] != len(table["file"]) or not table["file"]:
        raise _malformed(ref, f"it lists {len(table['file'])} of {table['n_files']} files")
    files = [_validated_file(entry, ref) for entry in table["file"]]
    names = [file.name for file in files]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise _malformed(ref, f"it lists {twice[0]} more than once")
    return Lock(path=ref.path, model=table["model"], files=tuple(sorted(files)))


def _validated_file(entry: object, ref: FileRef) -> LockedFile:
    if not isinstance(entry, dict):
        raise _malformed(ref, "file contains something other than tables")
    _require_keys(entry, _FILE_KEYS, "a file", ref)
    name = slashed(entry["name"])
    file = LockedFile(**entry)._replace(name=name)
    if not is_canonical(name):
        message = "the lock file names a file outside its folder, or in a form that is not canonical"
        raise UnsafeFileError(
            message, **ref.facts, context=[("name", name)], hints=[write_again(os.path.dirname(ref.path))]
        )
    if file.n_bytes < 0 or not _SHA256.fullmatch(file.sha256):
        raise _malformed(ref, f"the size or SHA-256 of {name} is invalid")
    return file


def is_canonical(name: str) -> bool:
    """Return whether a lock may have this name: a path down, as it is written on every system, in characters of UTF-8."""
    return not (leads_out(name) or re.search(r"[\x00-\x1f\\\ud800-\udfff]", name))


def _require_keys(table: dict[str, Any], wanted: dict[str, type], what: str, ref: FileRef) -> None:
    lost = [key for key in wanted if key not in table]
    if lost:
        raise _malformed(ref, f"{what} lacks {', '.join(lost)}")
    unknown = sorted(set(table) - set(wanted))
    if unknown:
        raise _malformed(ref, f"{what} has the unknown key {unknown[0]!r}")
    for key, kind in wanted.items():
        if kind is int and type(table[key]) is int and table[key].bit_length() > MAX_BITS:
            raise _malformed(ref, f"{key} of {what} has more than {MAX_BITS} bits")
        if type(table[key]) is not kind:
            raise _malformed(ref, f"{key} of {what} is of type {type(table[key]).__name__}, not {kind.__name__}")


def _malformed(ref: FileRef, what: str) -> LockError:
    message = f"the lock file cannot be used: {what}"
    return LockError(message, **ref.facts, hints=["copy it again", write_again(os.path.dirname(ref.path))])


def write_again(path: str, model: str = "", output: str = "", folder: str = "") -> str:
    """Return the hint to write a new lock; `lock_command` says what is passed."""
    return f"write the lock again with: {lock_command(path, '--any --update' if model == ANY_MODEL else '--update', output, folder)}"


def lock_command(path: str, options: str = "", output: str = "", folder: str = "") -> str:
    """Return the command that locks a model, and what to do then.

    Args:
        path: The path or address of the model, its folder or its archive.
        options: Options of the command.
        output: The old lock, if its names start from another folder.
        folder: The folder of an archive.
    """
    import shlex  # noqa: PLC0415  (only an error needs it)

    elsewhere = is_address(path) or output
    to = f" --output {shlex.quote(output if output and not is_address(output) else LOCK_NAME)}" if elsewhere else ""
    is_there = is_address(path) and (not output or is_address(output))
    then = f", and copy it to {folder or path}/{LOCK_NAME}" if is_there else ""
    return f"safeload lock {options}{' ' * bool(options)}{shlex.quote(path)}{to}{then}"


@typed_errors
def make_lock(report: Report, path: StrPath, *, root: FileRef | None = None) -> Lock:
    """Hash the files that a check read.

    Args:
        report: The report of the check.
        path: The future lock file.
        root: The folder of files at addresses, from which their names start. Defaults to the lock's own folder, which is that of
            the files or above it.

    Raises:
        InvalidPathError: `path` is invalid.
        LockError: A file is outside the lock file's folder, or has a name that a lock cannot have.
        MissingFileError, UnreadableFileError, FileSystemError: The system cannot read a file.
    """
    path = resolve_path(path, argument="path")
    source = root.source if root else DISK
    lock = Lock(path=path, model=report.model, files=(), root=root.path if root else "")
    files = []
    archives = tuple(file.path + os.sep for file in report.files if file.role == "archive")
    for file in report.files:
        if file.role in ("lock", "signature") or file.path.startswith(archives):
            continue
        name = os.path.relpath(file.path, lock.folder).replace(os.sep, "/")
        if name.split("/", 1)[0] == "..":
            message = f"the {file.role} is outside the lock file's folder"
            hints = ["a lock names files relative to itself: put it into a folder above all of them"]
            raise LockError(message, resolved=file.path, label=file.role, context=[("lock", path)], hints=hints)
        if not is_canonical(name):
            message = f"the name of the {file.role} file cannot be written into a lock"
            hints = ["rename it: without control characters and backslashes, in UTF-8"]
            raise LockError(message, resolved=file.path, label=file.role, context=[("lock", path)], hints=hints)
        try:
            with source.open(file.path) as opened:
                sha256, n_bytes = hash_of(opened)
        except OSError as exc:
            raise failed(FileRef(path=file.path, role=file.role), exc) from exc
        files.append(LockedFile(name=name, role=file.role, n_bytes=n_bytes, sha256=sha256))
    return lock._replace(files=tuple(sorted(files)))


def with_others(lock: Lock, old: Lock) -> Lock:
    """Add the entries of other models to the lock of one: those of archives and, to the lock of an archive, all.

    Entries of files that are gone are left out.

    Raises:
        LockError: The other models are of another kind.
    """
    own = {key_of(lock.path_of(file.name)) for file in lock.files}
    is_archive = any(file.role == "archive" for file in lock.files)
    others = [
        file
        for file in old.files
        if (is_archive or file.role == "archive")
        and os.path.lexists(path := lock.path_of(file.name))
        and key_of(path) not in own
    ]
    if others and lock.model != old.model:
        message = f"the lock also names the files of another model, of {old.model}, and this model is {lock.model}"
        hints = ["a lock is for models of one kind: move this one into a folder of its own"]
        context = [("locked", others[0].name)]
        raise LockError(message, resolved=lock.path, label="lock", context=context, hints=hints)
    return lock._replace(files=tuple(sorted([*lock.files, *others])))


def lock_text(lock: Lock) -> str:
    """Format a lock as TOML."""
    import tomli_w  # noqa: PLC0415  (only needed to write a lock)

    table = {
        "version": VERSION,
        "model": lock.model,
        "n_files": len(lock.files),
        "file": [file._asdict() for file in lock.files],
    }
    return _HEADER + tomli_w.dumps(table)


def hash_of(original: OpenFile, copy: FileIO | None = None, *, algorithm: str = "sha256") -> tuple[str, int]:
    """Return the digest and size of a file, and write the hashed bytes to `copy`; the algorithm is as `new_digest` takes it.

    One block is hashed in a thread while it is copied and the next one is read: two thirds of the sequential time.
    """
    from concurrent.futures import Future, ThreadPoolExecutor, wait  # noqa: PLC0415  (only needed with a lock)

    from safeload._bytes.hashing import new_digest  # noqa: PLC0415

    digest, n_bytes = new_digest(algorithm, original.n_bytes), 0
    blocks = [memoryview(bytearray(N_BLOCK_BYTES)) for _ in range(2)]
    with ThreadPoolExecutor(1) as pool:
        hashed: Future[object] = pool.submit(object)
        while n_read := original.read_into(blocks[0], n_bytes):
            wait([hashed])
            block = blocks[0][:n_read]
            hashed = pool.submit(digest.update, block)
            if copy is not None:
                _write(copy, block)
            n_bytes += n_read
            blocks.reverse()
    return digest.hexdigest(), n_bytes


def _write(copy: FileIO, block: memoryview) -> None:
    if _ZEROS.startswith(block):
        copy.truncate(copy.seek(len(block), os.SEEK_CUR))  # a hole, as in a sparse original, takes no memory
        return
    while block:
        block = block[copy.write(block) :]
