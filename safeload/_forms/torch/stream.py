"""Read the stream that torch.save wrote before torch 1.6: five pickles, then the storages.

Source:
    torch/serialization.py, _legacy_save and _legacy_load, torch 1.12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._bytes import absent
from safeload._bytes.kinds import wrong_kind
from safeload._forms.torch.archive import BIG_ENDIAN
from safeload._forms.torch.described import Content, Place, damaged, truncated, unsafe
from safeload._forms.torch.pickle import MAX_PICKLE_BYTES, CutPickleError, Machine
from safeload._forms.torch.state import tensors_of
from safeload._text.words import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile
    from safeload._forms.torch.described import Storage

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_N_PICKLES = 5
_FIRST_BYTES = 1 << 18
"""How much is read first; pickles that are longer are read again, up to `MAX_PICKLE_BYTES`."""

_N_LENGTH_BYTES = 8


def read_stream(file: OpenFile, ref: FileRef) -> Content:
    """Return the tensors that the pickles describe, and the places of their storages, which end where the file ends.

    Raises:
        WrongFileKindError: It is in big-endian byte order, or holds no dict.
        CorruptFileError: Truncated, or the pickles and the storages contradict each other.
        UnsafeFileError: As `Machine.run`.
        FileSystemError: The system cannot read.
    """
    try:
        (magic, protocol, system, value, keys), storages, at = _pickles(file, ref)
        if type(magic) is not int or (magic, protocol) != (_MAGIC, _PROTOCOL) or type(system) is not dict:
            raise damaged(ref, "its first pickles are not those of torch.save")
        if system.get("little_endian", True) is not True:
            raise wrong_kind(ref, BIG_ENDIAN, wanted="one in little-endian byte order")
        if type(keys) is not list or not all(type(key) is str for key in keys) or sorted(keys) != sorted(storages):
            raise damaged(ref, "its list of storages is not that of its tensors")
        return Content(tensors_of(value, ref), _places(file, at, [storages[key] for key in keys], ref))
    except OSError as exc:
        raise absent.failed(ref, exc) from exc


def _pickles(file: OpenFile, ref: FileRef) -> tuple[list[Any], Mapping[str, Storage], int]:
    """Return the values of the pickles, the storages of the fourth, and the offset behind them."""
    n_bytes = _FIRST_BYTES
    while True:
        data = file.read(n_bytes)
        values: list[Any] = []
        storages: dict[str, Storage] = {}
        at = 0
        try:
            for _ in range(_N_PICKLES):
                machine = Machine(data, ref, at)
                values.append(machine.run())
                storages.update(machine.storages)
                at = machine.at
        except CutPickleError as exc:
            if len(data) < n_bytes:
                raise truncated(ref, f"it ends within the pickle that begins at byte {at:,}") from exc
            if n_bytes >= MAX_PICKLE_BYTES:
                what = f"has pickles of more than {MAX_PICKLE_BYTES:,} bytes, which no weight file needs"
                raise unsafe(ref, what) from exc
            n_bytes = min(8 * n_bytes, MAX_PICKLE_BYTES)
        else:
            return values, storages, at


def _places(file: OpenFile, at: int, storages: list[Storage], ref: FileRef) -> dict[str, Place]:
    """Return the places of the storages, each behind its number of values."""
    places = {}
    for storage in storages:
        length = file.read(_N_LENGTH_BYTES, at)
        at += _N_LENGTH_BYTES
        n_bytes = storage.n_values * storage.item_bytes
        if at + n_bytes > file.n_bytes:
            raise truncated(
                ref, f"{file.n_bytes:,} bytes are present, and storage {escaped(storage.key)} ends at {at + n_bytes:,}"
            )
        if int.from_bytes(length, "little") != storage.n_values:
            raise damaged(ref, f"storage {escaped(storage.key)} has another length than its tensors say", offset=at)
        places[storage.key] = Place(at, n_bytes)
        at += n_bytes
    if at != file.n_bytes:
        raise damaged(ref, f"{file.n_bytes - at:,} bytes behind its last storage belong to nothing", offset=at)
    return places
