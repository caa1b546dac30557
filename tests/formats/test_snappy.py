from __future__ import annotations

import time
import tracemalloc

import crc32c
import numpy as np
import pytest
from both_readers import assert_same, read_all
from checkpoints import write_checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st
from index_writer import SNAPPY, entry, header, table, table_of, varint
from laws import LAW
from snappy_writer import compress, copy, literal, stream

from safeload._formats import snappy
from safeload._formats.protobuf import read_fields
from safeload._formats.sstable import TableError, TableTooLargeError, read_table

ROOM = 1 << 20
ABC = b"abcdefghij"
FAR = b"".join(
    b"%04d" % number for number in range(512)
)  # no part of it is there twice, as a wrong distance would need


def compressed_by_tensorflow(array, prefix):
    """Return the stream that TensorFlow's Snappy makes of the array's bytes, taken out of a saved dataset element."""
    import tensorflow as tf

    write_checkpoint(prefix, {"element": tf.raw_ops.CompressElement(components=[array])})
    variant = dict(read_fields(read_all(prefix)["element"].item()))
    return dict(read_fields(variant[2]))[1]


@pytest.mark.parametrize("n_bytes", [1, 59, 60, 61, 62, 255, 256, 257, 65_535, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("n_values", [1, 2, 5, 256], ids=lambda n: f"{n}_values")
def test_what_tensorflow_compressed_is_unpacked(n_bytes, n_values, tmp_path):
    array = np.random.default_rng(n_bytes).integers(0, n_values, n_bytes, np.uint8)

    data = compressed_by_tensorflow(array, tmp_path / "m")

    assert len(data) < n_bytes or n_bytes < 100 or n_values == 256
    assert snappy.decompress(data, max_bytes=n_bytes) == array.tobytes()


@settings(LAW, max_examples=200)
@given(words=st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=4), data=st.data())
def test_any_text_that_tensorflow_compressed_is_unpacked(words, data, tmp_path_factory):
    text = b"".join(data.draw(st.lists(st.sampled_from(words), min_size=1, max_size=300)))
    packed = compressed_by_tensorflow(np.frombuffer(text, np.uint8), tmp_path_factory.getbasetemp() / "snappy")

    assert snappy.decompress(packed, max_bytes=len(text)) == text


@LAW
@given(text=st.binary(max_size=300) | st.lists(st.sampled_from([b"weights/", b"bias", b"a"])).map(b"".join))
def test_any_text_is_unpacked_from_every_kind_of_tag(text):
    assert snappy.decompress(compress(text), max_bytes=len(text)) == text


def test_an_index_file_in_compressed_blocks_is_read_as_tensorflow_reads_it(tmp_path):
    value = np.float32([1, 2]).tobytes()
    names = [f"encoder/layer_{number:03}/attention/kernel" for number in range(200)]
    rows = [
        (name.encode(), entry((2,), n_bytes=8, offset=8 * number, crc=crc32c.crc32c(value)))
        for number, name in enumerate(names)
    ]
    packed, plain = table([(b"", header()), *rows], compress=compress), table([(b"", header()), *rows])
    (tmp_path / "m.index").write_bytes(packed)
    (tmp_path / "m.data-00000-of-00001").write_bytes(value * 200)

    assert len(packed) < len(plain)
    assert list(assert_same(tmp_path / "m")) == names


TAGS = {
    "literal_of_one": ([literal(b"a")], b"a"),
    "literal_of_60": ([literal(bytes(range(60)))], bytes(range(60))),
    "literal_length_in_1_byte": ([literal(bytes(61), 1)], bytes(61)),
    "literal_length_in_2_bytes": ([literal(bytes(300), 2)], bytes(300)),
    "literal_length_in_3_bytes": ([literal(bytes(70_000), 3)], bytes(70_000)),
    "literal_length_in_4_bytes": ([literal(ABC, 4)], ABC),
    "copy_1": ([literal(ABC), copy(10, 4, 1)], ABC + b"abcd"),
    "copy_1_of_11": ([literal(ABC + b"!"), copy(11, 11, 1)], (ABC + b"!") * 2),
    "copy_1_from_afar": ([literal(FAR, 2), copy(2047, 4, 1)], FAR + FAR[1:5]),
    "copy_1_from_between": ([literal(FAR, 2), copy(700, 4, 1)], FAR + FAR[-700:-696]),
    "copy_2": ([literal(ABC), copy(3, 1, 2)], ABC + b"h"),
    "copy_2_of_64": ([literal(bytes(range(64)), 1), copy(64, 64, 2)], bytes(range(64)) * 2),
    "copy_2_from_afar": ([literal(ABC + bytes(65_525), 3), copy(65_535, 10, 2)], ABC + bytes(65_525) + ABC),
    "copy_4": ([literal(ABC), copy(10, 10, 4)], ABC * 2),
    "copy_4_from_afar": ([literal(ABC + bytes(99_990), 3), copy(100_000, 3, 4)], ABC + bytes(99_990) + b"abc"),
    "copy_into_itself": ([literal(b"ab"), copy(2, 7, 1)], b"ababababa"),
    "copy_of_the_last_byte": ([literal(b"ab"), copy(1, 64, 2)], b"a" + b"b" * 65),
    "copies_of_copies": ([literal(b"ab"), copy(2, 4, 1), copy(3, 5, 1)], b"ababab" + b"babba"),
}


@pytest.mark.parametrize(("tags", "text"), TAGS.values(), ids=TAGS)
def test_a_tag_is_unpacked(tags, text):
    assert snappy.decompress(stream(len(text), *tags), max_bytes=ROOM) == text


def test_the_length_may_take_more_bytes_than_it_needs_up_to_5():
    assert snappy.decompress(b"\x8a\x80\x80\x80\x00" + literal(ABC), max_bytes=ROOM) == ABC


def test_nothing_is_unpacked_to_nothing():
    assert snappy.decompress(b"\0", max_bytes=0) == b""


DAMAGED = {
    "no_bytes": b"",
    "length_without_end": b"\xff" * 10,
    "length_alone": varint(5),
    "length_in_6_bytes": b"\x8a\x80\x80\x80\x80\x00" + literal(ABC),
    "more_than_is_allowed": stream(ROOM + 1, literal(ABC)),
    "fewer_bytes_than_claimed": stream(11, literal(ABC)),
    "more_bytes_than_claimed": stream(9, literal(ABC)),
    "a_copy_past_what_is_claimed": stream(12, literal(ABC), copy(10, 4, 1)),
    "literal_cut_off": stream(10, literal(ABC)[:-1]),
    "literal_length_cut_off": stream(10, b"\xfc\x09\x00\x00"),
    "literal_out_of_proportion": stream(10, b"\xfc\xff\xff\xff\xff" + ABC),
    "copy_1_cut_off": stream(14, literal(ABC), copy(10, 4, 1)[:-1]),
    "copy_2_cut_off": stream(14, literal(ABC), copy(10, 4, 2)[:-1]),
    "copy_4_cut_off": stream(14, literal(ABC), copy(10, 4, 4)[:-1]),
    "copy_of_nothing": stream(4, copy(1, 4, 1)),
    "copy_from_before_the_start": stream(14, literal(ABC), copy(11, 4, 1)),
    "copy_at_no_distance": stream(14, literal(ABC), copy(0, 4, 2)),
    "copy_from_far_before_the_start": stream(14, literal(ABC), copy((1 << 32) - 1, 4, 4)),
    "bytes_after_the_end": stream(10, literal(ABC), literal(b"x")),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_damaged_data_is_refused(data):
    with pytest.raises(ValueError, match=r"contradicts|claims|does not end"):
        snappy.decompress(data, max_bytes=ROOM)


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_damaged_data_in_a_block_is_a_table_error(data):
    with pytest.raises(TableError):
        list(read_table(table_of([(b"a", data)], compression=SNAPPY)))


@LAW
@given(data=st.binary(max_size=80))
def test_any_bytes_are_unpacked_to_what_they_claim_or_a_value_error(data):
    try:
        out = snappy.decompress(data, max_bytes=1000)
    except ValueError:
        return
    assert data.startswith(varint(len(out))) or len(out) < 1 << 28


def test_every_cut_of_a_stream_is_refused():
    data = compress(b"encoder/layer_1/kernel encoder/layer_2/kernel" * 3)
    for n_left in range(len(data)):
        with pytest.raises(ValueError, match=r"contradicts|does not end"):
            snappy.decompress(data[:n_left], max_bytes=ROOM)


def unpacked_in(seconds, data):
    start = time.monotonic()
    with pytest.raises(TableError) as caught:
        list(read_table(data))
    assert time.monotonic() - start < seconds
    return caught.value


def test_a_bomb_that_claims_too_much_is_refused_at_once():
    bomb = stream(1 << 34, literal(b"a"), *[copy(1, 64, 2)] * 1000)

    assert "it claims 17179869184 bytes" in str(unpacked_in(1, table_of([(b"a", bomb)], compression=SNAPPY)))


def test_a_bomb_of_far_copies_ends_soon():
    n_copies = 5_000
    start = literal(bytes(16 << 20), 4)
    bomb = stream((16 << 20) + n_copies, start, copy(16 << 20, 1, 4) * n_copies)

    assert unpacked_in(5, table_of([(b"a", bomb)], compression=SNAPPY))


def test_more_than_is_claimed_is_never_held():
    bomb = stream(8, literal(bytes(8)), copy(1, 64, 2) * 200_000)

    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="contradicts"):
            snappy.decompress(bomb, max_bytes=ROOM)
        assert tracemalloc.get_traced_memory()[1] < ROOM
    finally:
        tracemalloc.stop()


def test_bombs_in_many_blocks_are_refused_together():
    n_copies = 200_000
    n_bytes = 8 + 64 * n_copies
    n_restarts = literal((n_bytes // 4 - 1).to_bytes(4, "little"))
    bomb = stream(n_bytes, literal(bytes(4)), copy(1, 64, 2) * n_copies, n_restarts)
    rows = [(b"%03d" % number, bomb) for number in range(20)]

    caught = unpacked_in(20, table_of(rows, compression=SNAPPY))

    assert type(caught) is TableTooLargeError
