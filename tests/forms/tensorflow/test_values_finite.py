from __future__ import annotations

import os

import crc32c
import numpy as np
import pytest

from safeload._forms import look
from safeload._forms.look import N_BLOCK_BYTES
from safeload._forms.tensorflow.sstable import part_key
from safeload._forms.weight_file import WeightFile
from safeload.errors import CorruptFileError, FileSystemError
from tests.checkpoints import write_checkpoint
from tests.forms.tensorflow.both_readers import assert_same
from tests.forms.tensorflow.index_writer import entry, slice_of, write_index
from tests.opened import opened_checkpoint

FLOATS = (np.float16, np.float32, np.float64)
BAD = {"nan": np.nan, "infinity": np.inf, "minus_infinity": -np.inf}
DIVERGED = "the weights were saved after training diverged; take an earlier checkpoint"


@pytest.fixture(params=[WeightFile.verify, WeightFile.read])
def use(request):
    """Return one of the two calls that look at values."""
    return request.param


def failure(use, prefix):
    with opened_checkpoint(str(prefix)) as bundle, pytest.raises(CorruptFileError) as caught:
        use(bundle, bundle.variables)
    return caught.value


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("at", [0, 5, -1])
def test_a_value_that_is_not_finite_is_found_wherever_it_is(use, dtype, bad, at, tmp_path):
    values = np.ones(11, dtype)
    values[at] = bad
    write_checkpoint(tmp_path / "m", {"good": np.ones(3, dtype), "bad": values})

    error = failure(use, tmp_path / "m")

    assert error.variables == ("bad",)
    assert "1 of 11 values are NaN or infinite" in str(error)
    assert error.hints == (DIVERGED,)


@pytest.mark.parametrize("dtype", FLOATS)
def test_values_that_are_not_finite_are_counted_in_every_block(use, dtype, tmp_path):
    n_a_block = N_BLOCK_BYTES // np.dtype(dtype).itemsize
    values = np.zeros(2 * n_a_block + 10, dtype)
    places = [0, n_a_block - 1, n_a_block, 2 * n_a_block - 1, 2 * n_a_block, 2 * n_a_block + 9]
    values[places] = [np.nan, np.inf, -np.inf, np.nan, np.inf, -np.inf]
    write_checkpoint(tmp_path / "m", {"bad": values})

    assert f"6 of {len(values):,} values" in str(failure(use, tmp_path / "m"))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("sign", [1, -1])
def test_huge_values_whose_sum_overflows_are_finite(dtype, sign, tmp_path):
    write_checkpoint(tmp_path / "m", {"x": np.full(300_000, sign * np.finfo(dtype).max, dtype)})

    assert_same(tmp_path / "m")


@pytest.mark.parametrize("dtype", FLOATS)
def test_infinities_are_counted_among_huge_values(use, dtype, tmp_path):
    values = np.full(1000, np.finfo(dtype).max, dtype)
    values[[3, 999]] = np.inf, -np.inf
    write_checkpoint(tmp_path / "m", {"bad": values})

    assert "2 of 1,000 values" in str(failure(use, tmp_path / "m"))


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_smallest_values_are_finite(dtype, tmp_path):
    info = np.finfo(dtype)
    write_checkpoint(tmp_path / "m", {"x": np.array([info.smallest_subnormal, -info.tiny, -0.0], dtype)})

    assert_same(tmp_path / "m")


def test_a_scalar_that_is_not_finite_is_found(use, tmp_path):
    write_checkpoint(tmp_path / "m", {"loss": np.float32(np.nan)})

    assert "1 of 1 values" in str(failure(use, tmp_path / "m"))


def test_every_variable_that_is_not_finite_is_named_in_the_shard_s_order(use, tmp_path):
    write_checkpoint(tmp_path / "m", {f"v{number:02}": np.float32([np.nan] * number) for number in range(13)})

    error = failure(use, tmp_path / "m")

    assert error.variables == tuple(f"v{number:02}" for number in range(1, 13))
    assert "... and 2 more in error.variables" in str(error)


def test_integers_and_strings_are_not_asked_whether_they_are_finite(tmp_path):
    as_nan = np.full(4, np.nan, np.float32)
    write_checkpoint(tmp_path / "m", {"i": as_nan.view(np.int32), "s": np.array([as_nan.tobytes()], object)})

    assert_same(tmp_path / "m")


def test_what_is_not_finite_in_a_variable_that_is_not_asked_for_is_let_be(use, tmp_path):
    write_checkpoint(tmp_path / "m", {"bad": np.float32([np.inf]), "good": np.float32([1])})

    with opened_checkpoint(str(tmp_path / "m")) as bundle:
        use(bundle, ["good"])


def test_a_wrong_checksum_is_told_from_training_that_diverged(use, tmp_path):
    write_checkpoint(tmp_path / "m", {"a": np.float32([1]), "b": np.float32([np.nan])})
    shard = tmp_path / "m.data-00000-of-00001"
    shard.write_bytes(b"\1" + shard.read_bytes()[1:])

    error = failure(use, tmp_path / "m")

    assert [detail.split()[0] for detail in error.details] == ["CHECKSUM", "NOT"]
    assert error.hints == ("copy or download the checkpoint again, in binary mode", DIVERGED)


def looked_at(prefix, name):
    with opened_checkpoint(str(prefix)) as bundle:
        return bundle.look(name)


def test_a_sound_variable_is_looked_at_as_it_is_read(tmp_path):
    write_checkpoint(tmp_path / "m", {"x": np.float32([[1, 2]]), "s": np.array([b"a", b"bc"], object)})

    values, fault = looked_at(tmp_path / "m", "x")
    assert (values.tolist(), values.dtype, fault) == ([[1, 2]], np.float32, "")
    assert looked_at(tmp_path / "m", "s")[0].tolist() == [b"a", b"bc"]


def test_values_that_are_damaged_are_looked_at_with_what_is_wrong(tmp_path):
    write_checkpoint(tmp_path / "m", {"a": np.int32([[1, 2]]), "b": np.float16([np.nan, 3, np.inf])})
    shard = tmp_path / "m.data-00000-of-00001"
    shard.write_bytes(b"\7" + shard.read_bytes()[1:])

    values, fault = looked_at(tmp_path / "m", "a")
    assert (values.tolist(), values.dtype, fault.partition(":")[0]) == ([[7, 2]], np.int32, "CHECKSUM")
    values, fault = looked_at(tmp_path / "m", "b")
    np.testing.assert_array_equal(values, np.float16([np.nan, 3, np.inf]))
    assert fault == "NOT FINITE: 2 of 3 values are NaN or infinite"


def test_of_strings_that_are_damaged_and_of_bytes_that_are_lost_there_is_nothing_to_look_at(tmp_path):
    write_checkpoint(tmp_path / "m", {"a": np.array([b"abc"], object), "b": np.float32([1, 2])})
    shard = tmp_path / "m.data-00000-of-00001"
    content = shard.read_bytes()
    shard.write_bytes(content[:5] + bytes([content[5] ^ 1]) + content[6:])

    values, fault = looked_at(tmp_path / "m", "a")
    assert (values, fault.partition(":")[0]) == (None, "CHECKSUM")
    with opened_checkpoint(str(tmp_path / "m")) as bundle:
        shard.write_bytes(content[:-4])
        values, fault = bundle.look("b")
    assert (values, fault.partition(":")[0]) == (None, "TRUNCATED")


def test_a_large_variable_that_is_damaged_is_read_once_more(tmp_path):
    write_checkpoint(tmp_path / "m", {"x": np.full(1 << 20, 3, np.int32)})
    shard = tmp_path / "m.data-00000-of-00001"
    shard.write_bytes(b"\7" + shard.read_bytes()[1:])
    values, _ = looked_at(tmp_path / "m", "x")

    assert (values[0], values[1:].min(), values[1:].max()) == (7, 3, 3)


def test_large_halves_are_looked_at_without_a_warning(tmp_path):
    write_checkpoint(tmp_path / "m", {"x": np.full(9, np.finfo(np.float16).max, np.float16)})

    assert looked_at(tmp_path / "m", "x")[1] == ""


def test_of_more_dimensions_than_numpy_has_and_of_damaged_parts_there_is_nothing_to_look_at(tmp_path):
    data = np.float32([1, 2]).tobytes()
    extents = ((0, 2),)
    write_index(
        tmp_path / "m",
        {
            "deep": entry((1,) * 70, n_bytes=4, crc=crc32c.crc32c(data[:4])),
            "v": entry((2,), slices=[slice_of(*extents)], n_bytes=0),
            part_key(b"v", extents): entry((2,), offset=4, n_bytes=8, crc=1),
        },
        shards=[data[:4] + data],
    )

    assert looked_at(tmp_path / "m", "deep")[1].startswith("TYPE: NumPy cannot create an array of 70 dimensions")
    values, fault = looked_at(tmp_path / "m", "v")
    assert (values, fault.partition(":")[0]) == (None, "CHECKSUM")


@pytest.mark.parametrize("use", [WeightFile.verify, WeightFile.read])
def test_a_damaged_part_is_its_variable_s_damage_whoever_reads(use, tmp_path):
    data, extents = np.float32([1, 2]).tobytes(), ((0, 2),)
    rows = {
        "v": entry((2,), slices=[slice_of(*extents)], n_bytes=0),
        part_key(b"v", extents): entry((2,), n_bytes=8, crc=1),
    }
    write_index(tmp_path / "m", rows, shards=[data])

    with opened_checkpoint(str(tmp_path / "m"), given="m") as bundle, pytest.raises(CorruptFileError) as caught:
        use(bundle, ["v"])
    assert (caught.value.variables, caught.value.given, caught.value.label) == (("v",), "m", "shard")
    assert caught.value.context == (("index", str(tmp_path / "m.index")),)


@pytest.fixture
def in_blocks(tmp_path, monkeypatch):
    """Return the prefix of a variable of three blocks behind another, and its values."""
    monkeypatch.setattr(look, "N_BLOCK_BYTES", 64)
    values = np.arange(40, dtype=np.float32)
    write_checkpoint(tmp_path / "m", {"a": np.float32([1, 2, 3]), "b": values})
    return tmp_path / "m", values


def test_a_variable_is_read_block_by_block_into_aligned_memory(in_blocks):
    prefix, values = in_blocks
    with opened_checkpoint(str(prefix)) as bundle:
        bundle.verify(["a", "b"])
        for _ in range(5):
            read = bundle.read(["b"])["b"]
            np.testing.assert_array_equal(read, values)
            assert read.ctypes.data % 64 == 0


@pytest.mark.system_calls
def test_a_block_that_is_lost_or_cannot_be_read_is_told_with_its_place(use, in_blocks, monkeypatch):
    prefix, _ = in_blocks
    with opened_checkpoint(str(prefix), given="m") as bundle:
        path = bundle.shard_path(0)
        offset = bundle.variables["b"].offset
        os.truncate(path, offset + 70)
        with pytest.raises(CorruptFileError) as caught:
            use(bundle, ["a", "b"])
        assert (
            f"TRUNCATED  b\n               shard 0, bytes {offset} to {offset + 160}: the file ended at byte {offset + 70} "
            in str(caught.value)
        )
        assert (caught.value.offset, caught.value.resolved) == (offset, path)

        def fail(*_):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "preadv", fail)
        with pytest.raises(FileSystemError, match="cannot read the shard file: Input/output error") as caught:
            use(bundle, ["a", "b"])
        assert (caught.value.errno, caught.value.resolved) == (5, path)


def test_one_wrong_checksum_of_one_does_not_tell_of_another_index(use, tmp_path):
    write_checkpoint(tmp_path / "m", {"a": np.float32([1]), "b": np.float32([2])})
    shard = tmp_path / "m.data-00000-of-00001"
    shard.write_bytes(bytes(byte ^ 1 for byte in shard.read_bytes()))
    again = "copy or download the checkpoint again, in binary mode"
    another = "every checksum is wrong: the shard belongs to another index file; use both from the same checkpoint"

    with opened_checkpoint(str(tmp_path / "m")) as bundle:
        for names, hint in ((["a"], again), (["a", "b"], another)):
            with pytest.raises(CorruptFileError) as caught:
                use(bundle, names)
            assert caught.value.hints == (hint,)
