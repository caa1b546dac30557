"""A writer of index files, for those that TensorFlow never writes; it trusts its caller in everything."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache

import crc32c

from safeload._forms.tensorflow.sstable import MAGIC, mask

N_ENTRIES_A_BLOCK = 40
UNCOMPRESSED = 0


@lru_cache(maxsize=1 << 16)
def varint(value):
    """Encode an unsigned number, or a negative one as protocol buffers do."""
    value &= (1 << 64) - 1 if value < 0 else -1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def message(*fields):
    """Encode (number, value) pairs: an int as a varint, bytes as they are."""
    return b"".join(
        varint(number << 3) + varint(value)
        if isinstance(value, int)
        else varint(number << 3 | 2) + varint(len(value)) + value
        for number, value in fields
    )


def header(n_shards=1, *, endianness=0, min_consumer=0):
    """Encode a BundleHeaderProto."""
    return message((1, n_shards), (2, endianness), (3, message((1, 1), (2, min_consumer))))


def shape_of(*sizes):
    """Encode a TensorShapeProto."""
    encoded = {size: message((2, message((1, size)))) for size in set(sizes)}
    return b"".join(encoded[size] for size in sizes)


def slice_of(*extents):
    """Encode a TensorSliceProto; an extent of None is the whole dimension."""
    pairs = (b"" if extent is None else message((1, extent[0]), (2, extent[1])) for extent in extents)
    return message(*((1, pair) for pair in pairs))


def entry(shape=(), *, dtype=1, shard=0, offset=0, n_bytes=4, crc=0, slices=()):
    """Encode a BundleEntryProto."""
    place = [(1, dtype), (2, shape_of(*shape)), (3, shard), (4, offset), (5, n_bytes)]
    checksum = b"\x35" + mask(crc).to_bytes(4, "little")
    return message(*place) + checksum + message(*((7, extents) for extents in slices))


def block(entries, *, share=True):
    """Encode sorted (key, value) pairs, each key without what it shares with the one before."""
    rows, previous = [], b""
    for key, value in entries:
        lengths = range(1, min(len(key), len(previous)) + 1) if share else ()
        n_shared = bisect_left(lengths, True, key=lambda n: key[:n] != previous[:n])
        rows.append(varint(n_shared) + varint(len(key) - n_shared) + varint(len(value)) + key[n_shared:] + value)
        previous = key
    return b"".join(rows) + bytes(4) + (1).to_bytes(4, "little")


def sealed(content, compression=UNCOMPRESSED):
    """Append a block's trailer."""
    kind = bytes([compression])
    return content + kind + mask(crc32c.crc32c(content + kind)).to_bytes(4, "little")


def table_of(blocks, *, compression=UNCOMPRESSED, index_compression=UNCOMPRESSED, handles=lambda handles: handles):
    """Join encoded blocks to a table.

    Args:
        blocks: (last key, encoded block) pairs.
        compression: The type of block in their trailers; one for all of them, or a list with one for each.
        index_compression: The type of block in the trailer of the table's index block.
        handles: Returns the (offset, size) pairs that are written, given the true ones.
    """
    out, places = bytearray(), []
    kinds = compression if isinstance(compression, list) else [compression] * len(blocks)
    for (_, content), kind in zip(blocks, kinds, strict=True):
        places.append((len(out), len(content)))
        out += sealed(content, kind)
    meta = (len(out), len(block([])))
    out += sealed(block([]))
    rows = [(key, varint(at) + varint(size)) for (key, _), (at, size) in zip(blocks, handles(places), strict=False)]
    index = block(rows, share=False)
    footer = b"".join(map(varint, (*meta, len(out), len(index))))
    return bytes(out) + sealed(index, index_compression) + footer.ljust(40, b"\0") + MAGIC


def table(entries):
    """Encode (key, value) pairs, in the order in which they are given."""
    entries = list(entries)
    starts = range(0, len(entries), N_ENTRIES_A_BLOCK)
    groups = [entries[start : start + N_ENTRIES_A_BLOCK] for start in starts]
    return table_of([(group[-1][0], block(group)) for group in groups])


def write_index(prefix, entries, *, shards=(), head=None):
    """Write an index file and its data shards.

    Args:
        prefix: The checkpoint prefix.
        entries: Name -> encoded entry.
        shards: The bytes of each data shard.
        head: The encoded header, where it shall not name those shards.
    """
    rows = {b"": header(len(shards)) if head is None else head}
    rows |= {key.encode() if isinstance(key, str) else key: value for key, value in entries.items()}
    with open(f"{prefix}.index", "wb") as file:
        file.write(table(sorted(rows.items())))
    for number, data in enumerate(shards):
        with open(f"{prefix}.data-{number:05d}-of-{len(shards):05d}", "wb") as file:
            file.write(data)
