"""Read the zip archive that torch.save writes from torch 1.6 on.

Source:
    torch/serialization.py, _save; caffe2/serialize/inline_container.cc, torch 1.12 and 2.13;
    torch/utils/serialization/config.py, save.compute_crc32, torch 2.13.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zlib_ng.zlib_ng import crc32

from safeload._bytes import absent
from safeload._bytes.kinds import FileKind, wrong_kind
from safeload._forms.torch.described import Content, Place, damaged, truncated, unsafe
from safeload._forms.torch.directory import read_directory
from safeload._forms.torch.pickle import MAX_PICKLE_BYTES, CutPickleError, Machine
from safeload._forms.torch.state import tensors_of
from safeload._text.words import escaped, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile
    from safeload._forms.torch.described import Storage
    from safeload._forms.torch.directory import Member

WANTED = "a PyTorch file of a state dict"
_PICKLE, _DATA = "data.pkl", "data/"
_MAX_BYTE_ORDER_BYTES = 6
_NO_PICKLE = FileKind(
    "zip", "zip archive without exactly one data.pkl in a folder", "pass the file as torch.save wrote it"
)
_SCRIPT = FileKind(
    "script", "a TorchScript archive", "load it with torch.jit.load, and save its state_dict() with torch.save"
)
BIG_ENDIAN = FileKind("big", "a PyTorch file in big-endian byte order", "save it again on a little-endian machine")


def read_archive(file: OpenFile, ref: FileRef) -> Content:
    """Return the tensors that the archive's pickle describes, and the places of their storages.

    Raises:
        WrongFileKindError: A TorchScript archive, a zip archive of something else, or one in big-endian byte order.
        CorruptFileError, UnsafeFileError, FileSystemError: As `read_directory` and `Machine.run`.
    """
    members = read_directory(file, ref)
    root = _root(members, ref)
    has_checksums = any(member.crc for member in members.values())  # torch writes 0 for all with compute_crc32 = False
    inner = {
        name.removeprefix(root): member if has_checksums else member._replace(crc=None)
        for name, member in members.items()
    }
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        raise wrong_kind(ref, _SCRIPT, wanted=WANTED)
    packed = next((name for name, member in inner.items() if not member.is_stored), None)
    if packed is not None:
        hint = "save it again with torch.save"
        raise unsafe(ref, f"has a compressed member, {one_line(packed)}, which torch never writes", hint)
    if "byteorder" in inner:
        _require_little(_verified(file, "byteorder", inner, _MAX_BYTE_ORDER_BYTES, ref), ref)
    machine = Machine(_verified(file, _PICKLE, inner, MAX_PICKLE_BYTES, ref), ref)
    try:
        tensors = tensors_of(machine.run(), ref)
    except CutPickleError as exc:
        raise truncated(ref, f"{_PICKLE} ends before its pickle does") from exc
    if machine.at != inner[_PICKLE].n_bytes:
        raise damaged(ref, f"{_PICKLE} has bytes behind its pickle")
    places = {name.removeprefix(_DATA): Place(*inner[name][:3]) for name in inner if name.startswith(_DATA)}
    for key, storage in machine.storages.items():
        _require_size(storage, places.get(key), ref)
    return Content(tensors, places)


def _root(members: Mapping[str, Member], ref: FileRef) -> str:
    """Return the folder in which all members are, with a slash."""
    roots = [name.removesuffix(_PICKLE) for name in members if re.fullmatch(rf"(?s)[^/]+/{re.escape(_PICKLE)}", name)]
    if len(roots) != 1 or not all(name.startswith(roots[0]) for name in members):
        raise wrong_kind(ref, _NO_PICKLE, wanted=WANTED)
    return roots[0]


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
        data = file.read(member.n_bytes, member.offset)
    except OSError as exc:
        raise absent.failed(ref, exc) from exc
    if member.crc is not None and crc32(data) != member.crc:
        what = f"the CRC-32 of {name} is {crc32(data):08x}, not {member.crc:08x} as stored"
        raise damaged(ref, what, offset=member.offset)
    return data


def _require_little(order: bytes, ref: FileRef) -> None:
    if order == b"big":
        raise wrong_kind(ref, BIG_ENDIAN, wanted="one in little-endian byte order")
    if order != b"little":
        raise damaged(ref, f"its byte order is neither little nor big but {escaped(order.decode('latin-1'))}")
