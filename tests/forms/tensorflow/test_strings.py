"""Strings and variants, whose bytes have lengths and a checksum of their own inside."""

from __future__ import annotations

import crc32c
import numpy as np
import pytest

from safeload._forms.tensorflow.sstable import mask
from safeload.errors import CorruptFileError
from tests.checkpoints import write_checkpoint
from tests.forms.tensorflow.both_readers import assert_same, bits, listed_by_safeload, listed_by_tensorflow, read_all
from tests.forms.tensorflow.index_writer import entry, varint, write_index

STRING, VARIANT = 7, 21
WORDS = [b"one", b"", b"\xff" * 140]


@pytest.mark.parametrize(
    "strings",
    [[b""], [b"", b"", b""], [b"x" * 127, b"y" * 128, b"z" * 70_000], [b"\xff\xfe\x80", b"\0", "\u5c42".encode()]],
    ids=["empty", "all_empty", "long", "not_utf_8"],
)
def test_strings_are_read_byte_for_byte(strings, tmp_path):
    write_checkpoint(tmp_path / "m", {"x": np.array(strings, object), "scalar": np.array(strings[0], object)})

    values = assert_same(tmp_path / "m")

    assert values["x"].tolist() == strings
    assert values["scalar"].item() == strings[0]


def test_variants_are_read_as_they_were_serialized(tmp_path):
    import tensorflow as tf

    lists = [tf.raw_ops.TensorListFromTensor(tensor=[[i, 2], [3, 4]], element_shape=[2]) for i in range(3)]
    write_checkpoint(tmp_path / "m", {"one": lists[0], "three": tf.stack(lists), "none": tf.stack(lists)[:0]})

    values = read_all(tmp_path / "m")

    assert listed_by_safeload(tmp_path / "m") == listed_by_tensorflow(tmp_path / "m")
    assert values["none"].shape == (0,)
    assert values["three"][0] == values["one"].item()
    assert values["three"][0] != values["three"][1]
    assert all(b"tensorflow::TensorList" in serialized for serialized in values["three"])


def stored(lengths=None, inner=0, after=b""):
    """Return the bytes of `WORDS` with these lengths, with this added to the inner checksum, and their CRC32C."""
    encoded = b"".join(map(varint, map(len, WORDS))) if lengths is None else lengths
    crc = crc32c.crc32c(b"".join(len(word).to_bytes(4, "little") for word in WORDS))
    checksum = (mask(crc) + inner & 0xFFFFFFFF).to_bytes(4, "little")
    crc = crc32c.crc32c(checksum + b"".join(WORDS), crc)
    return encoded + checksum + b"".join(WORDS) + after, crc


def write_strings(prefix, data, crc, shape=(3,), dtype=STRING):
    write_index(prefix, {"x": entry(shape, dtype=dtype, n_bytes=len(data), crc=crc)}, shards=[data])


def test_the_strings_of_these_tests_are_sound(tmp_path):
    write_strings(tmp_path / "m", *stored())

    assert assert_same(tmp_path / "m")["x"].tolist() == WORDS


FORGED = {
    "another_inner_checksum": stored(inner=1),
    "a_byte_after_the_end": stored(after=b"\0"),
    "a_length_that_is_too_large": stored(lengths=b"\3\0" + varint(141)),
    "lengths_of_other_words": stored(lengths=b"\2\1" + varint(140)),
    "a_length_as_long_as_the_shard": stored(lengths=b"\3\0" + varint(1 << 40)),
    "a_length_of_64_bits": stored(lengths=b"\3\0" + b"\xff" * 9 + b"\1"),
    "a_length_beyond_64_bits": stored(lengths=b"\3\0" + b"\xff" * 9 + b"\x7f"),
    "a_first_length_beyond_64_bits": stored(lengths=b"\xff" * 9 + b"\x7f" + b"\0\0"),
    "a_length_without_end": stored(lengths=b"\3\0" + b"\xff" * 20),
    "only_lengths": (b"\3\0\1", 0),
    "no_bytes": (b"", 0),
}


@pytest.mark.parametrize("dtype", [STRING, VARIANT], ids=["string", "variant"])
@pytest.mark.parametrize(("data", "crc"), FORGED.values(), ids=FORGED)
def test_forged_strings_are_refused(data, crc, dtype, tmp_path):
    write_strings(tmp_path / "m", data, crc, dtype=dtype)

    with pytest.raises(CorruptFileError, match="CHECKSUM") as caught:
        read_all(tmp_path / "m")

    assert caught.value.variables == ("x",)


@pytest.mark.parametrize("shape", [(2,), (4,), (0,), (), (1 << 40,)], ids=str)
def test_strings_of_another_number_are_refused(shape, tmp_path):
    write_strings(tmp_path / "m", *stored(), shape=shape)

    with pytest.raises(CorruptFileError, match="CHECKSUM"):
        read_all(tmp_path / "m")


def test_strings_keep_their_shape(tmp_path):
    words = np.array([[b"a", b"b"], [b"c", b""]], object)
    write_checkpoint(tmp_path / "m", {"x": words})

    assert bits(read_all(tmp_path / "m")["x"]) == bits(words)


def variants(*serialized, inner=0, after=b""):
    """Return the bytes of serialized variants, and their CRC32C."""
    data, crc = b"", 0
    for one in serialized:
        crc = crc32c.crc32c(len(one).to_bytes(8, "little") + one, crc)
        checksum = (mask(crc) + inner & 0xFFFFFFFF).to_bytes(4, "little")
        data += varint(len(one)) + one + checksum
        crc = crc32c.crc32c(checksum, crc)
    return data + after, crc


def test_variants_are_read_each_with_its_checksum(tmp_path):
    write_strings(tmp_path / "m", *variants(b"one", b"", b"two"), dtype=VARIANT)

    assert read_all(tmp_path / "m")["x"].tolist() == [b"one", b"", b"two"]


@pytest.mark.parametrize("facts", [{"inner": 1}, {"after": b"\0"}], ids=["inner_checksum", "a_byte_after_the_end"])
def test_forged_variants_are_refused(facts, tmp_path):
    write_strings(tmp_path / "m", *variants(b"one", b"", b"two", **facts), dtype=VARIANT)

    with pytest.raises(CorruptFileError, match="CHECKSUM"):
        read_all(tmp_path / "m")
