"""The LZF decoder against what h5py compresses, and against streams made by hand."""

from __future__ import annotations

import time

import h5py
import numpy as np
import pytest

from safeload._forms.hdf5 import lzf


def copy(length, distance):
    """Encode: copy `length` bytes, 3 or more, from `distance` before the end."""
    back, length = distance - 1, length - 2
    head = bytes([length << 5 | back >> 8]) if length < 7 else bytes([7 << 5 | back >> 8, length - 7])
    return head + bytes([back & 0xFF])


def literal(data):
    return bytes([len(data) - 1]) + data


ABC = b"abcdefghijklmnopqrstuvwxyz012345"
STREAMS = {
    "nothing": (b"", b""),
    "one_byte": (literal(b"x"), b"x"),
    "as_many_as_one_literal_holds": (literal(ABC), ABC),
    "a_short_copy": (literal(ABC) + copy(3, 32), ABC + ABC[:3]),
    "the_longest_short_copy": (literal(ABC) + copy(8, 32), ABC + ABC[:8]),
    "the_shortest_long_copy": (literal(ABC) + copy(9, 32), ABC + ABC[:9]),
    "the_longest_copy": (literal(b"ab") + copy(264, 2), b"ab" * 133),
    "the_byte_before": (literal(b"abc") + copy(5, 1), b"abcccccc"),
    "no_whole_repetition": (literal(b"abc") + copy(5, 3), b"abcabcab"),
    "a_far_one": (literal(ABC) * 20 + literal(b"!") + copy(4, 20 * 32 + 1), ABC * 20 + b"!" + ABC[:4]),
    "the_farthest": (literal(ABC) * 256 + copy(5, 8192), ABC * 256 + ABC[:5]),
}


@pytest.mark.parametrize(("stream", "expected"), STREAMS.values(), ids=STREAMS)
def test_a_stream_is_unpacked(stream, expected):
    assert lzf.decompress(stream, n_bytes=len(expected)) == expected


DAMAGED = {
    "a_byte_too_many": literal(b"abcd") + b"\0",
    "a_literal_that_is_cut": literal(b"abcd")[:-1],
    "before_the_start": literal(b"a") + copy(3, 2),
    "a_copy_that_is_cut": literal(b"a") + copy(3, 1)[:-1],
    "a_long_copy_that_is_cut": literal(b"a") + copy(9, 1)[:1],
    "a_long_copy_without_its_place": literal(b"a") + copy(9, 1)[:2],
    "a_copy_that_begins_after_the_end": literal(b"abcd") + copy(3, 1)[:1],
    "too_few": literal(b"abc"),
    "too_many": literal(b"abcde"),
    "more_after_the_end": literal(b"abcd") + copy(3, 1),
}


@pytest.mark.parametrize("stream", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_stream_is_told(stream):
    with pytest.raises(ValueError, match="inconsistent"):
        lzf.decompress(stream, n_bytes=4)


def test_a_stream_that_unpacks_to_too_much_is_left_early():
    stream = literal(b"a") + copy(264, 1) * 1_000_000
    start = time.process_time()
    with pytest.raises(ValueError, match="inconsistent"):
        lzf.decompress(stream, n_bytes=10)
    assert time.process_time() - start < 0.2


@pytest.mark.parametrize("seed", range(5))
def test_what_h5py_compresses_is_unpacked(seed, tmp_path):
    random = np.random.default_rng(seed)
    words = random.integers(0, 256, (random.integers(2, 40), random.integers(1, 50)), np.uint8)
    data = np.concatenate([words[number] for number in random.integers(0, len(words), 500)])
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        dataset = file.create_dataset("a", data=data, chunks=data.shape, compression="lzf")
        mask, raw = dataset.id.read_direct_chunk((0,))

    assert mask == 0
    assert len(raw) < len(data)
    assert lzf.decompress(raw, n_bytes=len(data)) == data.tobytes()
