"""Read the directory of a zip archive, such as torch.save writes.

Stricter than zip readers are: each byte belongs to one member, to what describes one, or to the directory, which is at the
end of the file and says the same as the members' own headers. So all readers find the same members.

Source:
    APPNOTE.TXT 6.3.10, PKWARE; miniz.c, mz_zip_writer_add_mem_ex_v2, of torch 2.13.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from safeload._bytes import absent
from safeload._forms.torch.described import damaged, truncated, unsafe
from safeload._text.words import one_line

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile

MAX_DIRECTORY_BYTES = 1 << 24
"""The size of the directory, in bytes: some 100,000 members."""

MAX_MEMBERS = 110_000
"""The number of members."""

_END, _ENTRY, _LOCAL = struct.Struct("<4s4H2IH"), struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s5H3I2H")
_LOCATOR, _END64 = struct.Struct("<4sIQI"), struct.Struct("<4sQ2H2I4Q")
_END_SIGN, _ENTRY_SIGN, _LOCAL_SIGN = b"PK\5\6", b"PK\1\2", b"PK\3\4"
_LOCATOR_SIGN, _END64_SIGN = b"PK\6\7", b"PK\6\6"
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
_ZIP64_ID = 1
_ENCRYPTED = 0x2041
"""Flags of encrypted members and directories."""

_DESCRIBED_BEHIND = 8
"""The flag of members whose checksum and sizes are behind them, and need not be in their own header."""

_MAX_DESCRIPTOR_BYTES = 24
"""The size of what may repeat a member's checksum and sizes behind it."""

_Row = tuple[int, int, int, int, int, int, int]


class Member(NamedTuple):
    """A member.

    Attributes:
        offset: The offset of its first byte in the file.
        n_bytes: Its size in the archive, in bytes.
        crc: The CRC-32 of what it holds; None if the archive has none.
        is_stored: Whether it is not compressed.
    """

    offset: int
    n_bytes: int
    crc: int | None
    is_stored: bool


class _Entry(NamedTuple):
    """A member, as the directory describes it."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    n_bytes: int
    header: int


def read_directory(file: OpenFile, ref: FileRef) -> dict[str, Member]:
    """Return name -> member.

    Raises:
        CorruptFileError: Truncated, or the directory and the members contradict each other.
        UnsafeFileError: A member is encrypted, or there are more than any weight file needs.
        FileSystemError: The system cannot read.
    """
    try:
        start, n_bytes, n_members = _place(file, ref)
        entries = _entries(file.read(n_bytes, start), n_members, ref)
        members: dict[str, Member] = {}
        folded: set[str] = set()
        end = 0
        for entry in sorted(entries, key=lambda entry: entry.header):
            name = _decoded(entry.raw_name, ref)
            if name.lower() in folded:  # torch takes either of two that differ in case
                raise damaged(ref, f"its directory has {one_line(name)} twice", name)
            folded.add(name.lower())
            if not end <= entry.header <= end + _MAX_DESCRIPTOR_BYTES * bool(end):
                raise damaged(
                    ref, f"{one_line(name)} overlaps the member before it, or bytes before it belong to none", name
                )
            members[name] = _member(file, entry, ref)
            end = members[name].offset + entry.packed
            if end > start:
                raise damaged(ref, f"{one_line(name)} ends beyond the directory", name)
    except OSError as exc:
        raise absent.failed(ref, exc) from exc
    if not end <= start <= end + _MAX_DESCRIPTOR_BYTES:
        raise damaged(ref, "bytes before its directory belong to no member")
    return members


def _place(file: OpenFile, ref: FileRef) -> tuple[int, int, int]:
    """Return the offset and the size of the directory, and the number of its members."""
    end_at = file.n_bytes - _END.size
    data = file.read(_END.size, max(end_at, 0))
    if end_at < 0 or not data.startswith(_END_SIGN):
        raise truncated(ref, "the archive's directory is not at its end")
    _, disk, first, n_here, n_members, n_bytes, start, n_comment = _END.unpack(data)
    found = [disk, first, n_here, n_members, n_bytes, start]
    located = file.read(_LOCATOR.size, max(end_at - _LOCATOR.size, 0))
    if located.startswith(_LOCATOR_SIGN):
        end_at -= _LOCATOR.size + _END64.size
        found = _zip64(file, end_at, located, found, ref)
    disk, first, n_here, n_members, n_bytes, start = found
    if (disk, first, n_here, n_comment) != (0, 0, n_members, 0) or start + n_bytes != end_at:
        raise damaged(ref, "what ends the archive contradicts the place of its directory")
    if n_bytes > MAX_DIRECTORY_BYTES or n_members > MAX_MEMBERS:
        what = f"has a directory of {n_members:,} members in {n_bytes:,} bytes; no weight file needs more than {MAX_MEMBERS:,}"
        raise unsafe(ref, what)
    return start, n_bytes, n_members


def _zip64(file: OpenFile, at: int, located: bytes, found: list[int], ref: FileRef) -> list[int]:
    """Return the large fields that end an archive, which must not contradict the small ones."""
    data = file.read(_END64.size, max(at, 0))
    if at < 0 or not data.startswith(_END64_SIGN) or _LOCATOR.unpack(located)[1:] != (0, at, 1):
        raise damaged(ref, "the archive's end names a zip64 end that is not before it")
    _, n_more, _, _, *large = _END64.unpack(data)
    limits = [_MAX16] * 4 + [_MAX32] * 2
    if n_more != _END64.size - 12 or any(
        small not in (limit, each) for small, limit, each in zip(found, limits, large, strict=True)
    ):
        raise damaged(ref, "the archive's end and its zip64 end contradict each other")
    return large


def _entries(data: bytes, n_members: int, ref: FileRef) -> list[_Entry]:
    entries, at = [], 0
    for _ in range(n_members):
        if len(data) < at + _ENTRY.size or not data.startswith(_ENTRY_SIGN, at):
            raise damaged(ref, "its directory ends before its last member")
        row = _ENTRY.unpack_from(data, at)
        _, _, _, flags, method, _, _, crc, packed, n_bytes, n_name, n_extra, n_comment, disk, _, _, header = row
        name_at = at + _ENTRY.size
        at = name_at + n_name + n_extra + n_comment
        if at > len(data):
            raise damaged(ref, "its directory ends within a member's name")
        raw_name = data[name_at : name_at + n_name]
        extra = data[name_at + n_name : name_at + n_name + n_extra]
        n_bytes, packed, header = _large(extra, [n_bytes, packed, header], ref)
        shown = one_line(_decoded(raw_name, ref))
        if flags & _ENCRYPTED:
            raise unsafe(
                ref, f"has an encrypted member, {shown}, which torch never writes", "save it again with torch.save"
            )
        if disk or (packed != n_bytes and not method):
            raise damaged(ref, f"its directory contradicts itself about {shown}")
        entries.append(_Entry(raw_name, flags, method, crc, packed, n_bytes, header))
    if at != len(data):
        raise damaged(ref, "its directory has bytes behind its last member")
    return entries


def _large(extra: bytes, fields: list[int], ref: FileRef) -> list[int]:
    """Return the size, the packed size and the offset, of which the extra field of zip64 has those that are too large."""
    if _MAX32 not in fields:
        return fields
    at = 0
    while at + 4 <= len(extra):
        number, n_bytes = struct.unpack_from("<2H", extra, at)
        at += 4
        if number == _ZIP64_ID and n_bytes == 8 * fields.count(_MAX32) and at + n_bytes <= len(extra):
            large = iter(struct.unpack_from(f"<{n_bytes // 8}Q", extra, at))
            return [next(large) if field == _MAX32 else field for field in fields]
        at += n_bytes
    raise damaged(ref, "its directory lacks the size of a large member")


def _member(file: OpenFile, entry: _Entry, ref: FileRef) -> Member:
    """Return a member whose own header says what the directory says."""
    n_name = len(entry.raw_name)
    data = file.read(_LOCAL.size + n_name, entry.header)
    if len(data) < _LOCAL.size + n_name:
        raise truncated(ref, "a member begins beyond its end")
    sign, _, flags, method, _, _, crc, packed, n_bytes, n_found, n_extra = _LOCAL.unpack_from(data)
    is_unset = flags & _DESCRIBED_BEHIND and (crc, packed, n_bytes) == (0, 0, 0)
    agrees = is_unset or (crc == entry.crc and packed in (_MAX32, entry.packed) and n_bytes in (_MAX32, entry.n_bytes))
    if (
        (sign, flags, method, n_found) != (_LOCAL_SIGN, entry.flags, entry.method, n_name)
        or not agrees
        or data[_LOCAL.size :] != entry.raw_name
    ):
        name = _decoded(entry.raw_name, ref)
        raise damaged(ref, f"the header of {one_line(name)} says something else than the directory", name)
    return Member(entry.header + _LOCAL.size + n_name + n_extra, entry.packed, entry.crc, not entry.method)


def _decoded(raw_name: bytes, ref: FileRef) -> str:
    try:
        return raw_name.decode()
    except UnicodeDecodeError as exc:
        raise damaged(ref, "a member's name is not UTF-8") from exc
