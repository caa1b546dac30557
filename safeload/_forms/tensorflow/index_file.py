"""Read the index file of a TensorFlow V2 checkpoint, which lists the variables and their positions.

Source:
    tensorflow/core/util/tensor_bundle/tensor_bundle.cc, BundleReader; tensor_bundle.proto. TensorFlow 2.15 and 2.21.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from safeload._bytes.kinds import N_HEAD_BYTES, FileKind, kind_of, wrong_kind
from safeload._bytes.small import read_small
from safeload._forms.tensorflow import protobuf, sstable
from safeload.errors import CorruptFileError, SafeLoadError, UnsafeFileError

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef

MAX_VARIABLES = 200_000
MAX_KEY_BYTES = 16_384
"""Bytes of a variable's name, or of the key of a part, which is at most twice as long."""

VERSION = 1
_BIG_ENDIAN = 1

STRING, VARIANT = "string", "variant"
N_BYTES_OF = {
    "float32": 4, "float64": 8, "int32": 4, "uint8": 1, "int16": 2, "int8": 1, "complex64": 8, "int64": 8, "bool": 1,
    "qint8": 1, "quint8": 1, "qint32": 4, "bfloat16": 2, "qint16": 2, "quint16": 2, "uint16": 2, "complex128": 16,
    "float16": 2, "uint32": 4, "uint64": 8, "float8_e5m2": 1, "float8_e4m3fn": 1, "float8_e4m3fnuz": 1,
    "float8_e4m3b11fnuz": 1, "float8_e5m2fnuz": 1, "int4": 1, "uint4": 1, "int2": 1, "uint2": 1, "float4_e2m1fn": 1,
}  # fmt: skip
_DTYPE_NAMES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: STRING, 8: "complex64", 9: "int64",
    10: "bool", 11: "qint8", 12: "quint8", 13: "qint32", 14: "bfloat16", 15: "qint16", 16: "quint16", 17: "uint16",
    18: "complex128", 19: "float16", 20: "resource", 21: VARIANT, 22: "uint32", 23: "uint64", 24: "float8_e5m2",
    25: "float8_e4m3fn", 26: "float8_e4m3fnuz", 27: "float8_e4m3b11fnuz", 28: "float8_e5m2fnuz", 29: "int4",
    30: "uint4", 31: "int2", 32: "uint2", 33: "float4_e2m1fn",
}  # fmt: skip

DTYPE_NUMBERS = {name: number for number, name in _DTYPE_NAMES.items()}

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The key of the object graph of a TensorFlow 2 checkpoint."""

Extents = tuple[tuple[int, int], ...]


class Entry(NamedTuple):
    """A variable, or a part of a partitioned one, as listed in the index file.

    Attributes:
        name: The variable's name.
        dtype: TensorFlow's name of the element type.
        shape: The size of each dimension.
        shard: The number of the data shard.
        offset: The offset in the shard.
        n_bytes: Size in bytes.
        crc: CRC32C of those bytes.
        slices: For a partitioned variable, the extents of each part: (first index, length) in each dimension; length -1
            is "all".
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    n_bytes: int
    crc: int
    slices: tuple[Extents, ...] = ()


class IndexFile:
    """The contents of an index file.

    Attributes:
        ref: The file.
        n_shards: The number of data shards.
        variables: Name -> entry, sorted by name.
        parts: (variable's name, extents) -> entry, for the parts of partitioned variables.
    """

    def __init__(self, ref: FileRef) -> None:
        """Read the file.

        Raises:
            CorruptFileError: The file is damaged.
            WrongFileKindError: Big-endian, of another format version, compressed by TensorFlow 1.1, or a Git LFS pointer.
            UnsafeFileError: The file exceeds a size limit.
        """
        self.ref = ref
        data = read_small(ref, max_bytes=sstable.MAX_TABLE_BYTES)
        kind = kind_of(data[:N_HEAD_BYTES])
        if kind is not None and kind.id not in ("binary", "empty"):
            raise wrong_kind(ref, kind, wanted="a TensorFlow index file")
        self.n_shards, self.variables, self.parts = self._read(data)

    def damaged(self, message: str, offset: int | None = None, cause: Exception | None = None) -> NoReturn:
        """Raise CorruptFileError for the index file."""
        text = f"the index file is damaged: {message}"
        context = [("byte", str(offset))] if offset is not None else []
        hints = ["copy or download the checkpoint again"]
        raise CorruptFileError(text, offset=offset, **self.ref.facts, context=context, hints=hints) from cause

    def _unsafe(self, message: str, cause: Exception | None = None) -> NoReturn:
        raise UnsafeFileError(message, **self.ref.facts) from cause

    def _read(self, data: bytes) -> tuple[int, dict[str, Entry], dict[tuple[str, Extents], Entry]]:
        try:
            n_shards, entries = self._read_table(data)
        except sstable.CompressedTableError as exc:
            self._refuse("a checkpoint of TensorFlow 1.1, whose index file is compressed", exc)
        except sstable.TableTooLargeError as exc:
            self._unsafe(f"the index file is too large: {exc}", exc)
        except sstable.TableError as exc:
            self.damaged(str(exc), exc.offset, exc)
        parts = self._take_parts(entries)
        variables = {entry.name: entry for entry in entries.values()}
        if len(variables) < len(entries):
            self.damaged("two names differ only in bytes that are not UTF-8")
        return n_shards, variables, parts

    def _read_table(self, data: bytes) -> tuple[int, dict[bytes, Entry]]:
        n_shards, name = -1, "its header"
        entries: dict[bytes, Entry] = {}
        try:
            for key, value in sstable.read_table(data):
                if n_shards < 0:
                    n_shards = self._read_header(key, value)
                elif len(key) > MAX_KEY_BYTES:
                    self._unsafe(f"the index file has a name of {len(key):,} bytes; at most {MAX_KEY_BYTES:,} are read")
                elif len(entries) >= MAX_VARIABLES:
                    self._unsafe(f"the index file lists more than {MAX_VARIABLES:,} variables")
                else:
                    name = key.decode("utf-8", "backslashreplace")
                    entries[key] = _read_entry(name, value)
        except SafeLoadError:
            raise
        except ValueError as exc:
            self.damaged(f"{name}: {exc}", None, exc)
        if n_shards < 0:
            self.damaged("it is empty")
        return n_shards, entries

    def _take_parts(self, entries: dict[bytes, Entry]) -> dict[tuple[str, Extents], Entry]:
        """Remove the parts of partitioned variables from `entries` and return them; keys alone do not identify parts."""
        parts: dict[tuple[str, Extents], Entry] = {}
        partitioned = [(key, entry) for key, entry in entries.items() if entry.slices]
        if sum(len(entry.slices) for _, entry in partitioned) > MAX_VARIABLES:
            self._unsafe(f"the index file lists more than {MAX_VARIABLES:,} parts of variables")
        if sum(len(key) * len(entry.slices) for key, entry in partitioned) > sstable.MAX_TABLE_BYTES:
            self._unsafe("the index file lists parts of variables whose keys alone exceed the size of any index file")
        for key, entry in partitioned:
            for extents in entry.slices:
                part = entries.pop(sstable.part_key(key, extents), None)
                if part is not None:
                    parts[entry.name, extents] = part._replace(name=entry.name)
        return parts

    def _read_header(self, key: bytes, value: bytes) -> int:
        first = next(protobuf.read_fields(value), None)
        if key or (first is not None and first[0] == 1 and isinstance(first[1], bytes)):
            self._refuse("a TensorFlow V1 checkpoint or another table, not the index file of a V2 checkpoint")
        n_shards = endianness = min_consumer = 0
        for number, field in protobuf.read_fields(value):
            if number == 1:
                n_shards = protobuf.signed(field)
            elif number == 2:  # noqa: PLR2004  (field numbers of BundleHeaderProto)
                endianness = protobuf.signed(field)
            elif number == 3:  # noqa: PLR2004
                versions = dict(protobuf.read_fields(protobuf.message_bytes(field)))
                min_consumer = protobuf.signed(versions.get(2, 0))
        if endianness == _BIG_ENDIAN:
            self._refuse("a checkpoint from a big-endian machine")
        if min_consumer > VERSION:
            self._refuse(f"a checkpoint of format version {min_consumer}; version {VERSION} is supported")
        if not 0 <= n_shards <= 99_999:  # noqa: PLR2004  (a shard's number has five digits)
            self.damaged(f"it names {n_shards} shards")
        return n_shards

    def _refuse(self, found: str, cause: Exception | None = None) -> NoReturn:
        kind = FileKind("checkpoint", found, hint="save the checkpoint again with TensorFlow on this machine")
        raise wrong_kind(self.ref, kind, wanted="a V2 checkpoint's index file") from cause


def _read_entry(name: str, value: bytes) -> Entry:
    numbers = {1: 0, 3: 0, 4: 0, 5: 0, 6: 0}
    shape: tuple[int, ...] = ()
    slices = []
    for number, field in protobuf.read_fields(value):
        if number == 2:  # noqa: PLR2004  (field numbers of BundleEntryProto)
            shape = protobuf.read_shape(protobuf.message_bytes(field))
        elif number == 7:  # noqa: PLR2004
            slices.append(protobuf.read_slice(protobuf.message_bytes(field)))
            if len(slices) > MAX_VARIABLES:
                message = "an impossible number of parts"
                raise ValueError(message)
        elif number in numbers:
            numbers[number] = protobuf.signed(field)
    dtype, shard, offset, n_bytes, masked = numbers.values()
    type_name = _DTYPE_NAMES.get(dtype, f"dtype {dtype}")
    if offset < 0 or n_bytes < 0:
        message = f"an impossible extent of {n_bytes} bytes from {offset}"
        raise ValueError(message)
    per_element = N_BYTES_OF.get(type_name)
    if per_element and not slices and math.prod(shape) * per_element != n_bytes:
        message = f"{shape} {type_name} is listed with {n_bytes} bytes"
        raise ValueError(message)
    return Entry(name, type_name, shape, shard, offset, n_bytes, sstable.unmask(masked), tuple(slices))
