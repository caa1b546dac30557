"""A writer of Snappy's raw format with a free choice of tags."""

from __future__ import annotations

from index_writer import varint


def stream(n_bytes, *tags):
    """Join tags to a stream that claims to unpack to `n_bytes`."""
    return varint(n_bytes) + b"".join(tags)


def literal(data, n_length_bytes=None):
    """Encode bytes as they are, with their length in the tag or in 1 to 4 bytes after it."""
    if n_length_bytes is None:
        n_length_bytes = 0 if len(data) <= 60 else 4
    if n_length_bytes == 0:
        return bytes([(len(data) - 1) << 2]) + data
    return bytes([(59 + n_length_bytes) << 2]) + (len(data) - 1).to_bytes(n_length_bytes, "little") + data


def copy(distance, length, n_distance_bytes):
    """Encode a copy of earlier bytes: 4 to 11 of them at up to 2047, or 1 to 64 with 2 or 4 bytes of distance."""
    if n_distance_bytes == 1:
        return bytes([(distance >> 8) << 5 | (length - 4) << 2 | 1, distance & 0xFF])
    return bytes([(length - 1) << 2 | n_distance_bytes // 2 + 1]) + distance.to_bytes(n_distance_bytes, "little")


def compress(data):
    """Compress with every kind of tag in turn."""
    tags, seen, at, n_tags = [], {}, 0, 0
    while at < len(data):
        four = data[at : at + 4]
        earlier, seen[four] = seen.get(four), at
        n_tags += 1
        if earlier is None or len(four) < 4:
            length = 1 + n_tags % 7
            chunk = data[at : at + length]
            tags.append(literal(chunk, n_tags % 5))
            at += len(chunk)
            continue
        kind = (1, 2, 4)[n_tags % 3]
        if at - earlier > 2047:
            kind = 4
        longest = 11 if kind == 1 else 64
        length = next(
            (n for n in range(longest) if data[at + n : at + n + 1] != data[earlier + n : earlier + n + 1]), longest
        )
        length = min(length, len(data) - at)
        tags.append(copy(at - earlier, length, kind))
        at += length
    return stream(len(data), *tags)
