"""List the members of a zip archive by its central directory, and compare each with its local header.

Source:
    PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.
"""

from __future__ import annotations

import stat
import struct
from typing import TYPE_CHECKING, NamedTuple

from safeload._bytes.archives.members import (
    MAX_MEMBERS,
    Member,
    checked_name,
    damaged,
    is_of_the_system,
    require_few,
    require_no_bomb,
    unsafe,
)

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile

MAX_DIRECTORY_BYTES = 64 << 20
"""The size of a zip's central directory."""

_STORED, _DEFLATED = 0, 8
_METHODS = {1: "shrink", 9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd", 99: "AES"}
_ENCRYPTED, _DESCRIPTOR, _UTF8 = 0x2041, 0x8, 0x800
_PATCHED = 0x20
_UNIX = 3
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_LOCATOR_SIGN = b"PK\6\7"
_IS_64 = 0xFFFFFFFF
_IS_16 = _MAX_COMMENT = 0xFFFF


class _Directory(NamedTuple):
    """The central directory; `shift` bytes before the archive are not counted in its offsets."""

    offset: int
    n_bytes: int
    n_entries: int
    shift: int


class _Entry(NamedTuple):
    """An entry of the central directory, or a local header."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    n_stored: int
    n_bytes: int
    start: int = 0
    mode: int = 0


def list_zip(file: OpenFile, ref: FileRef, *, max_members: int = MAX_MEMBERS) -> tuple[list[Member], list[str]]:
    """Return the regular files of a zip, and the names of its folders.

    Bytes before the archive, such as the program of one that extracts itself, are skipped as Python's `zipfile` does.

    Raises:
        CorruptFileError: It is cut off, or a local header and the central directory disagree.
        UnsafeFileError: It has links, duplicates, encrypted or overlapping members, another compression than deflate, more
            or larger members than any model, or names that lead out of it.
        OSError: The system cannot read.
    """
    where = _directory(file, ref, max_members)
    entries = _entries(file.read(where.n_bytes, where.offset), where, ref)
    files: list[Member] = []
    folders: list[str] = []
    extents: list[tuple[int, int, str]] = []
    for entry in entries:
        raw = _decoded(entry)
        name = checked_name(raw, ref)
        _require_readable(entry, raw, ref)
        start = _require_same(file, entry, raw, ref)
        extents.append((entry.start, start + entry.n_stored, raw))
        if not name or is_of_the_system(name):
            continue
        if raw.endswith("/"):
            folders.append(name)
        else:
            n_stored = entry.n_stored if entry.method == _DEFLATED else None
            files.append(Member(name, entry.n_bytes, start, n_stored, entry.crc))
    _require_apart(extents, where, ref)
    return files, folders


def names_in_zip(file: OpenFile, ref: FileRef, *, max_members: int = MAX_MEMBERS) -> list[str]:
    """Return the names in the central directory of a zip; of the members nothing is read or required.

    Raises:
        CorruptFileError: The directory is cut off or damaged.
        UnsafeFileError: It is larger than that of any model.
        OSError: The system cannot read.
    """
    where = _directory(file, ref, max_members)
    return [_decoded(entry) for entry in _entries(file.read(where.n_bytes, where.offset), where, ref)]


def _directory(file: OpenFile, ref: FileRef, max_members: int) -> _Directory:
    n_tail = min(file.n_bytes, _MAX_COMMENT + _END.size)
    tail = file.read(n_tail, file.n_bytes - n_tail)
    at = tail.rfind(b"PK\5\6")
    while at >= 0 and (len(tail) < at + _END.size or at + _END.size + _END.unpack_from(tail, at)[7] != len(tail)):
        at = tail.rfind(b"PK\5\6", 0, at)
    if at < 0:
        raise damaged(ref, "is truncated: it has no central directory, which is at the end of a zip")
    _, disk, first_disk, n_here, n_entries, n_bytes, offset, _ = _END.unpack_from(tail, at)
    end = file.n_bytes - n_tail + at
    located = offset + n_bytes
    locator = file.read(_LOCATOR.size, max(0, end - _LOCATOR.size))
    if locator.startswith(_LOCATOR_SIGN):
        small = (disk, first_disk, n_here, n_entries, n_bytes, offset)
        *large, end, located = _end64(file, end, locator, ref)
        if any(one not in (each, _IS_16, _IS_64) for one, each in zip(small, large, strict=True)):
            raise damaged(ref, "is damaged: its end and its zip64 end contradict each other")
        disk, first_disk, n_here, n_entries, n_bytes, offset = large
    if disk or first_disk or n_here != n_entries:
        raise unsafe(ref, "is one of several parts")
    require_few(n_entries, ref, max_members)
    if n_bytes > MAX_DIRECTORY_BYTES:
        raise unsafe(
            ref, f"has a central directory of {n_bytes:,} bytes; no model needs more than {MAX_DIRECTORY_BYTES:,}"
        )
    if located != offset + n_bytes:
        raise damaged(ref, "is damaged: its zip64 directory is not where its locator says")
    if offset + n_bytes > end:
        raise damaged(ref, f"is damaged: its central directory ends at byte {offset + n_bytes:,}, not at {end:,}")
    return _Directory(end - n_bytes, n_bytes, n_entries, end - n_bytes - offset)


def _end64(file: OpenFile, end: int, locator: bytes, ref: FileRef) -> tuple[int, int, int, int, int, int, int, int]:
    _, _, located, n_disks = _LOCATOR.unpack(locator)
    at = end - _LOCATOR.size - _END64.size
    record = file.read(_END64.size, max(0, at))
    if len(record) < _END64.size or not record.startswith(b"PK\6\6") or n_disks > 1:
        raise damaged(ref, "is damaged: it has no zip64 directory where its locator says")
    _, n_record, _, _, disk, first_disk, n_here, n_entries, n_bytes, offset = _END64.unpack(record)
    if n_record != _END64.size - 12:
        raise damaged(ref, "is damaged: its zip64 directory does not end where its locator begins")
    return disk, first_disk, n_here, n_entries, n_bytes, offset, at, located


def _entries(data: bytes, where: _Directory, ref: FileRef) -> list[_Entry]:
    entries: list[_Entry] = []
    at = 0
    while at < len(data) and len(entries) <= where.n_entries:
        if len(data) < at + _ENTRY.size or data[at : at + 4] != b"PK\1\2":
            raise damaged(ref, f"is damaged: entry {len(entries) + 1} of its central directory is none")
        (
            _,
            made,
            _,
            flags,
            method,
            _,
            _,
            crc,
            n_stored,
            n_bytes,
            n_name,
            n_extra,
            n_comment,
            disk,
            _,
            external,
            start,
        ) = _ENTRY.unpack_from(data, at)
        at += _ENTRY.size
        name, extra = data[at : at + n_name], data[at + n_name : at + n_name + n_extra]
        at += n_name + n_extra + n_comment
        n_bytes, n_stored, start = _widened(extra, (n_bytes, n_stored, start), ref, name)
        mode = external >> 16 if made >> 8 == _UNIX else 0
        if disk not in (0, _IS_16):
            raise unsafe(ref, "is one of several parts")
        entries.append(_Entry(name, flags, method, crc, n_stored, n_bytes, start + where.shift, mode))
    if at != len(data) or len(entries) != where.n_entries:
        raise damaged(
            ref, f"is damaged: its central directory does not have the {where.n_entries:,} entries that it says"
        )
    return entries


def _widened(extra: bytes, sizes: tuple[int, ...], ref: FileRef, name: bytes) -> list[int]:
    """Return the sizes, of which those with all bits set are in the extra field of zip64."""
    wide = b""
    at = 0
    while at + 4 <= len(extra):
        kind, n_field = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            wide = extra[at + 4 : at + 4 + n_field]
        at += 4 + n_field
    found = []
    for size in sizes:
        if size == _IS_64:
            if len(wide) < 8:  # noqa: PLR2004  (a size in zip64)
                raise damaged(ref, "is damaged: a zip64 size is missing", _text(name))
            size, wide = int.from_bytes(wide[:8], "little"), wide[8:]  # noqa: PLW2901
        found.append(size)
    return found


def _decoded(entry: _Entry) -> str:
    return _text(entry.raw_name) if entry.flags & _UTF8 or entry.raw_name.isascii() else _of_old_zips(entry.raw_name)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _of_old_zips(name: bytes) -> str:
    """Decode a name that is not marked as UTF-8, but may be: Linux writes such ones."""
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("cp437")


def _require_readable(entry: _Entry, name: str, ref: FileRef) -> None:
    if entry.flags & (_ENCRYPTED | _PATCHED):
        raise unsafe(ref, "has an encrypted or patched member", name)
    if entry.method not in (_STORED, _DEFLATED):
        method = _METHODS.get(entry.method, f"method {entry.method}")
        raise unsafe(ref, f"has a member compressed by {method}; only stored and deflated ones are read", name)
    kind = stat.S_IFMT(entry.mode)
    if kind == stat.S_IFLNK:
        raise unsafe(ref, "has a symbolic link", name)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise unsafe(ref, "has a member that is neither a file nor a folder", name)
    if entry.method == _STORED and entry.n_stored != entry.n_bytes:
        raise damaged(ref, "is damaged: a stored member has two sizes", name)
    if (kind == stat.S_IFDIR or name.endswith("/")) and (entry.n_bytes or not name.endswith("/")):
        raise unsafe(ref, "has a folder with contents of its own", name)
    require_no_bomb(entry.n_bytes, entry.n_stored, ref, name)


def _require_same(file: OpenFile, entry: _Entry, name: str, ref: FileRef) -> int:
    """Compare an entry with its local header, and return the offset of its first byte."""
    head = file.read(_LOCAL.size, entry.start) if entry.start < file.n_bytes else b""
    if len(head) < _LOCAL.size or head[:4] != b"PK\3\4":
        raise damaged(ref, "is damaged: a member is not where the central directory says", name)
    _, _, flags, method, _, _, crc, n_stored, n_bytes, n_name, n_extra = _LOCAL.unpack(head)
    rest = file.read(n_name + n_extra, entry.start + _LOCAL.size)
    n_bytes, n_stored = _widened(rest[n_name:], (n_bytes, n_stored), ref, entry.raw_name)
    same = (rest[:n_name], flags & ~0x6, method) == (entry.raw_name, entry.flags & ~0x6, entry.method)
    facts, wanted = (crc, n_stored, n_bytes), (entry.crc, entry.n_stored, entry.n_bytes)
    if flags & _DESCRIPTOR:  # the sizes follow the data; those before it are zero, or the same
        same = same and all(fact in (0, each) for fact, each in zip(facts, wanted, strict=True))
    else:
        same = same and facts == wanted
    if not same:
        raise damaged(ref, "is damaged: a member's own header disagrees with the central directory", name)
    return entry.start + _LOCAL.size + int(n_name) + int(n_extra)


def _require_apart(extents: list[tuple[int, int, str]], where: _Directory, ref: FileRef) -> None:
    end = 0
    for start, stop, name in sorted(extents):
        if start < end:
            raise unsafe(ref, "has members that overlap", name)
        end = stop
        if end > where.offset:
            raise damaged(ref, "is damaged: a member is longer than the archive has room for", name)
