"""Read tensors that lie uncompressed in one or more files, as most forms without checksums of their own store them."""

from __future__ import annotations

from abc import abstractmethod
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from safeload._bytes.small import open_file
from safeload._forms.arrays import (
    LOOKED_AT,
    DamagedError,
    Run,
    add_to,
    checksum_text,
    columns_of,
    fill,
    float32_for,
    look_for,
    memory_for,
    read_floats,
    read_run,
    seen_of,
)
from safeload._forms.byte_order import number_bytes, to_host
from safeload._forms.element_types import PACKED, TYPES, n_bytes_of
from safeload._forms.floats import put
from safeload._forms.shards import index_of
from safeload._forms.strided import blocks_of, order_of, place_of, strides_of
from safeload._forms.weight_file import COPY_AGAIN, DIVERGED, TOO_LARGE, WIDENED, StoredTensor, WeightFile
from safeload._text.words import escaped
from safeload.errors import CorruptFileError
from safeload.report import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile
    from safeload._forms.seen import Seen

    Array = NDArray[Any]


class Extent(NamedTuple):
    """The bytes of a tensor.

    Attributes:
        file: The number of its file.
        offset: The offset of its first byte in the file.
        n_bytes: The number of bytes from the first to the last.
        strides: The distance between neighbours along each axis, in elements; None where they lie in C order.
        has_gaps: Whether bytes between them belong to other values, or several places of the tensor to one value.
    """

    file: int
    offset: int
    n_bytes: int
    strides: tuple[int, ...] | None = None
    has_gaps: bool = False


class RangeFile(WeightFile):
    """Tensors that lie uncompressed in a file, or in several that an index lists.

    A subclass lists the tensors of each file (`_list`).

    Attributes:
        opened: The files that hold values.
        refs: The reference of each.
        extents: Name -> the tensor's bytes.
    """

    noun = "tensor"
    title = "weight file"
    without: ClassVar[str]
    """What the form has no checksums of, and what instead: the text of `checksums`."""

    def __init__(self, ref: FileRef) -> None:
        """Open the files and list their tensors.

        Raises:
            CorruptFileError: The index and the files contradict each other.
            SafeLoadError: As `read_index`, `open_file` and the form's own `_list`.
        """
        self.ref = ref
        self._index = index_of(ref)
        self.refs = self._index.refs if self._index else [ref]
        self.opened: list[OpenFile] = []
        self.extents: dict[str, Extent] = {}
        self.tensors: dict[str, StoredTensor] = {}
        if self._index:
            self._index.require_there()
        ref.source.expect([file_ref.path for file_ref in self.refs])
        try:
            for number, file_ref in enumerate(self.refs):
                self.opened.append(open_file(file_ref))
                names = self._list(number)
                if self._index:
                    self._index.require_listed(number, names)
            if self._index:
                self._index.require_all(self.tensors, n_repeated=self._n_repeated())
        except BaseException:
            self.close()
            raise

    @abstractmethod
    def _list(self, number: int) -> Collection[str]:
        """List the tensors of an open file, with `_add`; return their names."""

    def _add(self, name: str, extent: Extent, shape: tuple[int, ...], dtype: str, n_bytes: int) -> None:
        """List a tensor: its bytes in the file, and its size once it is read."""
        if name in self.extents and self._index:
            raise self._index.repeated(name)
        self.extents[name] = extent
        self.tensors[name] = StoredTensor(spec=TensorSpec(name=name, shape=shape, dtype=dtype), n_bytes=n_bytes)

    def _n_repeated(self) -> int:
        """Return the bytes of tensors that another tensor has too."""
        return 0

    def close(self) -> None:
        """Close the files; the listing stays available."""
        for file in self.opened:
            file.close()

    def files(self) -> list[tuple[str, str]]:
        """Return (role, path) of each file."""
        index = [("index", self._index.ref.path)] if self._index else []
        return [*index, *((ref.role, ref.path) for ref in self.refs)]

    def checksums(self, n_read: int) -> str:  # noqa: ARG002  (there are none)
        """State what was compared with checksums."""
        return self.without

    def look(self, name: str) -> tuple[Array | None, str]:
        """Read a tensor for display; NaN and infinity do not count as faults."""
        if self.tensors[name].spec.dtype not in TYPES:
            return None, ""
        try:
            return self._unchecked(name), ""
        except MemoryError:
            return None, TOO_LARGE
        except DamagedError as exc:
            return None, str(exc)

    def require_unchanged(self) -> None:
        """Require that the files have not changed since they were opened.

        Raises:
            CorruptFileError: A file was replaced or written to.
        """
        for file, ref in zip(self.opened, self.refs, strict=True):
            if file.is_replaced():
                message = f"the {ref.role} file was replaced or written to while the model was being loaded"
                hints = ["load again when nothing writes to the folder"]
                raise CorruptFileError(message, **ref.facts, hints=hints)

    def _check(self, name: str) -> Seen:
        return self._gathered(name, None) if self.extents[name].has_gaps else read_run(self._run(name))

    def _read(self, name: str) -> tuple[Array, Seen]:
        if self.extents[name].has_gaps:
            values = self._empty(name)
            return values, self._gathered(name, values)
        run = self._run(name)
        memory = run.held() if self._may_be_used_in_place(name) else None
        if memory is not None:
            seen = read_run(run)
        else:
            memory = memory_for(run.n_bytes)
            seen = read_run(run, memory)
        return self._shaped(name, memory.view(self._dtype(name))), seen

    def _may_be_used_in_place(self, name: str) -> bool:  # noqa: ARG002  (in most forms, no two tensors overlap)
        """Return whether no other tensor has the same bytes."""
        return True

    def _read_floats(self, name: str, *, turned: bool) -> tuple[Array, Seen]:
        spec, extent = self.tensors[name].spec, self.extents[name]
        if extent.strides is None or spec.dtype not in WIDENED:
            return super()._read_floats(name, turned=turned)
        if extent.has_gaps:
            out = float32_for(spec.shape)
            return out, self._gathered(name, out)
        flat, seen = read_floats(self._run(name), (prod(spec.shape),), turned=False)
        return self._shaped(name, flat), seen

    def _has_same_values(self, name: str, other: str) -> bool:
        """Compare block by block, while one of the two is in memory."""
        whole, spec = self.read([other], floats=True)[other], self.tensors[name].spec
        turned = whole.transpose(self._order(name))
        try:
            is_equal = all(
                np.array_equal(_as_floats(block, spec.dtype), turned[place]) for place, block in self._blocks(name)
            )
        except DamagedError:
            is_equal = False
        if not is_equal:
            self.verify([name])
        return is_equal

    def _gathered(self, name: str, out: Array | None) -> Seen:
        """Read values that have gaps between them, block by block, and keep them if `out` is given."""
        spec, order = self.tensors[name].spec, self._order(name)
        in_order = order == tuple(range(len(order)))
        look, crc = look_for(spec.dtype, spec.shape if in_order else ()), 0
        for place, block in self._blocks(name):
            packed = np.ascontiguousarray(block)
            crc = add_to(look, packed, crc)
            if out is not None:
                put(packed.reshape(block.shape), out.transpose(order)[place], spec.dtype)
        return seen_of(look, prod(spec.shape) * look.dtype.itemsize if look else 0, checksum_text(crc))

    def _blocks(self, name: str) -> Iterator[tuple[tuple[slice, ...], Array]]:
        spec = self.tensors[name].spec
        return blocks_of(self._run(name), self._dtype(name), spec.shape, self._strides(name))

    def _strides(self, name: str) -> tuple[int, ...]:
        return self.extents[name].strides or strides_of(self.tensors[name].spec.shape)

    def _order(self, name: str) -> tuple[int, ...]:
        return order_of(self.tensors[name].spec.shape, self._strides(name))

    def place_of(self, name: str, at: int) -> tuple[int, ...]:
        """Return where the value is that a tensor stores after `at` others."""
        return place_of(at, self.tensors[name].spec.shape, self._order(name))

    def _empty(self, name: str) -> Array:
        spec = self.tensors[name].spec
        dtype = self._dtype(name)
        return memory_for(n_bytes_of(spec.shape, spec.dtype)).view(dtype).reshape(spec.shape)

    def _dtype(self, name: str) -> np.dtype[Any]:
        """Return NumPy's type of the stored bits; raises DamagedError for a type that cannot be read."""
        dtype = self.tensors[name].spec.dtype
        if dtype not in TYPES:
            raise DamagedError("TYPE", f"{escaped(dtype)} cannot be read")
        return np.dtype(TYPES[dtype].numpy)

    def _unchecked(self, name: str) -> Array:
        run = self._run(name)
        if self.extents[name].has_gaps:
            values = self._empty(name)
            for place, block in self._blocks(name):
                values.transpose(self._order(name))[place] = block
            return values
        memory = memory_for(run.n_bytes)
        fill(run, 0, memory)
        return self._shaped(name, to_host(memory, run.number_bytes).view(self._dtype(name)))

    def _run_of(self, name: str) -> Run | None:
        is_plain = self.extents[name].strides is None and self.tensors[name].spec.dtype in TYPES
        return self._run(name) if is_plain else None

    def _run(self, name: str) -> Run:
        spec, extent = self.tensors[name].spec, self.extents[name]
        self._dtype(name)  # which raises for one that is not known
        looked_at = spec.dtype if spec.dtype in LOOKED_AT else ""
        columns = columns_of(spec.shape) if extent.strides is None else 1
        return Run(
            self.opened[extent.file],
            extent.offset,
            extent.n_bytes,
            looked_at,
            columns=columns,
            number_bytes=number_bytes(spec.dtype, TYPES[spec.dtype].n_bits // 8),
        )

    def _shaped(self, name: str, flat: Array) -> Array:
        spec, strides = self.tensors[name].spec, self.extents[name].strides
        if strides is None:
            return flat if spec.dtype in PACKED else flat.reshape(spec.shape)
        n_bytes = [stride * flat.itemsize for stride in strides]
        return np.lib.stride_tricks.as_strided(flat, spec.shape, n_bytes)

    def _ref_of(self, name: str) -> FileRef:
        return self.refs[self.extents[name].file]

    def position(self, name: str) -> tuple[int, int]:
        """Return the number of the file, and the offset there, of a tensor."""
        extent = self.extents[name]
        return extent.file, extent.offset

    def _place_text(self, name: str, fault: DamagedError) -> str:  # noqa: ARG002  (a fault concerns the whole tensor)
        extent = self.extents[name]
        return f"bytes {extent.offset:,} to {extent.offset + extent.n_bytes:,}: "

    def _faults_facts(self, faults: list[tuple[str, DamagedError]], n_read: int) -> dict[str, Any]:  # noqa: ARG002
        name = faults[0][0]
        kinds = {fault.kind for _, fault in faults}
        hints = [COPY_AGAIN] * bool(kinds & {"CHECKSUM", "TRUNCATED"})
        if "NOT FINITE" in kinds:
            hints.append(DIVERGED)
        return {**self._ref_of(name).facts, "offset": self.extents[name].offset, "hints": hints}


def _as_floats(values: Array, dtype: str) -> Array:
    """Return values of a type that is widened in float32; others as they are."""
    if dtype not in WIDENED:
        return values
    out = np.empty(values.shape, np.float32)
    put(values, out, dtype)
    return out
