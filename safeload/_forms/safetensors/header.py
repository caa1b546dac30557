"""Read the header of a safetensors file: its length, then JSON with the dtype, shape and bytes of each tensor.

Source:
    safetensors/src/tensor.rs, Metadata, safetensors 0.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._bytes import absent
from safeload._bytes.kinds import UNKNOWN, kind_of_open, wrong_kind
from safeload._forms.element_types import TYPES, n_bits_of
from safeload._forms.weight_file import COPY_AGAIN
from safeload._json import json_object
from safeload._text.words import counted, one_line
from safeload.errors import ConfigError, CorruptFileError, UnsafeFileError

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile

MAX_HEADER_BYTES = 1 << 24
"""The size of a header, in bytes: some 100,000 tensors."""

MAX_ENTRIES = 100_000
"""The number of tensors in a file."""

MAX_AXES = 32
_N_LENGTH_BYTES = 8
DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32", "I16": "int16",
    "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool", "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu", "F4": "float4_e2m1fn", "F6_E2M3": "float6_e2m3fn", "F6_E3M2": "float6_e3m2fn",
}  # fmt: skip
"""The types that safetensors knows -> NumPy's or torch's names."""

_METADATA = "__metadata__"


class Entry(NamedTuple):
    """A tensor in a header.

    Attributes:
        dtype: The name of the element type in `TYPES`, or the header's own if it is not known.
        shape: The size of each dimension.
        start: The offset of its first byte in the file.
        end: The offset behind its last byte.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class Header(NamedTuple):
    """The header of a file.

    Attributes:
        entries: Name -> tensor.
        metadata: What the writer says about the file, such as {"format": "pt"}.
    """

    entries: dict[str, Entry]
    metadata: dict[str, str]


def read_header(file: OpenFile, ref: FileRef) -> Header:
    """Read and verify a header; each byte of the file belongs to the header or to exactly one tensor.

    Raises:
        WrongFileKindError: Not a safetensors file.
        CorruptFileError: Truncated, or the header is damaged, or contradicts itself or the size of the file.
        UnsafeFileError: The header is larger, or lists more tensors, than any weight file needs.
        FileSystemError: The system cannot read.
    """
    try:
        start = file.read(_N_LENGTH_BYTES + 1)
        n_bytes = int.from_bytes(start[:_N_LENGTH_BYTES], "little")
        if start[_N_LENGTH_BYTES:] != b"{":
            raise wrong_kind(ref, kind_of_open(file) or UNKNOWN, wanted="a safetensors file")
        if n_bytes > MAX_HEADER_BYTES:
            message = f"the header declares {n_bytes:,} bytes; no weight file needs more than {MAX_HEADER_BYTES:,}"
            raise UnsafeFileError(message, **ref.facts, hints=[f"if the file is good, {COPY_AGAIN}"])
        data = file.read(n_bytes, _N_LENGTH_BYTES)
    except OSError as exc:
        raise absent.failed(ref, exc) from exc
    begin = _N_LENGTH_BYTES + n_bytes
    if len(data) < n_bytes or begin > file.n_bytes:
        raise _truncated(ref, file.n_bytes, begin)
    n_tensors = data.count(b"{") - 1 - (_METADATA.encode() in data)  # keys may be written with escapes
    if n_tensors > MAX_ENTRIES:
        message = f"the header lists {n_tensors:,} tensors; no weight file needs more than {MAX_ENTRIES:,}"
        raise UnsafeFileError(message, **ref.facts, hints=["take the file from where the model was published"])
    try:
        table = json_object(data, ref)
    except ConfigError as exc:
        raise _damaged(ref, exc.message.partition(" file ")[2] or exc.message) from exc
    metadata = _metadata(table.pop(_METADATA, {}), ref)
    entries = {name: _entry(name, row, begin, ref) for name, row in table.items()}
    _require_no_gaps(entries, begin, file, ref)
    return Header(entries, metadata)


def _metadata(found: Any, ref: FileRef) -> dict[str, str]:  # noqa: ANN401  (JSON)
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise _damaged(ref, f"{_METADATA} is not an object of strings")
    return found


def _entry(name: str, row: Any, begin: int, ref: FileRef) -> Entry:  # noqa: ANN401  (JSON)
    if not isinstance(row, dict) or set(row) != {"dtype", "shape", "data_offsets"}:
        raise _damaged(ref, f"{one_line(name)} has not exactly dtype, shape and data_offsets", name)
    dtype, shape, offsets = row["dtype"], row["shape"], row["data_offsets"]
    if not isinstance(dtype, str) or not _are_sizes(shape) or len(shape) > MAX_AXES:
        raise _damaged(ref, f"the dtype or the shape of {one_line(name)} is not one", name)
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:  # noqa: PLR2004  (from and to)
        raise _damaged(ref, f"the data_offsets of {one_line(name)} are no range of bytes", name)
    known = DTYPES.get(dtype, dtype)
    n_bytes = offsets[1] - offsets[0]
    if known in TYPES and 8 * n_bytes != n_bits_of(shape, known):
        what = f"{one_line(name)} has {n_bytes:,} bytes, but its shape and dtype make {_size_text(shape, known)}"
        raise _damaged(ref, what, name)
    return Entry(known, tuple(shape), begin + offsets[0], begin + offsets[1])


def _size_text(shape: list[int], dtype: str) -> str:
    """Return the size of a tensor in bytes; safetensors knows none that ends within a byte."""
    n_bytes, n_rest = divmod(n_bits_of(shape, dtype), 8)
    return f"{n_bytes:,}" + (f" and {n_rest} bits" if n_rest else "")


def _are_sizes(found: object) -> bool:
    return isinstance(found, list) and all(type(size) is int and 0 <= size < 1 << 63 for size in found)


def _require_no_gaps(entries: dict[str, Entry], begin: int, file: OpenFile, ref: FileRef) -> None:
    end = begin
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)):
        if entry.start < end:
            raise _damaged(ref, f"{one_line(name)} overlaps the tensor before it", name)
        if entry.start > end:
            raise _damaged(
                ref, f"{counted(entry.start - end, 'byte')} before {one_line(name)} belong to no tensor", name
            )
        end = entry.end
    if end > file.n_bytes:
        lost = [name for name, entry in entries.items() if entry.end > file.n_bytes]
        raise _truncated(ref, file.n_bytes, end, lost)
    if end < file.n_bytes:
        raise _damaged(ref, f"{counted(file.n_bytes - end, 'byte')} at its end belong to no tensor")


def _truncated(ref: FileRef, found: int, wanted: int, lost: list[str] | None = None) -> CorruptFileError:
    lost = lost or []
    return CorruptFileError(
        f"the {ref.role} file is truncated: {found:,} of {wanted:,} bytes are present",
        **ref.facts,
        variables=lost,
        offset=found,
        details=[f"LOST       {one_line(name)}" for name in lost],
        hints=[f"{COPY_AGAIN}; the copy was cut off or the disk was full"],
    )


def _damaged(ref: FileRef, what: str, *names: str) -> CorruptFileError:
    message = f"the header of the {ref.role} file is damaged: {what}"
    return CorruptFileError(message, **ref.facts, variables=names, hints=[COPY_AGAIN])
