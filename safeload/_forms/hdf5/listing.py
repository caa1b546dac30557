"""List the datasets and groups of an HDF5 file, and reject features that no weight file needs.

Source:
    HDF5 File Format Specification 3.0, section IV.A.2 (messages).
"""

from __future__ import annotations

import bisect
import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py

from safeload._forms.byte_order import is_big_endian
from safeload._forms.hdf5.chunks import BUILT_IN, FILTERS, MAX_RATIO, MIN_CHUNK_BYTES, Chunks, list_chunks
from safeload._forms.hdf5.trees import require_trees
from safeload.report import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload._forms.hdf5.trees import Place

MAX_OBJECTS = 10_000
MAX_DEPTH = 16
MAX_NAME_BYTES = 4_096
MAX_EXPANSION = 1_100
"""The largest accepted ratio of declared bytes to file size; deflate reaches 1,032."""

MAX_COMPACT_BYTES = 1 << 16
"""A compact dataset is stored in a header message, whose size field has 16 bits."""


class RefusedError(Exception):
    """The file contains an object that no weight file needs; internal to `_forms/hdf5`."""

    def __init__(self, name: str, text: str) -> None:
        """Store the object's name and the reason."""
        super().__init__(text)
        self.name = name
        self.text = text


class MisplacedError(Exception):
    """Datasets overlap something, end beyond the file or have the same name; internal to `_forms/hdf5`."""

    def __init__(self, text: str, names: list[str], offset: int | None = None) -> None:
        """Store the names of the datasets and the offset of the fault."""
        super().__init__(text)
        self.names = names
        self.offset = offset


class Dataset(NamedTuple):
    """A dataset, before its values are read.

    Attributes:
        spec: Its path in the file, shape and dtype.
        n_bytes: Size of the values in bytes.
        offset: The offset of contiguous values; None for other layouts.
        chunks: The chunks of chunked values; None for other layouts.
        lacks: Why values are missing; "" if none are.
        is_big: Whether the file has the values in big-endian byte order.
    """

    spec: TensorSpec
    n_bytes: int
    offset: int | None = None
    chunks: Chunks | None = None
    lacks: str = ""
    is_big: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the values lie together in the file as they are in memory."""
        return self.offset is not None and not self.is_big

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield (offset, size in bytes) of contiguous values and of each chunk."""
        if self.offset is not None and self.n_bytes:
            yield self.offset, self.n_bytes
        for chunk in self.chunks.rows if self.chunks else ():
            yield chunk.offset, chunk.n_bytes


class Listing:
    """The datasets and groups of an HDF5 file.

    Attributes:
        datasets: Path in the file -> dataset.
        groups: The path of each group -> the address of its header; that of the file's own is "".
    """

    def __init__(self, root: Any, place: Place) -> None:  # noqa: ANN401  (h5py's low-level ids)
        """List all datasets and groups.

        Raises:
            RefusedError: Links, external storage, virtual datasets, unknown filters, excessive sizes, or too many
                objects.
            MisplacedError: A dataset ends beyond the file, overlaps another or a structure, or has the name of another.
            ValueError: An index contains itself, or is too deep.
            Exception: As h5py, for a damaged file.
        """
        self.datasets: dict[str, Dataset] = {}
        self.groups: dict[str, int] = {"": h5py.h5o.get_info(root).addr}
        self._names: set[str] = set()
        self._place = place
        self._n_bytes = place.file.n_bytes
        require_trees(place, self.groups[""])
        self._list(root, "", 0)
        self._require_no_overlap()

    def _list(self, group: Any, path: str, depth: int) -> None:  # noqa: ANN401  (h5py's low-level ids)
        for raw in self._names_in(group):
            name = path + raw.decode("utf-8", "backslashreplace")
            if len(raw) > MAX_NAME_BYTES:
                raise RefusedError(f"{name[:80]}...", f"a name of {len(raw):,} bytes")
            if name in self._names:
                raise MisplacedError(f"two objects are named {name}, but for bytes that are not UTF-8", [name])
            if b"/" in raw:
                raise RefusedError(name, "a name that contains a slash, which would point elsewhere")
            self._names.add(name)
            link = group.links.get_info(raw)
            if link.type != h5py.h5l.TYPE_HARD:
                raise RefusedError(name, "a link, which may point to another file")
            require_trees(self._place, link.u)
            opened = h5py.h5o.open(group, raw)
            if len(self.groups) - 1 + len(self.datasets) >= MAX_OBJECTS or depth > MAX_DEPTH:
                raise RefusedError(name, f"more than {MAX_OBJECTS:,} objects, or groups nested deeper than {MAX_DEPTH}")
            if isinstance(opened, h5py.h5g.GroupID):
                self.groups[name] = link.u
                self._list(opened, name + "/", depth + 1)
            elif isinstance(opened, h5py.h5d.DatasetID):
                self.datasets[name] = self._describe(opened, name)
            else:
                raise RefusedError(name, "neither a group nor a dataset")

    def _names_in(self, group: Any) -> list[bytes]:  # noqa: ANN401  (h5py's low-level ids)
        """List the names in a group, sorted, at most one more than may be read."""
        names: list[bytes] = []

        def add(name: bytes) -> bool | None:
            names.append(name)
            return True if len(names) > MAX_OBJECTS else None  # ends the iteration

        group.links.iterate(add, order=h5py.h5.ITER_NATIVE)
        return sorted(names)

    def _describe(self, dataset: Any, name: str) -> Dataset:  # noqa: ANN401  (h5py's low-level ids)
        plan = dataset.get_create_plist()
        layout = plan.get_layout()
        if layout == h5py.h5d.VIRTUAL:
            raise RefusedError(name, "a virtual dataset, whose values are in other files")
        if plan.get_external_count():
            raise RefusedError(name, "external storage: its values are in another file")
        for number in range(plan.get_nfilters()):
            code, _, _, label = plan.get_filter(number)
            if code not in FILTERS:
                shown = label.decode("ascii", "replace") or "unnamed"
                why = "safeload does not read" if code in BUILT_IN else "would run the code of a plugin"
                raise RefusedError(name, f"the filter {code} ({shown}), which {why}")
        kind = dataset.get_type()
        dtype, is_big = _dtype_name(kind)
        spec = TensorSpec(name=name, shape=dataset.shape or (), dtype=dtype)
        return self._describe_layout(dataset, spec)._replace(is_big=is_big)

    def _describe_layout(self, dataset: Any, spec: TensorSpec) -> Dataset:  # noqa: ANN401  (as above)
        name, layout = spec.name, dataset.get_create_plist().get_layout()
        n_declared = math.prod(spec.shape) * dataset.get_type().get_size()
        if layout == h5py.h5d.CHUNKED:
            return self._describe_chunks(dataset, spec, n_declared)
        if layout != h5py.h5d.CONTIGUOUS:
            if n_declared > MAX_COMPACT_BYTES:
                raise RefusedError(
                    name, f"{n_declared:,} bytes in a compact dataset, whose limit is {MAX_COMPACT_BYTES:,}"
                )
            return Dataset(spec=spec, n_bytes=n_declared)
        offset = dataset.get_offset()
        if offset is None and n_declared:
            return Dataset(spec=spec, n_bytes=n_declared, lacks="created but never written: it would read as zeros")
        if offset is not None and offset + n_declared > self._n_bytes:
            text = f"the dataset {name} would end at byte {offset + n_declared:,} of {self._n_bytes:,}"
            raise MisplacedError(text, [name], offset)
        return Dataset(spec=spec, n_bytes=n_declared, offset=offset)

    def _describe_chunks(self, dataset: Any, spec: TensorSpec, n_declared: int) -> Dataset:  # noqa: ANN401  (as above)
        if n_declared > MAX_EXPANSION * self._n_bytes:
            raise RefusedError(spec.name, f"{n_declared:,} declared bytes in a file of {self._n_bytes:,}")
        chunks = list_chunks(dataset)
        if len(set(chunks.filters)) < len(chunks.filters):
            raise RefusedError(spec.name, "the same filter twice, which would let a few bytes decompress to any size")
        if chunks.n_bytes > max(n_declared, MIN_CHUNK_BYTES):
            raise RefusedError(spec.name, f"chunks of {chunks.n_bytes:,} bytes for {n_declared:,}")
        n_least = min((row.n_bytes for row in chunks.rows), default=chunks.n_bytes)
        if chunks.n_bytes > MAX_RATIO * n_least:
            raise RefusedError(spec.name, f"a chunk of {n_least:,} bytes that would unpack to {chunks.n_bytes:,}")
        return Dataset(spec=spec, n_bytes=n_declared, chunks=chunks, lacks=chunks.lacks())

    def _require_no_overlap(self) -> None:
        """Require that no dataset overlaps another or a structure: with a damaged address, it would have other values."""
        placed = sorted((at, at + size, name) for name, each in self.datasets.items() for at, size in each.places())
        for (_, end, first), (start, _, second) in itertools.pairwise(placed):
            if end > start:
                raise MisplacedError(f"{first} and {second} share bytes", [first, second], start)
        structures = sorted(self._place.taken)
        ends = list(itertools.accumulate((end for _, end in structures), max))
        for start, end, name in placed:
            n_before = bisect.bisect_left(structures, (end, 0))
            if n_before and ends[n_before - 1] > start:
                raise MisplacedError(f"{name} would be where the file's own structure is", [name], start)


def _dtype_name(kind: Any) -> tuple[str, bool]:  # noqa: ANN401  (h5py's TypeID)
    """Return NumPy's name of a type, or a description of what has none, and whether it is in big-endian byte order."""
    if kind.equal(h5py.h5t.IEEE_F32LE):
        return "float32", False
    word = {h5py.h5t.FLOAT: "float", h5py.h5t.INTEGER: "integer", h5py.h5t.STRING: "string"}.get(kind.get_class())
    if word is None:
        return "a compound or other type", False
    if word == "string":
        return word, False
    try:
        dtype = kind.dtype
        is_exact = kind.equal(h5py.h5t.py_create(dtype))
    except (TypeError, ValueError):
        is_exact = False
    if not is_exact:
        return f"{word} of {kind.get_size()} bytes", False
    return dtype.name, is_big_endian(dtype)
