"""Read the directory of a zip archive whose members are stored, not compressed, to read them in place.

Source:
    APPNOTE.TXT - .ZIP File Format Specification 6.3, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from safeload._text.words import escaped
from safeload.errors import CorruptFileError, UnsafeFileError

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef, OpenFile

MAX_MEMBERS = 10_000
MAX_DIRECTORY_BYTES = 16 << 20
_BLOCK_BYTES = 1 << 20

_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX_COMMENT = 0xFFFF
_IN_ZIP64 = 0xFFFFFFFF
_ENCRYPTED = 1
_COPY_AGAIN = ["copy or download the file again"]
_SAVE_AGAIN = ["save the model again with the library that made the file"]


class Member(NamedTuple):
    """A member of an archive.

    Attributes:
        name: Its path in the archive.
        n_bytes: Its size.
        crc: The CRC-32 of its bytes.
        offset: The offset of its first byte in the file; None if it is compressed or encrypted.
    """

    name: str
    n_bytes: int
    crc: int
    offset: int | None


def read_directory(file: OpenFile, ref: FileRef) -> dict[str, Member]:
    """Read and verify the directory: name -> member.

    Raises:
        CorruptFileError: There is no directory, or it contradicts itself or the members.
        UnsafeFileError: Two members have one name, share bytes, or lead out of the archive; or a limit is exceeded.
        OSError: The system cannot read.
    """
    start = max(0, file.n_bytes - _END.size - _MAX_COMMENT)
    tail = file.read(file.n_bytes - start, start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        message = "the zip archive has no directory at its end: it is truncated"
        raise CorruptFileError(message, **ref.facts, hints=_COPY_AGAIN)
    _, disk, first_disk, n_here, n_members, size, offset, n_comment = _END.unpack_from(tail, at)
    if _IN_ZIP64 in (size, offset) or n_members > MAX_MEMBERS or size > MAX_DIRECTORY_BYTES:
        message = f"the zip archive has zip64 sizes, or more than {MAX_MEMBERS:,} members or {MAX_DIRECTORY_BYTES:,} bytes of directory"
        raise UnsafeFileError(message, **ref.facts, hints=_SAVE_AGAIN)
    end = start + at
    if disk or first_disk or n_here != n_members or offset + size != end or end + _END.size + n_comment != file.n_bytes:
        raise _contradicted(ref)
    members: dict[str, Member] = {}
    extents = []
    data, place = file.read(size, offset), 0
    for _ in range(n_members):
        member, place, begin = _member(file, ref, data, place)
        if member.name in members:
            message = "two members of the zip archive have one name"
            raise UnsafeFileError(message, **ref.facts, context=[("member", escaped(member.name))], hints=_SAVE_AGAIN)
        members[member.name] = member
        extents.append((begin, (member.offset or begin) + member.n_bytes * (member.offset is not None)))
    if place != len(data):
        raise _contradicted(ref)
    extents.sort()
    if any(one[1] > two[0] for one, two in itertools.pairwise([*extents, (offset, offset)])):
        message = "members of the zip archive share bytes"
        raise UnsafeFileError(message, **ref.facts, hints=_SAVE_AGAIN)
    return members


def _member(file: OpenFile, ref: FileRef, data: bytes, at: int) -> tuple[Member, int, int]:
    """Return the member of an entry, the place of the next entry, and the offset of the member's own header."""
    if at + _ENTRY.size > len(data):
        raise _contradicted(ref)
    mark, _, _, flags, method, _, _, crc, stored, size, *lengths, _, _, _, begin = _ENTRY.unpack_from(data, at)
    n_name, n_extra, n_comment = lengths
    raw = data[at + _ENTRY.size : at + _ENTRY.size + n_name]
    local = file.read(_LOCAL.size + n_name, begin)
    if mark != b"PK\x01\x02" or len(raw) < n_name or len(local) < _LOCAL.size + n_name:
        raise _contradicted(ref)
    head = _LOCAL.unpack_from(local)
    if (head[0], head[3], head[9]) != (b"PK\x03\x04", method, n_name) or local[_LOCAL.size :] != raw:
        raise _contradicted(ref)
    name = raw.decode("utf-8", "backslashreplace")
    _require_inside(name, ref)
    if _IN_ZIP64 in (stored, size, begin):
        message = "a member of the zip archive has zip64 sizes"
        raise UnsafeFileError(message, **ref.facts, context=[("member", escaped(name))], hints=_SAVE_AGAIN)
    is_stored = method == 0 and not flags & _ENCRYPTED
    if is_stored and stored != size:
        raise _contradicted(ref)
    offset = begin + _LOCAL.size + n_name + head[10] if is_stored else None
    return Member(name, size, crc, offset), at + _ENTRY.size + n_name + n_extra + n_comment, begin


def _require_inside(name: str, ref: FileRef) -> None:
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or not parts[0] or "\0" in name or parts[0].endswith(":"):
        message = "a member of the zip archive leads out of it"
        raise UnsafeFileError(message, **ref.facts, context=[("member", escaped(name))], hints=_SAVE_AGAIN)


def _contradicted(ref: FileRef) -> CorruptFileError:
    message = "the directory of the zip archive contradicts itself or its members"
    return CorruptFileError(message, **ref.facts, hints=_COPY_AGAIN)


def require_stored(member: Member, ref: FileRef) -> int:
    """Return the offset of a member's bytes.

    Raises:
        UnsafeFileError: It is compressed or encrypted.
    """
    if member.offset is None:
        message = f"the member {escaped(member.name)} of the zip archive is compressed or encrypted"
        raise UnsafeFileError(message, **ref.facts, hints=_SAVE_AGAIN)
    return member.offset


def require_checksum(file: OpenFile, ref: FileRef, member: Member) -> None:
    """Require that a stored member's bytes have its CRC-32.

    Raises:
        CorruptFileError: They have another, or some are missing.
        UnsafeFileError: As `require_stored`.
        OSError: The system cannot read.
    """
    offset, crc = require_stored(member, ref), 0
    block = memoryview(bytearray(min(_BLOCK_BYTES, member.n_bytes)))
    for at in range(0, member.n_bytes, _BLOCK_BYTES):
        part = block[: min(_BLOCK_BYTES, member.n_bytes - at)]
        n_read = file.read_into(part, offset + at)
        crc = zlib.crc32(part[:n_read], crc)
    if crc != member.crc:
        message = f"the CRC-32 of {escaped(member.name)} in the zip archive is not the one that was stored with it"
        raise CorruptFileError(message, **ref.facts, offset=offset, hints=_COPY_AGAIN)
