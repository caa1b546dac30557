"""HDF5, strictly read-only: what the file lists, with everything refused that a weight file has no reason to hold.

h5py reads the structure through the one file that is open here. Values that lie in the file as they are, which is how
weight files are written, are read past it: see `hdf5_values`.

Source:
    HDF5 File Format Specification 3.0, section IV.A.2 (messages).
"""

from __future__ import annotations

import itertools
import math
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import h5py

from safeload import _files
from safeload._formats.hdf5_chunks import FILTERS, MIN_CHUNK_BYTES, Chunks, list_chunks, read_chunks
from safeload._formats.hdf5_superblock import find_superblock
from safeload.errors import CorruptFileError, UnreadableFileError, UnsafeFileError, first_few
from safeload.report import TensorSpec, two_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_OBJECTS = 10_000
MAX_DEPTH = 16
MAX_EXPANSION = 1_100
"""Bytes that one byte of the file may declare: deflate reaches 1,032."""

MAX_COMPACT_BYTES = 1 << 16
"""A compact dataset lies in a message of the file, whose size has 16 bits."""


class Dataset(NamedTuple):
    """What the file says of a dataset, before its values are read.

    Attributes:
        spec: Its path in the file, shape and dtype.
        offset: Where its values lie in the file as they are; None where they do not.
        chunks: The chunks that its values lie in; None where they do not.
        lacks: Why its values are not all there, "" where they are.
    """

    spec: TensorSpec
    offset: int | None = None
    chunks: Chunks | None = None
    lacks: str = ""

    @property
    def n_bytes(self) -> int:
        """The size of its float32 values."""
        return math.prod(self.spec.shape) * 4

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield where float32 values lie: the first byte and the count of bytes of each place."""
        if self.offset is not None and self.spec.dtype == "float32":
            yield self.offset, self.n_bytes
        for chunk in self.chunks.rows if self.chunks else ():
            yield chunk.offset, chunk.n_bytes


class Hdf5File:
    """An open HDF5 file.

    Attributes:
        path: Absolute path.
        given: What the caller passed for it.
        n_bytes: Its size.
        datasets: Path in the file -> dataset.
        groups: The paths of its groups.
    """

    def __init__(self, path: str, *, given: object = None, source: _files.Source = _files.DISK) -> None:
        """Open the file and list what it holds.

        Raises:
            WrongFileKindError: No HDF5 file: the kind is named where it is known.
            CorruptFileError: Truncated, not closed by its writer, or unreadable structure.
            UnsafeFileError: Links, external storage, virtual datasets, filters that are not known, sizes out of
                proportion, more objects than any weight file.
            MissingFileError, UnreadableFileError: As `_files.require_file`.
        """
        _files.require_file(path, role="weight", given=given)
        self.path = path
        self.given = given
        self.datasets: dict[str, Dataset] = {}
        self.groups: list[str] = []
        try:
            self._file = source.open(path)
        except OSError as exc:
            message = f"the system cannot open the weight file: {exc.strerror}"
            raise UnreadableFileError(message, resolved=path, given=given, label="weight") from exc
        self._h5: Any = None
        try:
            self._stat = os.fstat(self.fileno())
            self.n_bytes = self._stat.st_size
            try:
                self._require_superblock()
            except OSError as exc:
                message = f"the system cannot read the weight file: {exc.strerror}"
                raise UnreadableFileError(message, resolved=path, given=given, label="weight") from exc
            with self.translated("its structure cannot be read"):
                self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Hdf5File:  # noqa: PYI034  (Self is newer than Python 3.10)
        """Return itself, open."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; the listing stays."""
        if self._h5 is not None:
            self._h5.close()
        self._file.close()

    def fileno(self) -> int:
        """Return the descriptor through which everything is read."""
        return self._file.fileno()

    def read_gathered(self, name: str, values: Any) -> None:  # noqa: ANN401  (a NumPy array)
        """Fill `values` with a dataset that does not lie in the file as it is."""
        chunks = self.datasets[name].chunks
        with self.translated(f"the dataset {name} cannot be read"):
            if chunks is not None:
                read_chunks(self.fileno(), chunks, values)
                return
            h5py.h5d.open(self._h5.id, name.encode()).read(h5py.h5s.ALL, h5py.h5s.ALL, values)

    def require_unchanged(self) -> None:
        """Require that the file is as it was when it was opened.

        Raises:
            CorruptFileError: It was written to in the meantime.
        """
        now = os.fstat(self.fileno())
        if (now.st_size, now.st_mtime_ns) != (self._stat.st_size, self._stat.st_mtime_ns):
            raise self.corrupt("the weight file changed while it was being read", ["load again when it is complete"])

    def corrupt(self, message: str, hints: list[str], **facts: Any) -> CorruptFileError:  # noqa: ANN401  (the error's own)
        """Return the error for damage in this file."""
        return CorruptFileError(message, resolved=self.path, given=self.given, label="weight", hints=hints, **facts)

    @contextmanager
    def translated(self, what: str) -> Iterator[None]:
        """Turn what h5py raises for a damaged file into a CorruptFileError."""
        try:
            yield
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError) as exc:
            if isinstance(exc, (CorruptFileError, UnsafeFileError)):
                raise
            reason = " ".join(str(exc).split())[:200]
            message = f"the weight file is damaged: {what}"
            raise self.corrupt(message, ["copy or download the file again"], context=[("hdf5", reason)]) from exc

    def _require_superblock(self) -> None:
        """Tell truncation from the file's own first bytes, before h5py opens it."""
        superblock = find_superblock(self.fileno())
        if superblock is None:
            head = os.pread(self.fileno(), _files.N_HEAD_BYTES, 0)
            kind = _files.kind_of(head) or _files.FileKind(name="a file of no kind that safeload knows")
            kind = _files.FileKind(
                name=kind.name, hint=kind.hint or "weights are published as a file that ends in .hdf5 or .h5"
            )
            raise _files.wrong_kind(self.path, kind, role="weight", wanted="an HDF5 file", given=self.given)
        end, is_open = superblock
        if end is None or end > self.n_bytes:
            there = f"{self.n_bytes:,} of {end:,} bytes are there" if end else f"it ends after {self.n_bytes:,} bytes"
            message = f"the weight file is truncated: {there}"
            raise self.corrupt(
                message, ["copy or download the file again; the disk may have been full"], offset=self.n_bytes
            )
        if is_open:
            message = "the weight file was not closed: a program is writing it, or ended while it did"
            raise self.corrupt(message, ["wait for the program that writes it, or save the weights again"])

    def _open(self) -> None:
        self._h5 = h5py.File(self._file, "r")
        self._list(self._h5.id, "", 0)
        self._require_apart()

    def _list(self, group: Any, path: str, depth: int) -> None:  # noqa: ANN401  (h5py's low-level ids)
        for raw in sorted(group):
            name = path + raw.decode("utf-8", "backslashreplace")
            if b"/" in raw:
                self._refuse(name, "a name with a slash in it, which would lead to another place")
            if group.links.get_info(raw).type != h5py.h5l.TYPE_HARD:
                self._refuse(name, "a link to another place, which may be another file")
            opened = h5py.h5o.open(group, raw)
            if len(self.groups) + len(self.datasets) >= MAX_OBJECTS or depth > MAX_DEPTH:
                self._refuse(name, f"more than {MAX_OBJECTS:,} objects, or groups nested deeper than {MAX_DEPTH}")
            if isinstance(opened, h5py.h5g.GroupID):
                self.groups.append(name)
                self._list(opened, name + "/", depth + 1)
            elif isinstance(opened, h5py.h5d.DatasetID):
                self.datasets[name] = self._describe(opened, name)
            else:
                self._refuse(name, "neither a group nor a dataset")

    def _describe(self, dataset: Any, name: str) -> Dataset:  # noqa: ANN401  (h5py's low-level ids)
        plan = dataset.get_create_plist()
        layout = plan.get_layout()
        if layout == h5py.h5d.VIRTUAL:
            self._refuse(name, "a virtual dataset, whose values lie in other files")
        if plan.get_external_count():
            self._refuse(name, "external storage: its values lie in another file")
        for number in range(plan.get_nfilters()):
            code, _, _, label = plan.get_filter(number)
            if code not in FILTERS:
                shown = label.decode("ascii", "replace") or "unnamed"
                self._refuse(name, f"the filter {code} ({shown}), which would run code of a plugin")
        kind = dataset.get_type()
        spec = TensorSpec(name=name, shape=dataset.shape or (), dtype=_dtype_name(kind))
        n_declared = math.prod(spec.shape) * kind.get_size()
        if layout == h5py.h5d.CHUNKED:
            return self._describe_chunks(dataset, spec, n_declared)
        if layout != h5py.h5d.CONTIGUOUS:
            if n_declared > MAX_COMPACT_BYTES:
                self._refuse(name, f"{n_declared:,} bytes in a message of less than {MAX_COMPACT_BYTES:,}")
            return Dataset(spec=spec)
        offset = dataset.get_offset()
        if offset is None and n_declared:
            return Dataset(spec=spec, lacks="created but never written: it would read as zeros")
        if offset is not None and offset + n_declared > self.n_bytes:
            message = f"the weight file is damaged: the dataset {name} would end at byte {offset + n_declared:,} of {self.n_bytes:,}"
            raise self.corrupt(message, ["copy or download the file again"], variables=[name], offset=offset)
        return Dataset(spec=spec, offset=offset)

    def _describe_chunks(self, dataset: Any, spec: TensorSpec, n_declared: int) -> Dataset:  # noqa: ANN401  (as above)
        if n_declared > MAX_EXPANSION * self.n_bytes:
            self._refuse(spec.name, f"{n_declared:,} declared bytes in a file of {self.n_bytes:,}")
        chunks = list_chunks(dataset)
        if len(set(chunks.filters)) < len(chunks.filters):
            self._refuse(spec.name, "the same filter twice, which lets a few bytes unpack to any size")
        if chunks.n_bytes > max(n_declared, MIN_CHUNK_BYTES):
            self._refuse(spec.name, f"chunks of {chunks.n_bytes:,} bytes for {n_declared:,}")
        return Dataset(spec=spec, chunks=chunks, lacks=chunks.lacks())

    def _require_apart(self) -> None:
        """Require that no two datasets share bytes: a damaged address would silently give one the other's values."""
        placed = sorted((at, at + size, name) for name, each in self.datasets.items() for at, size in each.places())
        for (_, end, first), (start, _, second) in itertools.pairwise(placed):
            if end > start:
                message = f"the weight file is damaged: {first} and {second} share bytes"
                hints = ["copy or download the file again"]
                raise self.corrupt(message, hints, variables=[first, second], offset=start)

    def _refuse(self, name: str, what: str) -> NoReturn:
        message = "the weight file holds what no weight file needs, and was not read further"
        row = two_lines("REFUSED", name, what)
        hints = ["get the file from where the model was published, or copy its datasets into a new file with h5py"]
        raise UnsafeFileError(
            message,
            resolved=self.path,
            given=self.given,
            label="weight",
            details=first_few([row], "error.details"),
            hints=hints,
        )


def _dtype_name(kind: Any) -> str:  # noqa: ANN401  (h5py's TypeID)
    if kind.equal(h5py.h5t.IEEE_F32LE):
        return "float32"
    word = {h5py.h5t.FLOAT: "float", h5py.h5t.INTEGER: "integer", h5py.h5t.STRING: "string"}.get(kind.get_class())
    if word is None:
        return "a compound or other type"
    if word == "string":
        return word
    try:
        dtype = kind.dtype
        is_exact = kind.equal(h5py.h5t.py_create(dtype))
    except (TypeError, ValueError):
        is_exact = False
    if not is_exact:
        return f"{word} of {kind.get_size()} bytes"
    return f"{'big-endian ' if dtype.byteorder == '>' else ''}{dtype.name}"
