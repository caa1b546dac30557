"""Lock files: the size and SHA-256 of every file of a model.

HDF5 keeps no checksum, and the checksums of a checkpoint do not say which model it is. `safeload.lock` does: it lies in
the model's folder, names each file of the model relative to itself, and applies wherever that model is loaded or checked.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._bytes.files import DISK, FileRef
from safeload._bytes.kinds import kind_of_data, wrong_kind
from safeload._bytes.small import read_small
from safeload._text.words import reason_of
from safeload.errors import LockError, UnsafeFileError

if TYPE_CHECKING:
    from io import FileIO

    from safeload._bytes.files import OpenFile
    from safeload.report import LoadReport

LOCK_NAME = "safeload.lock"
VERSION = 1
MAX_LOCK_BYTES = 1 << 20
MAX_BITS = 63
N_BLOCK_BYTES = 1 << 20
_ZEROS = bytes(N_BLOCK_BYTES)
_HEADER = "# Written by `safeload lock`: files that do not match are rejected.\n"
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
        LockError: Not TOML, a key is missing, unknown or of another type, files are missing from it.
        UnsafeFileError: It names a file outside its folder, or is larger than any lock.
        MissingFileError, WrongFileKindError, UnreadableFileError: As `read_small`.
    """
    ref = FileRef(path=path, role="lock", given=given)
    data = read_small(ref, max_bytes=MAX_LOCK_BYTES)
    kind = kind_of_data(data)
    if kind is not None:
        raise wrong_kind(ref, kind, wanted="a lock file that safeload wrote")
    from safeload._text.toml import toml_table  # noqa: PLC0415  (where there is a lock)

    try:
        table = toml_table(data)
    except ValueError as exc:
        raise _malformed(ref, f"it is not TOML: {reason_of(exc)}") from exc
    return _validated(table, ref)


def _validated(table: dict[str, Any], ref: FileRef) -> Lock:
    _require_keys(table, _LOCK_KEYS, "the lock", ref)
    if table["version"] != VERSION:
        raise _malformed(ref, f"its version is {table['version']}; version {VERSION} is supported")
    if table["model"] not in ("BERT", "ELMo"):
        raise _malformed(ref, f"its model is {table['model']!r}, neither 'BERT' nor 'ELMo'")
    if table["n_files"] != len(table["file"]) or not table["file"]:
        raise _malformed(ref, f"it lists {len(table['file'])} of {table['n_files']} files")
    files = [_validated_file(entry, ref) for entry in table["file"]]
    names = [file.name for file in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _malformed(ref, f"it lists {twice[0]} more than once")
    return Lock(path=ref.path, model=table["model"], files=tuple(sorted(files)))


def _validated_file(entry: object, ref: FileRef) -> LockedFile:
    if not isinstance(entry, dict):
        raise _malformed(ref, "file contains something other than tables")
    _require_keys(entry, _FILE_KEYS, "a file", ref)
    file = LockedFile(**entry)
    name = file.name
    if name != os.path.normpath(name) or name.startswith(("/", "..")) or re.search(r"[\x00-\x1f\\]", name):
        message = "the lock file names a file outside its folder, or in a form that is not canonical"
        raise UnsafeFileError(message, **ref.facts, context=[("name", name)], hints=[write_again(ref.path)])
    if file.n_bytes < 0 or not _SHA256.fullmatch(file.sha256):
        raise _malformed(ref, f"the size or SHA-256 of {name} is invalid")
    return file


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
    return LockError(message, **ref.facts, hints=["copy it again", write_again(ref.path)])


def write_again(path: str) -> str:
    """Return the hint that leads to a new lock."""
    return f"write it again with: safeload lock --update {shlex.quote(os.path.dirname(path))}"


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
            message = f"the {file.role} is outside the lock file's folder"
            hints = ["a lock names files relative to itself: put it into a folder above all of them"]
            raise LockError(message, resolved=file.path, label=file.role, context=[("lock", path)], hints=hints)
        try:
            with DISK.open(file.path) as opened:
                sha256, n_bytes = hash_of(opened)
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


def hash_of(original: OpenFile, copy: FileIO | None = None) -> tuple[str, int]:
    """Return the SHA-256 and size of a file; what is hashed is written to `copy`."""
    import hashlib  # noqa: PLC0415  (slow to import, and needed where there is a lock)

    digest, n_bytes = hashlib.sha256(), 0
    block = memoryview(bytearray(N_BLOCK_BYTES))
    while n_read := original.read_into(block, n_bytes):
        digest.update(block[:n_read])
        n_bytes += n_read
        if copy is not None:
            _write(copy, block[:n_read])
    return digest.hexdigest(), n_bytes


def _write(copy: FileIO, block: memoryview) -> None:
    if _ZEROS.startswith(block):
        copy.truncate(copy.seek(len(block), os.SEEK_CUR))  # a hole, as in the original: it takes no memory
        return
    while block:
        block = block[copy.write(block) :]
