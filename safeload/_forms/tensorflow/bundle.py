"""Read an open checkpoint, and check that its index file and data shards belong together.

Source:
    tensorflow/core/util/tensor_bundle/tensor_bundle.cc, BundleReader, TensorFlow 2.15 and 2.21.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._bytes import absent
from safeload._bytes.kinds import NOT_THE_FILE, kind_of_open, wrong_kind
from safeload._bytes.small import open_file
from safeload._forms.arrays import DamagedError
from safeload._forms.tensorflow.index_file import GRAPH, N_BYTES_OF, STRING, VARIANT, Entry, IndexFile
from safeload._forms.tensorflow.values import Values
from safeload._forms.weight_file import TOO_LARGE, StoredTensor, WeightFile
from safeload._text.words import counted, one_line
from safeload.errors import CheckpointNotFoundError, CorruptFileError, SafeLoadError, UnsafeFileError
from safeload.report import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile
    from safeload._forms.arrays import Run
    from safeload._forms.seen import Seen

    Array = NDArray[Any]


class TensorBundle(WeightFile):
    """A TensorFlow V2 checkpoint; its shards stay open, so that replacing them does not change what is read.

    Attributes:
        variables: Name -> entry of the index file, sorted by its key, which is the name in all checkpoints but those with
            an object graph.
        n_shards: The number of data shards.
    """

    noun = "variable"
    title = "checkpoint"

    def __init__(self, ref: FileRef) -> None:
        """Read the index file, open all shards and compare their sizes.

        Raises:
            CheckpointNotFoundError: A shard is missing.
            CorruptFileError: The index file or the object graph is damaged, or a shard has too few or too many bytes.
            WrongFileKindError: Big-endian, of another format version, or a Git LFS pointer.
            UnreadableFileError, FileSystemError: The system cannot open a shard.
            UnsafeFileError: The index file or the object graph exceeds a size limit.
        """
        self.ref = ref
        self._index = IndexFile(ref.at(f"{ref.path}.index", "index"))
        self.n_shards, self.variables = self._index.n_shards, self._index.variables
        self.summary = f"a TensorFlow checkpoint of {counted(self.n_shards, 'shard')}"
        self._shards: list[OpenFile] = []
        try:
            self._open_shards()
            self._require_extents()
            self._values = Values(self._shards, self._index.parts)
            if GRAPH in self.variables:
                self._use_full_names()
        except BaseException:
            self.close()
            raise
        self.tensors = {
            name: StoredTensor(spec=TensorSpec(name=name, shape=entry.shape, dtype=entry.dtype), n_bytes=entry.n_bytes)
            for name, entry in self.variables.items()
        }

    def close(self) -> None:
        """Close the shards; the listing stays available."""
        for file in self._shards:
            file.close()

    def shard_path(self, shard: int) -> str:
        """Return the path of a data shard."""
        return f"{self.ref.path}.data-{shard:05d}-of-{self.n_shards:05d}"

    def files(self) -> list[tuple[str, str]]:
        """Return (role, path) of the index file and each shard."""
        return [("index", self._index.ref.path), *(("shard", self.shard_path(i)) for i in range(self.n_shards))]

    def checksums(self, n_read: int) -> str:
        """Describe the bytes that were compared with checksums."""
        return f"CRC32C of {n_read} variables and of the index file"

    def has_readable_type(self, name: str) -> bool:
        """Return whether the values are numbers or strings."""
        return self.variables[name].dtype in (*N_BYTES_OF, STRING, VARIANT)

    def look(self, name: str) -> tuple[Array | None, str]:
        """Read a variable for display, even if it is damaged."""
        entry = self.variables[name]
        try:
            with np.errstate(all="ignore"):
                return self._values.read(entry)[0], ""
        except MemoryError:
            return None, TOO_LARGE
        except DamagedError as exc:
            if entry.slices or exc.kind not in ("CHECKSUM", "NOT FINITE") or entry.dtype not in N_BYTES_OF:
                return None, str(exc)
            with suppress(DamagedError):  # the file may have been cut since
                return self._values.bits(entry), str(exc)
            return None, str(exc)

    def require_unchanged(self) -> None:
        """Require that the shards have not changed since they were opened.

        Raises:
            CorruptFileError: A shard was replaced or written to since it was opened.
        """
        for file in self._shards:
            if file.is_replaced():
                message = "a data shard was replaced or written to while the model was being loaded"
                hints = ["load again when nothing writes to the folder"]
                raise CorruptFileError(message, **self.ref.at(file.path, "shard").facts, hints=hints)

    def _check(self, name: str) -> Seen:
        return self._values.check(self.variables[name])

    def _read(self, name: str) -> tuple[Array, Seen]:
        return self._values.read(self.variables[name])

    def _run_of(self, name: str) -> Run | None:
        return self._values.run(self.variables[name])

    def _ref_of(self, name: str) -> FileRef:
        return self.ref.at(self.shard_path(self.variables[name].shard), "shard")

    def position(self, name: str) -> tuple[int, int]:
        """Return the number of the file, and the offset there, of a tensor."""
        return self.variables[name].shard, self.variables[name].offset

    def _place_text(self, name: str, fault: DamagedError) -> str:
        entry = _damaged_entry(self.variables[name], fault)
        if entry.slices:
            return ""
        return f"shard {entry.shard}, bytes {entry.offset} to {entry.offset + entry.n_bytes}: "

    def _faults_facts(self, faults: list[tuple[str, DamagedError]], n_read: int) -> dict[str, Any]:
        first = _damaged_entry(self.variables[faults[0][0]], faults[0][1])
        return {
            **self.ref.at(self.shard_path(first.shard), "shard").facts,
            "offset": first.offset,
            "context": [("index", self._index.ref.path)],
            "hints": _hints([fault for _, fault in faults], n_read),
        }

    def _open_shards(self) -> None:
        paths = [self.shard_path(number) for number in range(self.n_shards)]
        missing = [path for path in paths if not (self.ref.source.holds(path) or self.ref.source.exists(path))]
        if missing:
            are = "is" if len(missing) == 1 else "are"
            message = f"{len(missing)} of the checkpoint's {counted(self.n_shards, 'data shard')} {are} missing"
            facts = absent.missing_facts(self.ref.at(missing[0], "shard"), tuple(map(os.path.basename, missing)))
            facts["context"] = [("index", self._index.ref.path), *facts["context"]]
            facts["hints"] = ["copy every file that starts with the prefix; the shards hold the weights"]
            raise CheckpointNotFoundError(message, **facts)
        self.ref.source.expect(paths)
        for path in paths:
            self._shards.append(open_file(self.ref.at(path, "shard")))

    def _require_extents(self) -> None:
        extents: dict[int, list[tuple[int, int, str]]] = {number: [] for number in range(self.n_shards)}
        whole = [entry for entry in self.variables.values() if not entry.slices]
        for entry in [*whole, *self._index.parts.values()]:
            if entry.shard not in extents:
                self._index.damaged(f"{entry.name} is listed in shard {entry.shard} of {self.n_shards}")
            extents[entry.shard].append((entry.offset, entry.offset + entry.n_bytes, entry.name))
        for number, rows in extents.items():
            end = 0
            for start, stop, name in sorted(rows):
                if start < end and start != stop:
                    self._index.damaged(f"{name} overlaps the variable before it in shard {number}")
                end = max(end, stop)
            if self._shards[number].n_bytes != end:
                self._raise_size(number, end, rows)

    def _use_full_names(self) -> None:
        """Name the variables by the object graph, which is none of them."""
        from safeload._forms.tensorflow import object_graph  # noqa: PLC0415  (Google's checkpoints have none)

        variables = dict(self.variables)
        graph, ref = variables.pop(GRAPH), self._ref_of(GRAPH)
        if (graph.dtype, graph.shape, graph.slices) != (STRING, (), ()):
            self._index.damaged("the object graph is not one string")
        try:
            names = object_graph.names_of(self._read_graph(graph), variables)
        except SafeLoadError:
            raise
        except object_graph.GraphTooLargeError as exc:
            message = f"the checkpoint's object graph is too large: {exc}"
            raise UnsafeFileError(message, **ref.facts) from exc
        except ValueError as exc:
            message = f"the checkpoint's object graph is damaged: {exc}"
            context, hints = [("index", self._index.ref.path)], ["copy or download the checkpoint again"]
            raise CorruptFileError(message, **ref.facts, context=context, hints=hints) from exc
        self.variables = {names[key]: entry for key, entry in variables.items()}

    def _read_graph(self, entry: Entry) -> bytes:
        from safeload._forms.tensorflow.object_graph import MAX_GRAPH_BYTES, GraphTooLargeError  # noqa: PLC0415

        if entry.n_bytes > MAX_GRAPH_BYTES:
            message = f"it has {entry.n_bytes:,} bytes; at most {MAX_GRAPH_BYTES:,} are read"
            raise GraphTooLargeError(message)
        try:
            return bytes(self._values.read(entry)[0].item())
        except DamagedError as exc:
            if isinstance(exc.__cause__, OSError):
                raise absent.failed(self._ref_of(GRAPH), exc.__cause__) from exc.__cause__
            raise self._damaged([(GRAPH, exc)], 1) from exc

    def _raise_size(self, number: int, wanted: int, rows: list[tuple[int, int, str]]) -> None:
        ref = self.ref.at(self.shard_path(number), "shard")
        found = self._shards[number].n_bytes
        kind = kind_of_open(self._shards[number])
        if kind is not None and kind.id in NOT_THE_FILE:
            raise wrong_kind(ref, kind, wanted="a data shard")
        lost = sorted({name for _, stop, name in rows if stop > found})
        context = [
            ("index", self._index.ref.path),
            ("expected", f"{wanted:,} bytes"),
            ("found", f"{found:,} bytes"),
        ]
        if lost:
            n_bytes, n_lost = counted(wanted - found, "byte"), counted(len(lost), "variable")
            message = f"a data shard is truncated: it lacks {n_bytes} of {n_lost}"
            hints = ["copy or download the shard again; the copy was cut off or the disk was full"]
        else:
            message = f"a data shard has {counted(found - wanted, 'byte')} more than its index file accounts for"
            hints = ["use the index file and the shards of the same checkpoint"]
        details = [f"LOST       {one_line(name)}" for name in lost]
        raise CorruptFileError(
            message,
            variables=lost,
            offset=min(found, wanted),
            **ref.facts,
            context=context,
            details=details,
            hints=hints,
        )


def _damaged_entry(entry: Entry, fault: DamagedError) -> Entry:
    return fault.place if isinstance(fault.place, Entry) else entry


def _hints(faults: list[DamagedError], n_read: int) -> list[str]:
    hints = []
    wrong = sum(fault.kind == "CHECKSUM" for fault in faults)
    if wrong == n_read and n_read > 1:
        hints.append(
            "every checksum is wrong: the shard belongs to another index file; use both from the same checkpoint"
        )
    elif wrong:
        hints.append("copy or download the checkpoint again, in binary mode")
    if any(fault.kind == "NOT FINITE" for fault in faults):
        hints.append("the weights were saved after training diverged; take an earlier checkpoint")
    return hints
