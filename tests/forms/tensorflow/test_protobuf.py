from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safeload._forms.tensorflow.protobuf import message_bytes, read_fields, read_shape, read_slice, signed
from tests.forms.laws import LAW
from tests.forms.tensorflow.index_writer import message, shape_of, slice_of

WORDS = st.integers(0, (1 << 64) - 1)
INT64S = st.integers(-(1 << 63), (1 << 63) - 1)


@LAW
@given(fields=st.lists(st.tuples(st.integers(1, 1 << 28), WORDS | st.binary(max_size=200))))
def test_fields_are_read_as_they_were_written(fields):
    assert list(read_fields(message(*fields))) == fields


@LAW
@given(number=INT64S)
def test_a_varint_stands_for_an_int64(number):
    assert [signed(value) for _, value in read_fields(message((1, number)))] == [number]


@pytest.mark.parametrize("last", [0x01, 0x7F, 0x7E], ids=hex)
def test_bits_beyond_64_are_dropped_as_tensorflow_drops_them(last):
    from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto

    encoded = b"\x08" + b"\xff" * 9 + bytes([last])
    parsed = TensorShapeProto.Dim.FromString(encoded)

    assert [signed(value) for _, value in read_fields(encoded)] == [parsed.size]


@pytest.mark.parametrize("wire", [(5, 4), (1, 8)], ids=["fixed32", "fixed64"])
def test_a_fixed_number_is_little_endian(wire):
    kind, size = wire

    assert list(read_fields(bytes([8 | kind, 2, 1, *bytes(size - 2)]))) == [(1, 0x102)]


@LAW
@given(sizes=st.lists(st.integers(0, 1 << 62), max_size=254))
def test_a_shape_is_read_as_tensorflow_parses_it(sizes):
    from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto

    parsed = TensorShapeProto.FromString(shape_of(*sizes))

    assert read_shape(shape_of(*sizes)) == tuple(dim.size for dim in parsed.dim) == tuple(sizes)
    assert read_shape(parsed.SerializeToString()) == tuple(sizes)


@LAW
@given(extents=st.lists(st.none() | st.tuples(INT64S, INT64S), max_size=8))
def test_a_slice_is_read_as_tensorflow_parses_it(extents):
    from tensorflow.core.framework.tensor_slice_pb2 import TensorSliceProto

    parsed = TensorSliceProto.FromString(slice_of(*extents))
    wanted = tuple((e.start, e.length if e.HasField("length") else -1) for e in parsed.extent)

    assert read_slice(slice_of(*extents)) == read_slice(parsed.SerializeToString()) == wanted


@LAW
@given(data=st.binary(max_size=60))
def test_any_bytes_are_read_or_a_value_error(data):
    try:
        fields = list(read_fields(data))
    except ValueError:
        return
    assert all(number > 0 for number, _ in fields)


DAMAGED = {
    "tag_cut_off": b"\x80",
    "varint_cut_off": b"\x08\xff",
    "varint_without_end": b"\x08" + b"\xff" * 20,
    "length_cut_off": b"\x0a",
    "length_beyond_the_end": b"\x0a\x02\x00",
    "length_out_of_proportion": b"\x0a" + b"\xff" * 8 + b"\x7f",
    "fixed32_cut_off": b"\x0d\x00\x00\x00",
    "fixed64_cut_off": b"\x09" + bytes(7),
    "group": b"\x0b\x0c",
    "wire_type_6": b"\x0e",
    "field_0": b"\x00\x00",
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_message_is_a_value_error(data):
    with pytest.raises(ValueError, match=r"end|wire type|number 0"):
        list(read_fields(data))


def test_a_number_in_a_message_s_place_is_a_value_error():
    with pytest.raises(ValueError, match="expected a message"):
        message_bytes(7)
    with pytest.raises(ValueError, match="expected a number"):
        signed(b"7")


def test_a_shape_has_at_most_254_dimensions_as_for_tensorflow():
    assert read_shape(shape_of(*[1] * 254)) == (1,) * 254
    with pytest.raises(ValueError, match="impossible shape"):
        read_shape(shape_of(*[1] * 255))


def test_a_slice_has_at_most_254_dimensions():
    assert read_slice(slice_of(*[(0, 1)] * 254)) == ((0, 1),) * 254
    with pytest.raises(ValueError, match="impossible slice"):
        read_slice(slice_of(*[(0, 1)] * 255))


@pytest.mark.parametrize("sizes", [(-1,), (3, -1), (-1, 3)], ids=str)
def test_a_negative_dimension_is_refused_wherever_it_stands(sizes):
    with pytest.raises(ValueError, match="impossible shape"):
        read_shape(shape_of(*sizes))


@pytest.mark.parametrize("number", [1, 3, 15])
def test_other_fields_of_a_shape_are_skipped(number):
    assert read_shape(message((number, 1)) + shape_of(2, 3) + message((number, b"x"))) == (2, 3)


@pytest.mark.parametrize("number", [2, 15])
def test_other_fields_of_a_slice_are_skipped(number):
    assert read_slice(message((number, 1)) + slice_of((4, 5)) + message((number, b"x"))) == ((4, 5),)
