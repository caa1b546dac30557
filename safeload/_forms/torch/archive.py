"""Read the zip archive that torch.save writes from torch 1.6 on.

Source:
    torch/serialization.py, _save; caffe2/serialize/inline_container.cc, torch 1.12 and 2.13;
    torch/utils/serialization/config.py, save.compute_crc32, torch 2.13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._bytes import absent
from safeload._bytes.archives.reading import InflatedFile, StoredFile
from safeload._bytes.archives.zips import list_zip
from safeload._bytes.kinds import MAX_ZIPPED, FileKind, wrong_kind
from safeload._bytes.zlib import crc32
from safeload._forms.torch.described import Content, Place, damaged, truncated, unsafe
from safeload._forms.torch.pickle import MAX_PICKLE_BYTES, CutPickleError, Machine
from safeload._forms.torch.state import tensors_of
from safeload._text.words import escaped, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._bytes.archives.members import Member
    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile
    from safeload._forms.torch.described import Storage

WANTED = "a PyTorch file of a state dict"
_PICKLE, _DATA = "data.pkl", "data/"
_MAX_BYTE_ORDER_BYTES = 6
_SCRIPT = FileKind(
    "script", "a TorchScript archive", "load it with torch.jit.load, and save its state_dict() with torch.save"
)
BIG_ENDIAN = FileKind("big", "a PyTorch file in big-endian byte order", "save it again on a little-endian machine")


def read_archive(file: OpenFile, ref: FileRef) -> Content:
    """Return the tensors that the archive's pickle describes, and the places of their storages.

    An archive that was unpacked and packed again, in another order, with folders or compressed, is read as torch does.

    Raises:
        WrongFileKindError: A TorchScript archive, or one in big-endian byte order.
        CorruptFileError, UnsafeFileError, FileSystemError: As `list_zip` and `Machine.run`.
    """
    inner = _members(file, ref)
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        raise wrong_kind(ref, _SCRIPT, wanted=WANTED)
    if "byteorder" in inner:
        _require_little(_verified(file, "byteorder", inner, _MAX_BYTE_ORDER_BYTES, ref), ref)
    machine = Machine(_verified(file, _PICKLE, inner, MAX_PICKLE_BYTES, ref), ref)
    try:
        tensors = tensors_of(machine.run(), ref)
    except CutPickleError as exc:
        raise truncated(ref, f"{_PICKLE} ends before its pickle does") from exc
    if machine.at != inner[_PICKLE].n_bytes:
        raise damaged(ref, f"{_PICKLE} has bytes behind its pickle")
    places = {
        name.removeprefix(_DATA): Place(each.start, each.n_bytes, each.crc, _inflated(file, each))
        for name, each in inner.items()
        if name.startswith(_DATA)
    }
    for key, storage in machine.storages.items():
        _require_size(storage, places.get(key), ref)
    return Content(tensors, places)


def _members(file: OpenFile, ref: FileRef) -> dict[str, Member]:
    """Return the members by their names inside the one folder in which all are."""
    try:
        members, _ = list_zip(file, ref, max_members=MAX_ZIPPED)
    except OSError as exc:
        raise absent.failed(ref, exc) from exc
    has_checksums = any(member.crc for member in members)  # torch writes 0 for all with compute_crc32 = False
    found: dict[str, Member] = {}
    folded: set[str] = set()
    for member in members:
        name = member.name.partition("/")[2]
        if name.lower() in folded:  # torch takes either of two that differ in case
            raise damaged(ref, f"its directory has {one_line(member.name)} twice", member.name)
        folded.add(name.lower())
        found[name] = member if has_checksums else member._replace(crc=None)
    if _PICKLE not in found:
        raise damaged(ref, f"it has no {_PICKLE}")
    return found


def _inflated(file: OpenFile, member: Member) -> OpenFile | None:
    """Return a file of what a compressed member unpacks to; None if it is not compressed."""
    if member.n_stored is None:
        return None
    from safeload._bytes.archives.inflating import RAW, Inflated, Stored  # noqa: PLC0415  (torch compresses nothing)

    inflated = Inflated(Stored(member.start, member.n_stored, RAW), n_bytes=member.n_bytes)
    return InflatedFile(file, file.path, member, inflated)


def _require_size(storage: Storage, place: Place | None, ref: FileRef) -> None:
    wanted, shown = storage.n_values * storage.item_bytes, escaped(storage.key)
    if place is None:
        raise damaged(ref, f"it has no storage {shown}, which its tensors use")
    if place.n_bytes != wanted:
        what = f"storage {shown} has {place.n_bytes:,} bytes, but its tensors say {wanted:,}"
        raise damaged(ref, what, offset=place.offset)


def _verified(file: OpenFile, name: str, members: Mapping[str, Member], max_bytes: int, ref: FileRef) -> bytes:
    member = members[name]
    if member.n_bytes > max_bytes:
        raise unsafe(ref, f"has {name} of {member.n_bytes:,} bytes; no weight file needs more than {max_bytes:,}")
    try:
        data = (_inflated(file, member) or StoredFile(file, file.path, member)).read(member.n_bytes)
    except OSError as exc:
        raise absent.failed(ref, exc) from exc
    if member.crc is not None and crc32(data) != member.crc:
        what = f"the CRC-32 of {name} is {crc32(data):08x}, not {member.crc:08x} as stored"
        raise damaged(ref, what, offset=member.start)
    return data


def _require_little(order: bytes, ref: FileRef) -> None:
    if order == b"big":
        raise wrong_kind(ref, BIG_ENDIAN, wanted="one in little-endian byte order")
    if order != b"little":
        raise damaged(ref, f"its byte order is neither little nor big but {escaped(order.decode('latin-1'))}")
