"""List the members of a tar archive: of Unix version 7, ustar, pax and GNU's long names.

Source:
    POSIX.1-2017, pax, "pax Interchange Format" and "ustar Interchange Format"; GNU tar 1.35, tar.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._bytes.archives.members import (
    MAX_MEMBERS,
    Member,
    checked_name,
    damaged,
    is_of_the_system,
    require_few,
    unsafe,
)
from safeload._bytes.kinds import is_tar_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile

MAX_HEADER_BYTES = 1 << 20
"""The size of a tar member that holds the name or facts of the next one."""

N_BLOCK_BYTES = 512
_FOLDER, _PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK = b"5", b"x", b"g", b"L", b"K"
_OF_THE_NEXT = (_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK)
_REFUSED = {
    b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a FIFO",
    b"S": "a sparse file", b"M": "a part of a file of several archives",
}  # fmt: skip


def list_tar(file: OpenFile, ref: FileRef) -> tuple[list[Member], list[str]]:
    """Return the regular files of a tar, and the names of its folders.

    Raises:
        CorruptFileError: It is cut off or damaged.
        UnsafeFileError: It has links, devices or sparse files, more members than any model, or names that lead out of it.
        OSError: The system cannot read.
    """
    files: list[Member] = []
    folders: list[str] = []
    at, n_headers = 0, 0
    facts: dict[str, str] = {}
    while (header := _header(file, at, ref)) is not None:
        n_headers += 1
        require_few(n_headers, ref)
        kind, start = header[156:157], at + N_BLOCK_BYTES
        raw = facts.get("path") or _name_of(header)
        n_bytes = _number(header[124:136], ref, raw)
        if kind in _OF_THE_NEXT:
            facts |= _further(file, kind, start, n_bytes, ref)
        else:
            n_bytes = _size(facts["size"], ref, raw) if "size" in facts else n_bytes
            facts = {}
            _require_kind(kind, raw, ref)
            name = checked_name(raw, ref)
            is_folder = kind == _FOLDER or raw.endswith("/")
            n_bytes = 0 if is_folder else n_bytes
            if name and not is_of_the_system(name):
                folders += [name] * is_folder
                files += [Member(name, n_bytes, start)] * (not is_folder)
        at = start + -(-n_bytes // N_BLOCK_BYTES) * N_BLOCK_BYTES
        if start + n_bytes > file.n_bytes:
            raise damaged(ref, "is truncated: it ends within a member", raw)
    return files, folders


def names_in_tar(file: OpenFile, ref: FileRef) -> Iterator[str]:
    """Yield the names in a tar, as far as its members are in the file; nothing is required of them.

    Raises:
        CorruptFileError, UnsafeFileError: As `list_tar`, of the facts that are needed to go on.
        OSError: The system cannot read.
    """
    at, facts = 0, dict[str, str]()
    for _ in range(MAX_MEMBERS):
        header = _header(file, at, ref) if at + N_BLOCK_BYTES <= file.n_bytes else None
        if header is None:
            return
        kind, start = header[156:157], at + N_BLOCK_BYTES
        raw = facts.get("path") or _name_of(header)
        n_bytes = _number(header[124:136], ref, raw)
        if kind in _OF_THE_NEXT:
            if start + n_bytes > file.n_bytes:
                return
            facts |= _further(file, kind, start, n_bytes, ref)
        else:
            yield raw
            n_bytes = _size(facts["size"], ref, raw) if "size" in facts else n_bytes
            facts = {}
        at = start + -(-n_bytes // N_BLOCK_BYTES) * N_BLOCK_BYTES


def _header(file: OpenFile, at: int, ref: FileRef) -> bytes | None:
    """Return the header at an offset; None at the end of the archive: a block of zeros, or the end of the file."""
    header = file.read(N_BLOCK_BYTES, at) if at < file.n_bytes else b""
    if at and at == file.n_bytes:
        return None
    if len(header) < N_BLOCK_BYTES:
        raise damaged(ref, "is truncated: it ends within a header")
    if not header.strip(b"\0"):
        return None
    if not is_tar_header(header):
        raise damaged(ref, f"is damaged: the header at byte {at:,} does not have its checksum")
    return header


def _name_of(header: bytes) -> str:
    name, prefix = header[:100].split(b"\0", 1)[0], header[345:500].split(b"\0", 1)[0]
    is_posix = header[257:263] == b"ustar\0"
    return _text(prefix + b"/" + name if prefix and is_posix else name)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _number(field: bytes, ref: FileRef, name: str) -> int:
    """Return a number in octal digits, or, if its first bit is set, in bytes."""
    if field[0] == 0x80:  # noqa: PLR2004  (GNU's mark)
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise damaged(ref, "is damaged: the size of a member is no number", name)
    return int(digits or b"0", 8)


def _size(text: str, ref: FileRef, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):  # noqa: PLR2004  (digits of 64 bits)
        raise damaged(ref, "is damaged: the size of a member is no number", name)
    return int(text)


def _further(file: OpenFile, kind: bytes, start: int, n_bytes: int, ref: FileRef) -> dict[str, str]:
    """Return what a member says of the next one: its path and size."""
    if n_bytes > MAX_HEADER_BYTES:
        raise unsafe(ref, f"has a header of {n_bytes:,} bytes; none needs more than {MAX_HEADER_BYTES:,}")
    data = file.read(n_bytes, start)
    if kind == _LONG_NAME:
        return {"path": _text(data.split(b"\0", 1)[0])}
    if kind == _LONG_LINK:
        return {}
    facts = _pax(data, ref)
    if any(key.startswith("GNU.sparse.") for key in facts):
        raise unsafe(ref, "has a sparse file", facts.get("GNU.sparse.name", ""))
    if kind == _PAX_GLOBAL and {"path", "size"} & set(facts):
        raise unsafe(ref, "gives all its members the same name or size")
    return {key: facts[key] for key in ("path", "size") if key in facts}


def _pax(data: bytes, ref: FileRef) -> dict[str, str]:
    facts: dict[str, str] = {}
    while data:
        length, _, _ = data[:20].partition(b" ")
        size = int(length) if length.isdigit() else 0
        key, is_one, value = data[len(length) + 1 : max(size - 1, 0)].partition(b"=")
        if not is_one or data[size - 1 : size] != b"\n" or size > len(data):
            raise damaged(ref, "is damaged: a pax header is malformed")
        facts[_text(key)] = _text(value)
        data = data[size:]
    return facts


def _require_kind(kind: bytes, name: str, ref: FileRef) -> None:
    if kind in _REFUSED:
        raise unsafe(ref, f"has {_REFUSED[kind]}", name)
    if kind not in (_FOLDER, b"0", b"\0", b"7"):
        raise unsafe(ref, f"has a member of the unknown type {kind!r}", name)
