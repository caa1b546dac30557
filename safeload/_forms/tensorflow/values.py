"""Read a checkpoint's variables once, compare them with their CRC32C and test them for NaN and infinity.

Source:
    tensorflow/core/util/tensor_bundle/tensor_bundle.cc, BundleReader::GetValue. TensorFlow 2.15 and 2.21.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from safeload._bytes.zlib import crc32
from safeload._forms.arrays import (
    LOOKED_AT,
    DamagedError,
    Run,
    checksum_text,
    columns_of,
    fill,
    look_at,
    memory_for,
    read_run,
    require_crc,
)
from safeload._forms.byte_order import number_bytes, to_host
from safeload._forms.look import Look
from safeload._forms.raw import bytes_of
from safeload._forms.seen import Seen
from safeload._forms.tensorflow.index_file import N_BYTES_OF, STRING, VARIANT, Entry
from safeload._forms.tensorflow.parts import parts_of
from safeload._forms.tensorflow.strings import read_strings, read_variants

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from safeload._bytes.open_file import OpenFile
    from safeload._forms.tensorflow.index_file import Extents

    Array = NDArray[Any]

Result = TypeVar("Result")

_BY_NAME = ("float16", "float32", "float64", "bool", "complex64", "complex128")


class Values(NamedTuple):
    """Access to the values of the variables in an index file.

    Attributes:
        shards: The open data shards.
        parts: (variable's name, extents) -> entry, for the parts of partitioned variables.
    """

    shards: Sequence[OpenFile]
    parts: Mapping[tuple[str, Extents], Entry]

    def check(self, entry: Entry) -> Seen:
        """Verify a variable without keeping its values; those in parts that are not whole rows are kept meanwhile.

        Raises:
            DamagedError: As `read`.
        """
        _require_shape(entry)
        if entry.slices and entry.dtype in LOOKED_AT:
            return self._check_parts(entry)
        if not entry.slices and entry.dtype in N_BYTES_OF:
            return read_run(self._run(entry))
        return self.read(entry)[1]

    def read(self, entry: Entry) -> tuple[Array, Seen]:
        """Return a variable's values, and what was seen of them.

        Raises:
            DamagedError: A checksum does not match, a float16, float32 or float64 is NaN or infinite, the file ends early,
                or the type is unknown.
        """
        _require_shape(entry)
        if entry.slices:
            values = self._read_parts(entry)
            return values, look_at(values, entry.dtype)
        if entry.dtype in N_BYTES_OF:
            memory = memory_for(entry.n_bytes)
            seen = read_run(self._run(entry), memory)
            return memory.view(_dtype_of(entry)).reshape(entry.shape), seen
        return self._read_strings(entry), Seen(checksum=checksum_text(entry.crc, "crc32c"))

    def bits(self, entry: Entry) -> Array:
        """Return a variable's values without comparing the checksum or testing for NaN and infinity.

        Raises:
            DamagedError: The file ends early.
        """
        memory = memory_for(entry.n_bytes)
        run = self._run(entry)
        fill(run, 0, memory)
        return to_host(memory, run.number_bytes).view(_dtype_of(entry)).reshape(entry.shape)

    def run(self, entry: Entry) -> Run | None:
        """Return where a variable's values are, if they lie together and are as many as its shape says; else None."""
        n_bytes = math.prod(entry.shape) * N_BYTES_OF.get(entry.dtype, 0)
        return self._run(entry) if not entry.slices and 0 < n_bytes == entry.n_bytes else None

    def _run(self, entry: Entry) -> Run:
        dtype = entry.dtype if entry.dtype in LOOKED_AT else ""
        number = number_bytes(entry.dtype, N_BYTES_OF.get(entry.dtype, 1))
        columns = columns_of(entry.shape)
        shard = self.shards[entry.shard]
        return Run(shard, entry.offset, entry.n_bytes, dtype, entry.crc, columns, number_bytes=number)

    def _read_strings(self, entry: Entry) -> Array:
        data = np.empty(entry.n_bytes, np.uint8)
        fill(self._run(entry), 0, data)
        if entry.dtype not in (STRING, VARIANT):
            raise DamagedError("TYPE", f"{entry.dtype} cannot be read")
        decode = read_variants if entry.dtype == VARIANT else read_strings
        try:
            found, crc = decode(data.tobytes(), math.prod(entry.shape))
        except ValueError as exc:
            raise DamagedError("CHECKSUM", "the strings' lengths contradict their bytes") from exc
        require_crc(entry.crc, crc)
        return found.reshape(entry.shape)

    def _check_parts(self, entry: Entry) -> Seen:
        parts = parts_of(entry, self.parts)
        if any(part.shape[1:] != entry.shape[1:] for _, part in parts):
            return self.read(entry)[1]
        look, crc = Look(entry.dtype, columns_of(entry.shape)), 0

        def keep(_: int, block: Array) -> None:
            nonlocal crc
            crc = crc32(bytes_of(block), crc)

        for _, part in parts:
            _in_part(part, lambda part: read_run(self._run(part), look=look, keep=keep))
        return look.seen()._replace(checksum=checksum_text(crc))

    def _read_parts(self, entry: Entry) -> Array:
        parts = parts_of(entry, self.parts)
        memory = memory_for(math.prod(entry.shape) * N_BYTES_OF[entry.dtype])
        whole = memory.view(_dtype_of(entry)).reshape(entry.shape)
        for place, part in parts:
            whole[place] = _in_part(part, self.read)[0]
        return whole


def _in_part(part: Entry, use: Callable[[Entry], Result]) -> Result:
    try:
        return use(part)
    except DamagedError as exc:
        raise DamagedError(exc.kind, exc.text, place=part) from exc


def _require_shape(entry: Entry) -> None:
    """Require a shape that NumPy supports: 32 dimensions before 2.0, 64 since; TensorFlow has up to 254."""
    if not _is_possible(entry.shape):
        raise DamagedError("TYPE", f"NumPy cannot create an array of {len(entry.shape)} dimensions with this shape")


@functools.lru_cache
def _is_possible(shape: tuple[int, ...]) -> bool:
    try:
        np.broadcast_to(np.complex128(0), shape)  # the widest type
    except ValueError:
        return False
    return True


def _dtype_of(entry: Entry) -> np.dtype[Any]:
    if entry.dtype in _BY_NAME:
        return np.dtype(entry.dtype)
    sign = "i" if entry.dtype.startswith(("int", "qint")) else "u"
    return np.dtype(f"{sign}{N_BYTES_OF[entry.dtype]}")
