from __future__ import annotations

import itertools
import math
import os

import crc32c
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeload._forms.tensorflow.sstable import part_key
from safeload._forms.weight_file import WeightFile
from safeload.errors import CorruptFileError, UnsafeFileError
from tests.forms.laws import LAW
from tests.forms.tensorflow.both_readers import assert_same, listed_by_safeload, read_all
from tests.forms.tensorflow.index_writer import entry, slice_of, write_index
from tests.opened import opened_checkpoint

NOT_IN_PARTS = ("float16", "uint16", "uint32", "uint64")
IN_PARTS = ("float32", "float64", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool", "complex64",
            "complex128")  # fmt: skip
CUTS = {
    "two_halves": [[0, 5, 10], None],
    "rows_and_columns": [[0, 1, 4], [0, 2, 5]],
    "middle_dimension": [None, [0, 3, 4, 7], None],
    "every_dimension": [[0, 1, 2], [0, 2, 3], [0, 1, 3], [0, 1, 2]],
    "one_byte_numbers_end": [[0, 62, 63, 64, 65, 128]],
    "two_byte_numbers_end": [[0, 63, 8190, 8191, 8192, 8193, 16_500]],
    "three_byte_numbers_end": [[0, 8192, 1_048_575, 1_048_576, 1_048_577, 2_097_160]],
    "a_hundred_parts": [list(range(101))],
}
SIZE_OF_ALL = 6


def specs_of(cuts):
    """Return the full shape and, part by part, the slices and TensorFlow's text for them; None is a whole dimension."""
    shape = [SIZE_OF_ALL if at is None else at[-1] for at in cuts]
    ranges = [[None] if at is None else list(itertools.pairwise(at)) for at in cuts]
    parts = []
    for extents in itertools.product(*ranges):
        text = ":".join("-" if extent is None else f"{extent[0]},{extent[1] - extent[0]}" for extent in extents)
        place = tuple(slice(None) if extent is None else slice(*extent) for extent in extents)
        parts.append((place, f"{' '.join(map(str, shape))} {text}"))
    return tuple(shape), parts


def save_parts(prefix, name, whole, parts):
    import tensorflow as tf

    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=[name] * len(parts),
        shape_and_slices=[text for _, text in parts],
        tensors=[whole[place] for place, _ in parts],
    )


def merge(prefix, pieces):
    import tensorflow as tf

    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=list(map(str, pieces)), destination_prefix=str(prefix))


@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("n_calls", [1, 2], ids=["one_call", "two_calls"])
def test_a_partitioned_variable_is_put_together(cuts, n_calls, tmp_path):
    shape, parts = specs_of(cuts)
    whole = np.arange(math.prod(shape), dtype=np.int32).reshape(shape)
    pieces = [tmp_path / f"piece_{number}" for number in range(n_calls)]
    for number, piece in enumerate(pieces):
        save_parts(piece, "v", whole, parts[number::n_calls])
    merge(tmp_path / "m", pieces)

    values = assert_same(tmp_path / "m")

    assert np.array_equal(values["v"], whole)


@pytest.mark.parametrize("dtype", IN_PARTS)
def test_parts_of_a_dtype_are_put_together(dtype, tmp_path):
    import tensorflow as tf

    shape, parts = specs_of([[0, 1, 4], None])
    whole = tf.cast(np.arange(math.prod(shape)).reshape(shape), dtype)
    save_parts(tmp_path / "m", "v", whole, parts)

    assert_same(tmp_path / "m")


@pytest.mark.parametrize("dtype", NOT_IN_PARTS)
def test_parts_that_tensorflow_saves_but_cannot_join_are_put_together_too(dtype, tmp_path):
    shape, parts = specs_of([[0, 1, 4], None])
    whole = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
    save_parts(tmp_path / "m", "v", whole, parts)

    assert np.array_equal(read_all(tmp_path / "m")["v"], whole)


def test_strings_in_parts_are_listed_but_not_read(tmp_path):
    shape, parts = specs_of([[0, 1, 4], None])
    save_parts(tmp_path / "m", "v", np.full(shape, b"word", object), parts)

    assert listed_by_safeload(tmp_path / "m") == {"v": ("string", shape)}
    with pytest.raises(CorruptFileError, match="string in parts cannot be read"):
        read_all(tmp_path / "m")


@pytest.mark.parametrize("name", ["a/b", "nul\0inside", "\0", "\u5c42/\u00ff", "n" * 300], ids=ascii)
def test_parts_are_found_under_any_name(name, tmp_path):
    shape, parts = specs_of([[0, 70, 200]])
    save_parts(tmp_path / "m", name, np.arange(200), parts)

    assert list(assert_same(tmp_path / "m")) == [name]
    assert listed_by_safeload(tmp_path / "m") == {name: ("int64", shape)}


def test_a_part_in_a_name_with_the_byte_ff_is_found(tmp_path):
    _, parts = specs_of([[0, 1, 2]])
    save_parts(tmp_path / "m", b"a\xff\0b", np.arange(2), parts)

    assert read_all(tmp_path / "m")["a\\xff\0b"].tolist() == [0, 1]


@st.composite
def cuts_of_a_dimension(draw):
    places = draw(st.sets(st.integers(1, 40), min_size=1, max_size=4))
    return draw(st.sampled_from([None, [0, *sorted(places)]]))


@settings(LAW, max_examples=150)
@given(cuts=st.lists(cuts_of_a_dimension(), min_size=1, max_size=3), data=st.data())
def test_any_partition_in_any_order_is_put_together(cuts, data, tmp_path):
    shape, parts = specs_of(cuts)
    whole = np.arange(math.prod(shape), dtype=np.int32).reshape(shape)
    save_parts(tmp_path / "m", "v", whole, data.draw(st.permutations(parts)))

    assert_same(tmp_path / "m")


def test_damage_in_one_part_names_the_variable_and_the_part_s_place(tmp_path):
    for number, rows in enumerate([slice(0, 3), slice(3, 6)]):
        save_parts(tmp_path / f"piece_{number}", "v", np.ones((6, 2), np.float32), [(rows, f"6 2 {3 * number},3:-")])
    merge(tmp_path / "m", [tmp_path / "piece_0", tmp_path / "piece_1"])
    shard = tmp_path / "m.data-00001-of-00002"
    shard.write_bytes(b"\1" + shard.read_bytes()[1:])

    with pytest.raises(CorruptFileError) as caught:
        read_all(tmp_path / "m")

    assert (caught.value.variables, caught.value.resolved) == (("v",), str(shard))
    assert "shard 1, bytes 0 to 24" in str(caught.value)


def test_parts_that_are_not_all_there_are_refused(tmp_path):
    save_parts(tmp_path / "m", "v", np.arange(10), [(slice(0, 4), "10 0,4"), (slice(4, 8), "10 4,4")])

    with pytest.raises(CorruptFileError, match="the parts do not add up to the whole"):
        read_all(tmp_path / "m")


def write_parts(prefix, shape, *parts, dtype=1):
    """Forge an index of one variable `v` in parts: (extents in the variable, extents in the key, shape)."""
    rows = {"v": entry(shape, dtype=dtype, slices=[slice_of(*named) for named, _, _ in parts])}
    offset = 0
    for _, keyed, part_shape in parts:
        n_bytes = 4 * math.prod(part_shape)
        key = part_key(b"v", tuple((0, -1) if extent is None else extent for extent in keyed))
        rows[key] = entry(part_shape, offset=offset, n_bytes=n_bytes, crc=crc32c.crc32c(bytes(n_bytes)))
        offset += n_bytes
    write_index(prefix, rows, shards=[bytes(offset)])


FORGED = {
    "missing": ((4,), [([(0, 2)], [(0, 2)], (2,)), ([(2, 2)], [(1, 2)], (2,))]),
    "another_shape": ((4,), [([(0, 2)], [(0, 2)], (1,)), ([(2, 2)], [(2, 2)], (3,))]),
    "overlapping": ((4,), [([(0, 2)], [(0, 2)], (2,)), ([(1, 2)], [(1, 2)], (2,))]),
    "listed_twice": ((2,), [([(0, 1)], [(0, 1)], (1,)), ([(0, 1)], [(0, 1)], (1,))]),
    "beyond_the_end": ((2,), [([(1, 2)], [(1, 2)], (2,))]),
    "before_the_start": ((2,), [([(-1, 2)], [(-1, 2)], (2,))]),
    "counted_from_the_end": ((3,), [([(-3, 2)], [(-3, 2)], (2,)), ([(2, 1)], [(2, 1)], (1,))]),
    "negative_length": ((2,), [([(0, -2)], [(0, -2)], (2,))]),
    "all_from_the_middle": ((2,), [([(1, -1)], [(1, -1)], (1,))]),
    "too_few_dimensions": ((2, 1), [([(0, 2)], [(0, 2)], (2,))]),
    "too_many_dimensions": ((2,), [([(0, 2), None], [(0, 2), None], (2, 1))]),
    "no_dimension": ((), [([], [], ())] * 2),
    "a_whole_out_of_proportion": ((1 << 60,), [([(0, 1)], [(0, 1)], (1,))]),
    "a_product_that_overflows": ((1 << 40, 1 << 40), [([(0, 1), (0, 1)], [(0, 1), (0, 1)], (1, 1))]),
}


@pytest.mark.parametrize(("shape", "parts"), FORGED.values(), ids=FORGED)
def test_a_forged_partition_is_refused(shape, parts, tmp_path):
    write_parts(tmp_path / "m", shape, *parts)

    for use in (WeightFile.verify, WeightFile.read):
        with opened_checkpoint(str(tmp_path / "m")) as bundle, pytest.raises(CorruptFileError) as caught:
            use(bundle, ["v"])
        assert caught.value.details[0].split()[0] in {"PARTITION", "TYPE"}


def test_a_part_that_leaves_the_whole_in_one_dimension_is_refused(tmp_path):
    extents = [(0, 2), (2, 2)]
    write_parts(tmp_path / "m", (2, 2), (extents, extents, (2, 2)))

    with pytest.raises(CorruptFileError, match="missing or of another type"):
        read_all(tmp_path / "m")


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_parts_without_values_are_read(shape, tmp_path):
    whole = [None] * len(shape)
    write_parts(tmp_path / "m", shape, (whole, whole, shape))

    assert read_all(tmp_path / "m")["v"].shape == shape


def test_a_forged_partition_would_be_read_if_it_were_sound(tmp_path):
    write_parts(tmp_path / "m", (4,), ([(0, 2)], [(0, 2)], (2,)), ([(2, 2)], [(2, 2)], (2,)))

    assert read_all(tmp_path / "m")["v"].tolist() == [0, 0, 0, 0]


def test_a_part_that_is_listed_twice_is_told_before_the_whole_is_made(tmp_path):
    write_parts(tmp_path / "m", (2,), *[([(0, 1)], [(0, 1)], (1,))] * 2)

    with pytest.raises(CorruptFileError, match="do not add up"):
        read_all(tmp_path / "m")


def test_a_part_that_names_itself_as_its_part_is_refused(tmp_path):
    named = {"n_bytes": 8, "slices": [slice_of((0, 2))]}
    write_index(tmp_path / "m", {"v": entry((2,), **named), part_key(b"v", ((0, 2),)): entry((2,), **named)},
                shards=[bytes(8)])  # fmt: skip

    with pytest.raises(CorruptFileError, match="missing or of another type"):
        read_all(tmp_path / "m")


def test_one_part_listed_often_takes_no_memory(tmp_path):
    n_bytes, n_times = 1 << 36, 100_000
    rows = {
        "v": entry((n_bytes * n_times,), dtype=4, slices=[slice_of((0, n_bytes))] * n_times),
        part_key(b"v", ((0, n_bytes),)): entry((n_bytes,), dtype=4, n_bytes=n_bytes),
    }
    write_index(tmp_path / "m", rows, shards=[b""])
    os.truncate(tmp_path / "m.data-00000-of-00001", n_bytes)

    with opened_checkpoint(str(tmp_path / "m")) as bundle, pytest.raises(CorruptFileError, match="do not add up"):
        bundle.read(["v"])


def test_a_part_of_another_dtype_is_refused(tmp_path):
    write_parts(tmp_path / "m", (2,), ([(0, 2)], [(0, 2)], (2,)), dtype=3)

    with pytest.raises(CorruptFileError, match="missing or of another type"):
        read_all(tmp_path / "m")


def test_more_parts_than_any_model_has_are_refused(tmp_path):
    half = entry((1,), slices=[slice_of((0, 1))] * 100_001)
    write_index(tmp_path / "m", {"v": half, "w": half}, shards=[b""])

    with pytest.raises(UnsafeFileError, match="more than 200,000 parts"):
        opened_checkpoint(str(tmp_path / "m"))
