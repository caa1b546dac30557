"""Index files that no TensorFlow of this machine's kind writes."""

from __future__ import annotations

import os
import shutil
import time

import crc32c
import pytest

from safeload._forms.tensorflow import index_file, sstable
from safeload._forms.tensorflow.index_file import MAX_KEY_BYTES, MAX_VARIABLES, Entry, IndexFile
from safeload._forms.tensorflow.sstable import MAX_TABLE_BYTES, part_key, read_table, unmask
from safeload._forms.weight_file import WeightFile
from safeload.errors import CheckpointNotFoundError, CorruptFileError, UnsafeFileError, WrongFileKindError
from tests.forms.tensorflow.both_readers import assert_same, listed_by_safeload, small
from tests.forms.tensorflow.index_writer import block, entry, header, message, slice_of, table, table_of, write_index
from tests.opened import opened_checkpoint, ref

EIGHT = bytes(range(8))
SOUND = entry((2,), dtype=3, n_bytes=8, crc=crc32c.crc32c(EIGHT))
SECONDS = 20
GIVEN = "what the caller passed"


def failure(prefix):
    """Return the error of opening, which comes soon and names the file."""
    start = time.process_time()
    with pytest.raises((CheckpointNotFoundError, CorruptFileError, UnsafeFileError, WrongFileKindError)) as caught:
        opened_checkpoint(str(prefix), given=GIVEN)
    assert time.process_time() - start < SECONDS
    label = "shard" if ".data-" in caught.value.resolved else "index"
    assert f"\n  {label}:" in str(caught.value)
    assert str(prefix) in str(caught.value)
    assert caught.value.given == GIVEN
    return caught.value


def listed(prefix):
    """Return what the index file says."""
    return IndexFile(ref(f"{prefix}.index", "index", GIVEN))


def test_tensorflow_reads_what_the_index_writer_writes(tmp_path):
    names = [f"layer_{number:03}" for number in range(100)]
    write_index(tmp_path / "m", {name: entry((2,), dtype=3, n_bytes=8, offset=8 * i, crc=crc32c.crc32c(EIGHT))
                                 for i, name in enumerate(names)}, shards=[EIGHT * 100])  # fmt: skip

    assert list(assert_same(tmp_path / "m")) == names


def test_the_index_writer_writes_what_tensorflow_writes(tmp_path):
    prefix, _ = small(tmp_path)
    data = prefix.with_suffix(".ckpt.index").read_bytes()

    assert list(read_table(table(read_table(data)))) == list(read_table(data))


HEADERS = {
    "big_endian": (header(endianness=1), WrongFileKindError, "a checkpoint from a big-endian machine"),
    "too_new": (header(min_consumer=2), WrongFileKindError, "format version 2; version 1 is supported"),
    "no_shard": (header(0), CorruptFileError, "is listed in shard 0 of 0"),
    "too_many_shards": (header(100_000), CorruptFileError, "it names 100000 shards"),
    "shards_without_end": (header(1 << 62), CorruptFileError, "shards"),
    "fewer_than_no_shards": (header(-1), CorruptFileError, "it names -1 shards"),
    "as_many_as_have_a_name": (header(99_999), CheckpointNotFoundError, "99,999 data shards are missing"),
    "not_a_message": (b"\xff" * 12, CorruptFileError, "does not end"),
    "a_group": (b"\x0b\x0c", CorruptFileError, "its header: wire type 3"),
    "cut_off": (header()[:-1], CorruptFileError, "runs past the end"),
    "version_as_a_number": (message((1, 1), (3, 1)), CorruptFileError, "expected a message"),
}


@pytest.mark.parametrize(("head", "error", "text"), HEADERS.values(), ids=HEADERS)
def test_a_header_that_cannot_be_served_is_refused(head, error, text, tmp_path):
    write_index(tmp_path / "m", {"v": SOUND}, shards=[EIGHT], head=head)

    caught = failure(tmp_path / "m")

    assert type(caught) is error
    assert text in caught.message
    assert error is not WrongFileKindError or "save the checkpoint again" in caught.hints[0]


ODD_HEADERS = {
    "as_many_shards_as_have_a_name": (header(99_999), 99_999),
    "one_version_back": (header(min_consumer=1), 1),
    "nothing": (b"", 0),
    "versions_alone": (message((3, message((1, 1)))), 0),
    "no_version": (message((1, 2), (3, b"")), 2),
}


@pytest.mark.parametrize(("head", "n_shards"), ODD_HEADERS.values(), ids=ODD_HEADERS)
def test_a_header_may_leave_out_what_is_0(head, n_shards, tmp_path):
    write_index(tmp_path / "m", {}, head=head)

    assert listed(tmp_path / "m").n_shards == n_shards


def test_an_entry_may_leave_out_what_is_0(tmp_path):
    write_index(tmp_path / "m", {"v": b""}, head=header())

    assert listed(tmp_path / "m").variables == {"v": Entry("v", "dtype 0", (), 0, 0, 0, unmask(0))}


def test_a_header_alone_is_an_empty_checkpoint(tmp_path):
    write_index(tmp_path / "m", {}, shards=[b""])

    assert listed_by_safeload(tmp_path / "m") == {}


ENTRIES = {
    "negative_offset": (entry((2,), n_bytes=8, offset=-8), "v: an impossible extent of 8 bytes from -8"),
    "negative_size": (entry((2,), n_bytes=-8), "v: an impossible extent of -8 bytes from 0"),
    "negative_dimension": (entry((-2,), n_bytes=8), "v: an impossible shape"),
    "two_negative_dimensions": (entry((-1, -2), n_bytes=8), "impossible shape"),
    "a_product_that_overflows_to_nothing": (entry((1 << 32, 1 << 30, 4), n_bytes=0), "is listed with 0 bytes"),
    "a_product_that_overflows_to_eight": (entry(((1 << 62) + 2, 4), n_bytes=8), "is listed with 8 bytes"),
    "a_size_of_another_shape": (entry((3,), n_bytes=8), "v: (3,) float32 is listed with 8 bytes"),
    "too_many_dimensions": (entry((1,) * 255, n_bytes=4), "impossible shape"),
    "dimensions_without_end": (entry((1,) * 1_000_000, n_bytes=4), "impossible shape"),
    "another_shard": (entry((2,), n_bytes=8, shard=1), "in shard 1 of 1"),
    "a_shard_before_the_first": (entry((2,), n_bytes=8, shard=-1), "in shard -1 of 1"),
    "beyond_the_shard": (entry((2,), n_bytes=8, offset=1 << 62), "truncated"),
    "nothing_far_beyond_the_shard": (entry((0,), n_bytes=0, offset=1 << 62), "truncated"),
    "a_shape_as_a_number": (message((1, 1), (2, 7)), "expected a message"),
    "an_offset_as_bytes": (message((1, 1), (4, b"8")), "expected a number"),
    "a_slice_as_a_number": (message((1, 1), (7, 7)), "expected a message"),
    "a_slice_of_too_many_dimensions": (entry((2,), slices=[slice_of(*[None] * 255)]), "impossible slice"),
    "field_0": (b"\x00\x01" + SOUND, "the number 0"),
    "not_a_message": (b"\xff" * 30, "does not end"),
    "cut_off": (SOUND[:-1], "runs past the end"),
}


@pytest.mark.parametrize(("value", "text"), ENTRIES.values(), ids=ENTRIES)
def test_an_entry_that_contradicts_itself_or_the_shards_is_refused(value, text, tmp_path):
    write_index(tmp_path / "m", {"v": value}, shards=[EIGHT])

    caught = failure(tmp_path / "m")

    assert type(caught) is CorruptFileError
    assert text in caught.message


def test_the_sound_entry_of_these_tests_is_read(tmp_path):
    write_index(tmp_path / "m", {"v": SOUND}, shards=[EIGHT])

    assert assert_same(tmp_path / "m")["v"].tobytes() == EIGHT


OVERLAPS = {
    "the_same_place": [(0, 2), (0, 2)],
    "one_byte": [(0, 2), (7, 2)],
    "one_inside_the_other": [(0, 4), (4, 1)],
    "not_the_neighbour": [(0, 4), (8, 0), (12, 2)],
}


@pytest.mark.parametrize("rows", OVERLAPS.values(), ids=OVERLAPS)
def test_variables_that_overlap_are_refused(rows, tmp_path):
    rows = {f"v{number}": entry((n,), offset=at, n_bytes=4 * n) for number, (at, n) in enumerate(rows)}
    write_index(tmp_path / "m", rows, shards=[bytes(20)])

    assert "overlaps the variable before it in shard 0" in str(failure(tmp_path / "m"))


def test_a_variable_without_values_may_lie_anywhere(tmp_path):
    rows = {"a": SOUND, "b": entry((0,), dtype=3, offset=4, n_bytes=0)}
    write_index(tmp_path / "m", rows, shards=[EIGHT])

    assert len(listed_by_safeload(tmp_path / "m")) == 2


@pytest.mark.parametrize("spoil", [os.mkdir, os.mkfifo])
def test_a_shard_that_is_no_file_is_told(spoil, tmp_path):
    write_index(tmp_path / "m", {"a": SOUND}, shards=[EIGHT])
    shard = tmp_path / "m.data-00000-of-00001"
    shard.unlink()
    spoil(shard)

    assert "the shard path is" in failure(tmp_path / "m").message


def test_a_gap_between_variables_is_let_be(tmp_path):
    rows = {"a": SOUND, "b": entry((2,), dtype=3, offset=64, n_bytes=8, crc=crc32c.crc32c(EIGHT))}
    write_index(tmp_path / "m", rows, shards=[EIGHT + bytes(56) + EIGHT])

    assert len(assert_same(tmp_path / "m")) == 2


UNREADABLE = {
    "strings_without_end": entry((1 << 40,), dtype=7, n_bytes=8),
    "a_string_without_bytes": entry((), dtype=7, n_bytes=0),
    "variants_without_end": entry((1 << 62,), dtype=21, n_bytes=8),
    "a_resource": entry((), dtype=20, n_bytes=8),
    "an_unknown_dtype": entry((), dtype=99, n_bytes=8),
    "a_negative_dtype": entry((), dtype=-1, n_bytes=8),
    "no_dtype": entry((), dtype=0, n_bytes=8),
    "nothing_in_a_shape_without_end": entry((0, 1 << 62, 1 << 62), n_bytes=0),
}


@pytest.mark.parametrize("use", [WeightFile.verify, WeightFile.read])
@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE)
def test_a_variable_that_cannot_be_read_is_named_and_the_others_are_read(use, value, tmp_path):
    good = entry((2,), dtype=3, offset=8, n_bytes=8, crc=crc32c.crc32c(EIGHT))
    write_index(tmp_path / "m", {"bad": value, "good": good}, shards=[EIGHT * 2])

    with opened_checkpoint(str(tmp_path / "m")) as bundle:
        use(bundle, ["good"])
        with pytest.raises(CorruptFileError) as caught:
            use(bundle, ["bad", "good"])

    assert caught.value.variables == ("bad",)
    assert not any("diverged" in hint for hint in caught.value.hints)


@pytest.mark.parametrize(("most", "fits"), [(3, True), (2, False)])
def test_so_many_variables_are_read(most, fits, tmp_path, monkeypatch):
    monkeypatch.setattr(index_file, "MAX_VARIABLES", most)
    write_index(tmp_path / "m", {"a": SOUND, "b": SOUND, "c": SOUND}, head=header())

    if fits:
        assert list(listed(tmp_path / "m").variables) == ["a", "b", "c"]
    else:
        assert "lists more than 2 variables" in str(failure(tmp_path / "m"))


@pytest.mark.parametrize(
    ("most", "text"), [(4, ""), (3, "lists more than 3 parts of variables"), (2, "an impossible number of parts")]
)
def test_so_many_parts_are_read(most, text, tmp_path, monkeypatch):
    monkeypatch.setattr(index_file, "MAX_VARIABLES", most)
    slices = {"a": [slice_of((0, 1))], "b": [slice_of((number, 1)) for number in range(3)]}
    write_index(tmp_path / "m", {name: entry((3,), slices=each) for name, each in slices.items()}, head=header())

    if not text:
        assert [len(each.slices) for each in listed(tmp_path / "m").variables.values()] == [1, 3]
    else:
        assert text in str(failure(tmp_path / "m"))


@pytest.mark.parametrize(("most", "fits"), [(40_000, True), (39_999, False)])
def test_the_keys_of_parts_have_so_many_bytes(most, fits, tmp_path, monkeypatch):
    monkeypatch.setattr(sstable, "MAX_TABLE_BYTES", most)
    name = "n" * 1000
    write_index(
        tmp_path / "m", {name: entry((40,), slices=[slice_of((number, 1)) for number in range(40)])}, head=header()
    )

    if fits:
        assert len(listed(tmp_path / "m").variables[name].slices) == 40
    else:
        assert type(failure(tmp_path / "m")) is UnsafeFileError


def test_a_part_is_known_by_its_variable_s_name(tmp_path):
    rows = {"v": entry((1,), slices=[slice_of((0, 1))]), part_key(b"v", ((0, 1),)): SOUND}
    write_index(tmp_path / "m", rows, head=header())

    found = listed(tmp_path / "m")
    assert list(found.variables) == ["v"]
    assert {key: part.name for key, part in found.parts.items()} == {("v", ((0, 1),)): "v"}


def test_more_variables_than_any_model_has_are_refused(tmp_path):
    rows = {f"v{number:06}": SOUND for number in range(250_001)}
    write_index(tmp_path / "m", rows, shards=[EIGHT])

    caught = failure(tmp_path / "m")

    assert type(caught) is UnsafeFileError
    assert f"more than {MAX_VARIABLES:,} variables" in str(caught)


@pytest.mark.parametrize("n_bytes", [MAX_KEY_BYTES, MAX_KEY_BYTES + 1])
def test_a_name_has_at_most_so_many_bytes(n_bytes, tmp_path):
    rows = [(b"", header()), (b"x" * n_bytes, SOUND)]
    (tmp_path / "m.index").write_bytes(table_of([(rows[-1][0], block(rows))]))

    caught = failure(tmp_path / "m")

    assert ("a name of 16,385 bytes" in str(caught)) == (n_bytes > MAX_KEY_BYTES)


def test_names_that_share_a_huge_beginning_are_refused(tmp_path):
    rows = [(b"", header()), *((b"x" * 16_000 + b"%06d" % number, SOUND) for number in range(3_000))]
    (tmp_path / "m.index").write_bytes(table_of([(rows[-1][0], block(rows))]))

    caught = failure(tmp_path / "m")

    assert type(caught) is UnsafeFileError
    assert f"unpacks to more than {MAX_TABLE_BYTES:,} bytes" in str(caught)


def test_an_index_file_larger_than_any_is_not_read(tmp_path):
    with (tmp_path / "m.index").open("wb") as file:
        file.truncate(1 << 40)

    assert type(failure(tmp_path / "m")) is UnsafeFileError


ROWS = block([(b"", header()), (b"v", SOUND)])
COMPRESSED = {
    "the_data_block": table_of([(b"v", ROWS)], compression=sstable.SNAPPY),
    "a_later_data_block": table_of([(b"v", ROWS), (b"w", block([(b"w", SOUND)]))], compression=[0, sstable.SNAPPY]),
    "the_table_s_index_block": table_of([(b"v", ROWS)], index_compression=sstable.SNAPPY),
    "every_block": table_of([(b"v", ROWS)], compression=sstable.SNAPPY, index_compression=sstable.SNAPPY),
}


@pytest.mark.parametrize("data", COMPRESSED.values(), ids=COMPRESSED)
def test_a_compressed_index_file_is_of_tensorflow_1_1(data, tmp_path):
    (tmp_path / "m.index").write_bytes(data)

    caught = failure(tmp_path / "m")

    assert type(caught) is WrongFileKindError
    assert caught.found == "a checkpoint of TensorFlow 1.1, whose index file is compressed"
    assert caught.wanted == "a V2 checkpoint's index file"
    assert "save the checkpoint again" in caught.hints[0]


@pytest.mark.parametrize("where", ["compression", "index_compression"])
@pytest.mark.parametrize("kind", [2, 255])
def test_an_index_file_of_an_unknown_compression_is_damaged(kind, where, tmp_path):
    (tmp_path / "m.index").write_bytes(table_of([(b"v", ROWS)], **{where: kind}))

    caught = failure(tmp_path / "m")

    assert type(caught) is CorruptFileError
    assert f"unknown compression {kind}" in caught.message


NO_INDEX = {
    "no_bytes": (b"", CorruptFileError, "0 bytes are too few"),
    "zeros": (bytes(100), CorruptFileError, "does not end like an index file"),
    "text": (b"model_checkpoint_path: 'm'\n" * 4, CorruptFileError, "does not end like an index file"),
    "json": (b'{"weights": 1}' * 9, WrongFileKindError, "JSON text"),
    "no_block": (table_of([]), CorruptFileError, "it is empty"),
    "an_empty_block": (table_of([(b"", block([]))]), CorruptFileError, "it is empty"),
    "no_header": (table([(b"v", SOUND)]), WrongFileKindError, "V1 checkpoint or another table"),
    "v1": (table([(b"", message((1, b"\x08\1")))]), WrongFileKindError, "V1 checkpoint or another table"),
}


@pytest.mark.parametrize(("data", "error", "text"), NO_INDEX.values(), ids=NO_INDEX)
def test_a_file_that_is_no_index_is_refused(data, error, text, tmp_path):
    (tmp_path / "m.index").write_bytes(data)

    caught = failure(tmp_path / "m")

    assert type(caught) is error
    assert text in caught.message
    assert error is WrongFileKindError or not data or "empty" in text or caught.offset == len(data) - 8


@pytest.mark.parametrize("op", ["Save", "SaveSlices"])
def test_a_v1_checkpoint_under_an_index_s_name_is_recognised(op, tmp_path):
    import tensorflow as tf

    facts = {"tensor_names": ["a"], "data": [tf.ones([3])]} | (
        {"shapes_and_slices": [""]} if op == "SaveSlices" else {}
    )
    getattr(tf.raw_ops, op)(filename=str(tmp_path / "v1"), **facts)
    shutil.copy(tmp_path / "v1", tmp_path / "m.index")

    caught = failure(tmp_path / "m")

    assert type(caught) is WrongFileKindError
    assert "V1 checkpoint" in caught.found


def test_a_v1_checkpoint_of_a_saver_is_recognised(tmp_path):
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        session.run(v1.get_variable("w", [2], use_resource=False).initializer)
        path = v1.train.Saver(write_version=v1.train.SaverDef.V1).save(session, str(tmp_path / "v1"))
    shutil.copy(path, tmp_path / "m.index")

    assert type(failure(tmp_path / "m")) is WrongFileKindError
