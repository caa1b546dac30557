"""Decode strings and variants of a checkpoint, whose checksums include their lengths as integers.

Source:
    tensorflow/core/util/tensor_bundle/tensor_bundle.cc, ReadStringTensor, ReadVariantTensor. TensorFlow 2.15 and 2.21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._bytes.crc import crc32c
from safeload._forms.intact import require_intact
from safeload._forms.tensorflow import sstable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_MAX_UINT32 = 0xFFFFFFFF


def read_strings(data: bytes, n_strings: int) -> tuple[Array, int]:
    """Decode all lengths followed by all strings; return the strings and the checksum of lengths and bytes.

    Raises:
        ValueError: Lengths, checksum and bytes contradict each other.
    """
    out = _array_for(data, n_strings)
    at = crc = 0
    lengths = []
    for _ in range(len(out)):
        length, at = sstable.varint(data, at)
        require_intact(length <= len(data))
        crc = crc32c(length.to_bytes(4 if length <= _MAX_UINT32 else 8, "little"), crc)
        lengths.append(length)
    crc, at = _require_crc(data, at, crc)
    for i, length in enumerate(lengths):
        out[i] = data[at : at + length]
        at += length
    require_intact(at == len(data))
    return out, crc32c(b"".join(out), crc)


def read_variants(data: bytes, n_variants: int) -> tuple[Array, int]:
    """Decode variants, each between its length and its checksum; return them, serialized, and the checksum of all.

    Raises:
        ValueError: Lengths, checksums and bytes contradict each other.
    """
    out = _array_for(data, n_variants)
    at = crc = 0
    for i in range(len(out)):
        length, at = sstable.varint(data, at)
        require_intact(length <= len(data))
        out[i] = data[at : at + length]
        crc = crc32c(length.to_bytes(8, "little") + out[i], crc)
        crc, at = _require_crc(data, at + length, crc)
    require_intact(at == len(data))
    return out, crc


def _array_for(data: bytes, count: int) -> Array:
    require_intact(count <= len(data))
    return np.empty(count, object)


def _require_crc(data: bytes, at: int, crc: int) -> tuple[int, int]:
    stored = data[at : at + 4]
    require_intact(sstable.unmask(int.from_bytes(stored, "little")) == crc)
    return crc32c(stored, crc), at + 4
