from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safeload._forms.tensorflow import sstable
from safeload._forms.tensorflow.sstable import (
    MAGIC,
    MAX_TABLE_BYTES,
    N_FOOTER_BYTES,
    SNAPPY,
    CompressedTableError,
    TableError,
    TableTooLargeError,
    part_key,
    read_table,
)
from tests.forms.laws import LAW
from tests.forms.tensorflow.index_writer import block, sealed, table, table_of, varint

ROWS = [(b"", b"head"), (b"aa", b"1"), (b"aab", b""), (b"b" * 200, b"x" * 1000)]


def test_a_v1_checkpoint_of_tensorflow_is_read_entry_by_entry(tmp_path):
    import tensorflow as tf

    kernel = np.random.default_rng(0).normal(size=(300, 40)).astype(np.float32)
    names = ["kernel", *(f"v{number}" for number in range(60))]
    tf.raw_ops.Save(filename=str(tmp_path / "v1"), tensor_names=names, data=[kernel, *(tf.range(n) for n in range(60))])

    rows = dict(read_table((tmp_path / "v1").read_bytes()))

    assert len(rows) == 1 + len(names)
    assert all(any(name.encode() in key for key in rows) for name in names)
    assert sum(kernel.tobytes() in value for value in rows.values()) == 1


@LAW
@given(rows=st.dictionaries(st.binary(max_size=20), st.binary(max_size=50), max_size=200))
def test_a_table_is_read_as_it_was_written(rows):
    rows = sorted(rows.items())

    assert list(read_table(table(rows))) == rows


@LAW
@given(value=st.integers(0, (1 << 70) - 1))
def test_a_varint_is_read_as_it_was_written(value):
    encoded = varint(value)

    assert sstable.varint(b"\xff" + encoded + b"\xff", 1) == (value, 1 + len(encoded))


def test_a_varint_has_at_most_ten_bytes():
    assert sstable.varint(b"\x80" * 9 + b"\0", 0) == (0, 10)
    with pytest.raises(ValueError, match="does not end"):
        sstable.varint(b"\x80" * 10 + b"\0", 0)


@LAW
@given(crc=st.integers(0, (1 << 32) - 1))
def test_a_checksum_is_unmasked_to_what_was_masked(crc):
    assert sstable.unmask(sstable.mask(crc)) == crc


ORDERED = {0: "80", 1: "81", 63: "bf", 64: "c040", 8191: "dfff", 8192: "e02000", (1 << 62): "ffc04000000000000000",
           -1: "7f", -64: "40", -65: "3fbf", -8192: "2000", -8193: "1fdfff"}  # fmt: skip


@pytest.mark.parametrize(("number", "encoded"), ORDERED.items())
def test_a_number_in_a_part_s_key_takes_as_few_bytes_as_it_can(number, encoded):
    key = part_key(b"v", ((number, -1),))

    assert key == b"\0v\0\1\1\1" + bytes.fromhex(encoded) + b"\x7f"


def test_the_key_of_a_part_is_its_name_its_rank_and_its_extents():
    assert part_key(b"a\0\xffz", ((0, -1), (3, 4))) == b"\0a\0\xff\xff\0z\0\1\1\2\x80\x7f\x83\x84"
    assert part_key(b"v", ()) == b"\0v\0\1\0"
    assert part_key(b"v", ((0, -1),) * 200) == b"\0v\0\1\1\xc8" + b"\x80\x7f" * 200


@LAW
@given(numbers=st.lists(st.integers(-(1 << 63), (1 << 63) - 1)))
def test_the_keys_of_parts_are_in_the_order_of_their_numbers(numbers):
    keys = [part_key(b"v", ((number, number),)) for number in sorted(numbers)]

    assert keys == sorted(keys)


def refused(data, text):
    start = time.monotonic()
    with pytest.raises(TableError, match=text) as caught:
        list(read_table(data))
    assert time.monotonic() - start < 20
    assert 0 <= caught.value.offset <= max(len(data), 1) or "past the end" in text
    return caught.value


def with_footer(*numbers):
    """Return a table whose footer has other numbers: place and size of the unused block, then of the index block."""
    data = table(ROWS)
    return data[:-N_FOOTER_BYTES] + b"".join(map(varint, numbers)).ljust(40, b"\0") + MAGIC


@pytest.mark.parametrize("n_bytes", [0, 1, 7, 8, 47])
def test_too_few_bytes_for_a_footer_are_refused(n_bytes):
    assert refused(table(ROWS)[-n_bytes:] if n_bytes else b"", "too few for an index file").offset == 0


def test_a_footer_alone_has_no_blocks():
    refused(with_footer(0, 0, 0, 0)[-N_FOOTER_BYTES:], "a block of 0 bytes runs past the end")


def test_an_end_of_another_file_is_told_with_its_place():
    data = table(ROWS)
    assert refused(data[:-1] + b"\0", "does not end like an index file").offset == len(data) - 8


def test_a_footer_may_write_its_numbers_as_long_as_they_can_be():
    data = table(ROWS)
    numbers, at = [], len(data) - N_FOOTER_BYTES
    for _ in range(4):
        number, at = sstable.varint(data, at)
        numbers.append(bytes(number >> 7 * place & 0x7F | 0x80 for place in range(9)) + b"\0")

    assert list(read_table(data[:-N_FOOTER_BYTES] + b"".join(numbers) + MAGIC)) == ROWS


FOOTERS = {
    "beyond_the_end": ((0, 0, 1 << 40, 10), "past the end"),
    "over_the_footer": ((0, 0, 0, 1 << 40), "past the end"),
    "huge_numbers": ((0, 0, (1 << 69), (1 << 69)), "past the end"),
    "the_middle_of_a_block": ((0, 0, 1, 20), "checksum"),
}


@pytest.mark.parametrize(("numbers", "text"), FOOTERS.values(), ids=FOOTERS)
def test_a_footer_that_points_elsewhere_is_refused(numbers, text):
    refused(with_footer(*numbers), text)


def test_a_footer_of_unending_numbers_is_refused():
    refused(table(ROWS)[:-N_FOOTER_BYTES] + b"\xff" * 40 + MAGIC, "offset or size of a block cannot be read")


HANDLES = {
    "itself": (lambda places: [places[0], places[0]], "begins before the end"),
    "backward": (lambda places: places[::-1], "begins before the end"),
    "inside_the_checksum": (lambda places: [places[0], (places[1][0] - 1, 4)], "begins before the end"),
    "one_inside_the_other": (lambda places: [places[0], (places[0][0] + 1, 4)], "begins before the end"),
    "beyond_the_end": (lambda places: [places[0], (1 << 40, 4)], "past the end"),
    "out_of_proportion": (lambda places: [places[0], (places[1][0], 1 << 60)], "past the end"),
    "another_size": (lambda places: [places[0], (places[1][0], places[1][1] - 1)], "checksum"),
}


@pytest.mark.parametrize(("handles", "text"), HANDLES.values(), ids=HANDLES)
def test_a_block_s_place_that_is_not_the_next_is_refused(handles, text):
    blocks = [(b"b", block([(b"a", b"1"), (b"b", b"2")])), (b"d", block([(b"c", b"3"), (b"d", b"4")]))]
    assert len(list(read_table(table_of(blocks)))) == 4

    refused(table_of(blocks, handles=handles), text)


def test_a_block_ends_before_the_footer():
    start, size = index_block_of(table(ROWS))

    refused(with_footer(0, 0, start, size + 1), "runs past the end")


def test_an_index_block_that_names_itself_is_read_once():
    first = block([(b"a", b"1")])
    at_index = len(sealed(first)) + len(sealed(block([])))
    place = varint(at_index) + varint(14)

    assert list(read_table(table_of([(b"a", first)], handles=lambda _: [(at_index, 14)]))) == [(b"a", place)]


KEYS = {
    "descending": [[b"b", b"a"]],
    "twice": [[b"a", b"a"]],
    "descending_across_blocks": [[b"a", b"c"], [b"b"]],
    "twice_across_blocks": [[b"a"], [b"a"]],
    "the_header_again": [[b"", b"a"], [b""]],
}


@pytest.mark.parametrize("groups", KEYS.values(), ids=KEYS)
def test_keys_that_do_not_ascend_are_refused(groups):
    blocks = [(keys[-1], block([(key, b"") for key in keys])) for keys in groups]

    refused(table_of(blocks), "the keys do not ascend")


BLOCKS = {
    "no_bytes": (b"", "too short for its restart points"),
    "three_bytes": (bytes(3), "too short for its restart points"),
    "more_restarts_than_bytes": (bytes(4) + b"\xff" * 4, "too short for its restart points"),
    "shares_with_no_key": (b"\1\1\0a" + bytes(4) + b"\1\0\0\0", "longer than its block"),
    "key_beyond_the_end": (b"\0\x7f\0a" + bytes(4) + b"\1\0\0\0", "longer than its block"),
    "value_beyond_the_end": (b"\0\1\x7fa" + bytes(4) + b"\1\0\0\0", "longer than its block"),
    "huge_lengths": (b"\0" + b"\xff\xff\xff\xff\x7f" * 2 + b"a" + bytes(4) + b"\1\0\0\0", "longer than its block"),
    "lengths_without_end": (b"\xff" * 30 + bytes(4) + b"\1\0\0\0", "lengths of an entry cannot be read"),
    "six_bytes_for_what_is_shared": (
        b"\x80\x80\x80\x80\x80\0\1\0a" + bytes(4) + b"\1\0\0\0",
        "lengths of an entry cannot be read",
    ),
    "six_bytes_for_a_key": (
        b"\0\x81\x80\x80\x80\x80\0\0a" + bytes(4) + b"\1\0\0\0",
        "lengths of an entry cannot be read",
    ),
    "six_bytes_for_a_value": (
        b"\0\1\x80\x80\x80\x80\x80\0a" + bytes(4) + b"\1\0\0\0",
        "lengths of an entry cannot be read",
    ),
    "lengths_cut_off": (b"\0\1" + bytes(4) + b"\1\0\0\0", "longer than its block"),
}


@pytest.mark.parametrize(("content", "text"), BLOCKS.values(), ids=BLOCKS)
def test_a_block_that_contradicts_itself_is_refused(content, text):
    refused(table_of([(b"a", content)]), text)


BLOCK = block([(b"a", b"1")])


def index_block_of(data):
    """Return where the table's index block lies and how long it is."""
    footer = data[-N_FOOTER_BYTES:]
    _, _, at = sstable._handle(footer, 0)
    return sstable._handle(footer[at:], 0)[:2]


@pytest.mark.parametrize("where", ["compression", "index_compression"])
@pytest.mark.parametrize("kind", [2, 3, 4, 127, 255])
def test_an_unknown_compression_is_refused(kind, where):
    caught = refused(table_of([(b"a", BLOCK)], **{where: kind}), f"^a block has the unknown compression {kind}$")

    assert type(caught) is TableError


def test_a_compressed_data_block_is_told_with_the_place_of_its_type():
    caught = refused(table_of([(b"a", BLOCK)], compression=SNAPPY), "compressed with Snappy, as TensorFlow 1.1 wrote")

    assert type(caught) is CompressedTableError
    assert caught.offset == len(BLOCK)


def test_a_compressed_index_block_is_told_with_the_place_of_its_type():
    data = table_of([(b"a", BLOCK)], index_compression=SNAPPY)
    start, size = index_block_of(data)

    caught = refused(data, "compressed with Snappy, as TensorFlow 1.1 wrote")

    assert type(caught) is CompressedTableError
    assert data[caught.offset] == SNAPPY
    assert caught.offset == start + size


def test_a_compressed_block_after_others_is_told_when_it_is_reached():
    blocks = [(b"a", BLOCK), (b"b", block([(b"b", b"2")]))]
    rows = read_table(table_of(blocks, compression=[0, SNAPPY]))

    assert next(rows) == (b"a", b"1")
    with pytest.raises(CompressedTableError):
        next(rows)


def test_a_compressed_block_with_another_checksum_is_damaged_and_not_compressed():
    data = bytearray(table_of([(b"a", BLOCK)]))
    data[len(BLOCK)] = SNAPPY

    assert type(refused(bytes(data), "checksum of a block")) is TableError


def test_a_byte_that_is_changed_is_found_by_the_checksum_of_its_block():
    data = bytearray(table(ROWS))
    data[3] ^= 1

    assert refused(bytes(data), "checksum of a block").offset == 0


def test_keys_that_unpack_out_of_proportion_are_refused():
    rows = [(b"x" * 500_000 + b"%06d" % number, b"") for number in range(66)]  # 3 % more than there is room for
    data = table_of([(rows[-1][0], block(rows))])

    assert len(data) < MAX_TABLE_BYTES // 30
    assert type(refused(data, "unpacks to more than")) is TableTooLargeError


@pytest.mark.parametrize(("too_few", "fits"), [(0, True), (1, False)])
def test_blocks_and_keys_count_together(too_few, fits, monkeypatch):
    rows = [(b"key_a", b"1"), (b"key_b", b"22")]
    content, index = block(rows), block([(b"key_b", varint(0) + varint(len(block(rows))))], share=False)
    room = len(index) + len(b"key_b") + len(content) + len(b"key_akey_b")
    monkeypatch.setattr(sstable, "MAX_TABLE_BYTES", room - too_few)
    data = table_of([(b"key_b", content)])
    if fits:
        assert list(read_table(data)) == rows
    else:
        refused(data, "unpacks to more than")


def test_places_that_unpack_out_of_proportion_are_refused():
    rows = [(b"x" * 500_000 + b"%06d" % number, varint(13 * number) + varint(8)) for number in range(100)]
    index = block(rows)
    blocks = sealed(block([])) * 100
    footer = b"".join(map(varint, (0, 8, len(blocks), len(index)))).ljust(40, b"\0") + MAGIC

    assert type(refused(blocks + sealed(index) + footer, "unpacks to more than")) is TableTooLargeError
