"""Read an open file of torch.save, or the shards that an index lists."""

from __future__ import annotations

from collections import Counter
from functools import cached_property, partial
from math import prod
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._bytes import absent
from safeload._bytes.kinds import BY_ID, UNKNOWN, kind_of_open, wrong_kind
from safeload._forms.arrays import DamagedError, read_run
from safeload._forms.ranges import Extent, RangeFile
from safeload._forms.torch.archive import WANTED, read_archive
from safeload._forms.torch.described import Place, damaged, unsafe
from safeload._forms.torch.stream import read_stream
from safeload._text.words import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from numpy.typing import NDArray

    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile
    from safeload._forms.arrays import Run
    from safeload._forms.seen import Seen
    from safeload._forms.torch.described import Content, Tensor

MAX_REPEATS = 16
"""How many times the size of the file its tensors may have together; those that share a storage count each."""

MIN_REPEATED_BYTES = 1 << 24
_ZIP = b"PK\3\4"


class _Stored(NamedTuple):
    """A storage of one of the files."""

    file: int
    place: Place


class TorchFile(RangeFile):
    """A file of torch.save, or several that an index lists; the CRC-32 of each storage that is read is verified."""

    without = (
        "none: PyTorch's files before torch 1.6, and those saved with compute_crc32 = False, store no checksums; "
        "a lock file records a SHA-256 of each file"
    )

    def __init__(self, ref: FileRef) -> None:
        """Open the files and list their tensors.

        Raises:
            WrongFileKindError: Not a file of torch.save, nor an index of such files; or it holds no state dict.
            CorruptFileError: Truncated or damaged, or the index and the shards contradict each other.
            UnsafeFileError: The pickle asks for a callable that no state dict needs, or something exceeds a limit.
            MissingFileError, UnreadableFileError, FileSystemError: As `open_file`.
        """
        self._storages: dict[str, _Stored] = {}
        super().__init__(ref)
        self.summary = f"state dict of PyTorch in {counted(len(self.refs), 'file')}"
        parts = {self._storages[name] for name in self.tensors if not self._is_whole(name)}
        self._locks = {stored: Lock() for stored in parts}
        self._proven: dict[_Stored, DamagedError | None] = {}
        self._verified: set[_Stored] = set()

    def checksums(self, n_read: int) -> str:
        """State how many storages were compared with their CRC-32."""
        del n_read
        return f"CRC-32 of {counted(len(self._verified), 'storage')}" if self._verified else self.without

    def is_equal(self, name: str, other: str) -> bool:
        """Return whether two tensors are equal; the same bytes are, without being read."""
        same_storage = self._storages[name] == self._storages[other]
        same_bytes = same_storage and self.extents[name] == self.extents[other] and self.tensors[name].n_bytes
        same_spec = self.tensors[name].spec.shape == self.tensors[other].spec.shape
        return bool(same_bytes and same_spec) or super().is_equal(name, other)

    def first_with_same_bytes(self, name: str) -> str:
        """Return the first tensor that is the same part of the same storage, with the same shape, strides and type."""
        return self._firsts.get(self._identity(name), name)

    @cached_property
    def _firsts(self) -> dict[object, str]:
        firsts: dict[object, str] = {}
        for name, tensor in self.tensors.items():
            if tensor.n_bytes:
                firsts.setdefault(self._identity(name), name)
        return firsts

    def _identity(self, name: str) -> object:
        spec = self.tensors[name].spec
        return self._storages[name], self.extents[name], spec.shape, spec.dtype

    def _may_be_used_in_place(self, name: str) -> bool:
        """Return whether the tensor is all of its storage, and no other is a part of it or has another shape."""
        return self._is_whole(name) and self._n_users[self._storages[name]] == 1

    @cached_property
    def _n_users(self) -> Counter[_Stored]:
        return Counter(self._storages[name] for name in self._firsts.values())

    def look(self, name: str) -> tuple[NDArray[Any] | None, str]:
        """Read a tensor for display, even if its storage is damaged."""
        values, fault = super().look(name)
        if values is not None and not fault:
            try:
                self._prove(self._storages[name])
            except DamagedError as exc:
                fault = str(exc)
        return values, fault

    def _each(self, names: Iterable[str], use: Callable[[str], Any]) -> dict[str, Any]:
        self._proven = {}
        return super()._each(names, use)

    def _check(self, name: str) -> Seen:
        seen: Seen = self._with_proof(name, super()._check)
        return seen

    def _read(self, name: str) -> tuple[NDArray[Any], Seen]:
        found: tuple[NDArray[Any], Seen] = self._with_proof(name, super()._read)
        return found

    def _read_floats(self, name: str, *, turned: bool) -> tuple[NDArray[Any], Seen]:
        read = partial(super()._read_floats, turned=turned)
        found: tuple[NDArray[Any], Seen] = self._with_proof(name, read)
        return found

    def _run(self, name: str) -> Run:
        """Return the values to read, with the checksum of the storage where the tensor is all of it."""
        run, place = super()._run(name), self._storages[name].place
        if place.unpacked is not None:
            run = run._replace(file=place.unpacked, offset=run.offset - place.offset)
        return run._replace(crc=place.crc, checksum="crc32") if self._is_whole(name) else run

    def _with_proof(self, name: str, use: Callable[[str], Any]) -> Any:  # noqa: ANN401  (what `use` returns)
        """Use a tensor whose storage is proven: before, if the tensor is a part of it."""
        stored = self._storages[name]
        if stored.place.crc is None:
            return use(name)
        if not self._is_whole(name):
            self._prove(stored)
        found = use(name)
        self._verified.add(stored)
        return found

    def _prove(self, stored: _Stored) -> None:
        """Verify a storage, once for all tensors of a read; raises DamagedError."""
        with self._locks.get(stored) or Lock():
            if stored not in self._proven:
                try:
                    read_run(stored.place.run(self.opened[stored.file]))
                    self._proven[stored] = None
                except DamagedError as exc:
                    self._proven[stored] = exc
            fault = self._proven[stored]
        if fault is not None:
            raise DamagedError(fault.kind, fault.text) from fault.__cause__

    def _is_whole(self, name: str) -> bool:
        extent, place = self.extents[name], self._storages[name].place
        return not extent.has_gaps and (extent.offset, extent.n_bytes) == place[:2]

    def _n_repeated(self) -> int:
        """Return the bytes of tensors whose storage another tensor has counted."""
        first: dict[_Stored, str] = {}
        return sum(
            self.tensors[name].n_bytes
            for name, stored in self._storages.items()
            if first.setdefault(stored, name) != name
        )

    def _list(self, number: int) -> Collection[str]:
        n_bytes, ref = 0, self.refs[number]
        content = _read_content(self.opened[number], ref)
        for name, tensor in content.tensors.items():
            place = content.places[tensor.storage.key] if tensor.storage else Place(0, 0)
            extent = _extent(number, name, tensor, place, ref) if tensor.storage else Extent(number, 0, 0)
            n_read = prod(tensor.shape) * tensor.item_bytes
            self._add(name, extent, tensor.shape, tensor.dtype, n_read)
            self._storages[name] = _Stored(number, place)
            n_bytes += n_read
        limit = MAX_REPEATS * max(self.opened[number].n_bytes, MIN_REPEATED_BYTES // MAX_REPEATS)
        if n_bytes > limit:
            raise unsafe(ref, f"has tensors of {n_bytes:,} bytes, more than {MAX_REPEATS} times its own size")
        return content.tensors


def _read_content(file: OpenFile, ref: FileRef) -> Content:
    try:
        kind, start = kind_of_open(file) or UNKNOWN, file.read(len(_ZIP))
    except OSError as exc:
        raise absent.failed(ref, exc) from exc
    if kind is not BY_ID["torch"]:
        raise wrong_kind(ref, kind, wanted=WANTED)
    return read_archive(file, ref) if start == _ZIP else read_stream(file, ref)


def _extent(number: int, name: str, tensor: Tensor, place: Place, ref: FileRef) -> Extent:
    """Return the bytes of a tensor from its first value to its last.

    Raises:
        CorruptFileError: They are not all in its storage.
    """
    axes = [(stride, size) for stride, size in zip(tensor.strides, tensor.shape, strict=True) if size != 1]
    n_values = 1 + sum(stride * (size - 1) for stride, size in axes) if prod(tensor.shape) else 0
    start = tensor.offset * tensor.item_bytes
    n_bytes = n_values * tensor.item_bytes
    if start + n_bytes > place.n_bytes:
        what = f"{one_line(name)} ends beyond its storage, at byte {start + n_bytes:,} of {place.n_bytes:,}"
        raise damaged(ref, what, name, offset=place.offset)
    is_ordered = not n_values or _is_packed(axes)
    return Extent(
        number,
        place.offset + start,
        n_bytes,
        None if is_ordered else tensor.strides,
        has_gaps=not is_ordered and not _is_packed(sorted(axes, reverse=True)),
    )


def _is_packed(axes: list[tuple[int, int]]) -> bool:
    """Return whether each axis steps over exactly the values of those behind it."""
    wanted = 1
    for stride, size in reversed(axes):
        if stride != wanted:
            return False
        wanted *= size
    return True
