"""The values of checkpoints, and what is said of each that is damaged; in blocks so small that every variable has several."""

from __future__ import annotations

import os
from pathlib import Path

import crc32c
import numpy as np
import pytest

from safeload._forms import look
from safeload._forms.arrays import N_ALIGN_BYTES
from safeload._forms.tensorflow.strings import read_variants
from safeload._forms.weight_file import WeightFile
from safeload.errors import CorruptFileError
from safeload.testing._bundle import write_checkpoint
from tests.forms.tensorflow.index_writer import entry, write_index
from tests.opened import opened_checkpoint

VALUES = {
    "bytes": np.arange(230, dtype=np.uint8),
    "kernel": np.arange(300, dtype=np.float32).reshape(10, 30),
    "numbers": np.arange(40, dtype=np.int64),
}
AGAIN = "copy or download the checkpoint again, in binary mode"
ANOTHER = "every checksum is wrong: the shard belongs to another index file; use both from the same checkpoint"


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    """Return the prefix of a checkpoint that is read in blocks of 64 bytes."""
    monkeypatch.setattr(look, "N_BLOCK_BYTES", 64)
    write_checkpoint(tmp_path / "m", VALUES)
    return tmp_path / "m"


@pytest.fixture(params=[WeightFile.verify, WeightFile.read])
def use(request):
    """Return one of the two calls that look at values."""
    return request.param


def flip(prefix, *places):
    shard = Path(f"{prefix}.data-00000-of-00001")
    data = bytearray(shard.read_bytes())
    for at in places:
        data[at] ^= 1
    shard.write_bytes(data)


def place_of(prefix, name):
    with opened_checkpoint(str(prefix)) as bundle:
        return bundle.variables[name].offset


def failure(use, prefix, names=VALUES):
    with opened_checkpoint(str(prefix)) as bundle, pytest.raises(CorruptFileError) as caught:
        use(bundle, names)
    return caught.value


def test_values_are_read_block_by_block_into_aligned_memory(prefix):
    with opened_checkpoint(str(prefix)) as bundle:
        bundle.verify(VALUES)
        values = bundle.read(VALUES)

    for name, expected in VALUES.items():
        np.testing.assert_array_equal(values[name], expected)
        assert values[name].ctypes.data % N_ALIGN_BYTES == 0


IN_NUMPY = ("bool", "complex64", "complex128", "float16", "float32", "float64", "int8", "int16", "int32", "int64",
            "uint8", "uint16", "uint32", "uint64")  # fmt: skip


def test_a_type_that_numpy_has_is_returned_as_such(tmp_path):
    values = {dtype: np.array([0, 1, 1], dtype) for dtype in IN_NUMPY}
    write_checkpoint(tmp_path / "m", values)
    with opened_checkpoint(str(tmp_path / "m")) as bundle:
        found = bundle.read(values)

    assert {name: array.dtype.name for name, array in found.items()} == {name: name for name in IN_NUMPY}
    assert all(array.tolist() == values[name].tolist() for name, array in found.items())


@pytest.mark.parametrize(
    ("number", "dtype"), [(11, "int8"), (12, "uint8"), (14, "uint16"), (29, "int8"), (30, "uint8")]
)
def test_a_type_that_numpy_has_not_is_returned_as_the_integers_of_its_bits(number, dtype, tmp_path):
    content = bytes(np.dtype(dtype).itemsize)
    rows = {"x": entry((), dtype=number, n_bytes=len(content), crc=crc32c.crc32c(content))}
    write_index(tmp_path / "m", rows, shards=[content])
    with opened_checkpoint(str(tmp_path / "m")) as bundle:
        assert bundle.read(["x"])["x"].dtype == dtype


def test_memory_is_aligned_wherever_numpy_puts_it(prefix):
    with opened_checkpoint(str(prefix)) as bundle:
        kept = [bundle.read(["numbers"])["numbers"] for _ in range(20)]

    assert not any(values.ctypes.data % N_ALIGN_BYTES for values in kept)


def test_the_first_fault_gives_its_place(use, prefix):
    at = place_of(prefix, "kernel")
    flip(prefix, at + 1000)

    error = failure(use, prefix)

    assert (error.offset, error.variables, error.hints) == (at, ("kernel",), (AGAIN,))


SAID = """\
1 of 3 variables is damaged in the checkpoint
  shard: {shard}
  index: {index}
  CHECKSUM   kernel
               shard 0, bytes {at} to {end}: stored {stored:08x}, found {found:08x}
  hint:  copy or download the checkpoint again, in binary mode"""


def test_what_is_said_of_one(use, prefix):
    at = place_of(prefix, "kernel")
    flip(prefix, at + 1000)
    with opened_checkpoint(str(prefix)) as bundle:
        entry = bundle.variables["kernel"]
    data = Path(f"{prefix}.data-00000-of-00001").read_bytes()[at : at + 1200]

    assert str(failure(use, prefix)) == SAID.format(
        shard=f"{prefix}.data-00000-of-00001", index=f"{prefix}.index", at=at, end=at + 1200,
        stored=entry.crc, found=crc32c.crc32c(data),
    )  # fmt: skip


def test_what_is_said_of_many(use, tmp_path):
    write_checkpoint(tmp_path / "m", {f"v{number:02}": np.full(3, np.nan, np.float32) for number in range(12)})

    error = failure(use, tmp_path / "m", [f"v{number:02}" for number in range(12)])
    assert error.message == "12 of 12 variables are damaged in the checkpoint"
    assert "... and 2 more in error.variables" in str(error)


@pytest.mark.system_calls
def test_values_that_are_not_finite_are_counted_in_every_block(use, prefix):
    values = np.zeros(100, np.float32)
    values[[0, 15, 16, 99]] = np.nan, np.inf, -np.inf, np.nan
    write_checkpoint(prefix, {"odd": values})

    assert "NOT FINITE" in (text := str(failure(use, prefix, ["odd"])))
    assert " 4 of 100 values are NaN or infinite" in text


def test_infinities_that_cancel_each_other_warn_of_nothing(use, tmp_path):
    write_checkpoint(tmp_path / "m", {"odd": np.array([np.inf, -np.inf], np.float32)})

    assert "2 of 2 values" in str(failure(use, tmp_path / "m", ["odd"]))


@pytest.mark.parametrize(
    ("names", "hints"),
    [(["kernel"], (AGAIN,)), (["kernel", "numbers"], (ANOTHER,)), (["bytes", "kernel", "numbers"], (AGAIN,))],
)
def test_another_index_file_is_thought_of_where_every_checksum_is_wrong(names, hints, use, prefix):
    flip(prefix, place_of(prefix, "kernel"), place_of(prefix, "numbers"))

    assert failure(use, prefix, names).hints == hints


def test_a_file_that_is_cut_while_it_is_read_is_told_with_the_place(use, prefix):
    at = place_of(prefix, "kernel")
    with opened_checkpoint(str(prefix)) as bundle:
        os.truncate(f"{prefix}.data-00000-of-00001", at + 200)
        with pytest.raises(CorruptFileError) as caught:
            use(bundle, ["kernel"])

    assert f"the file ended at byte {at + 200} while it was being read" in str(caught.value)


def test_damaged_values_can_be_looked_at(prefix):
    at = place_of(prefix, "kernel")
    flip(prefix, at + 3)
    with opened_checkpoint(str(prefix)) as bundle:
        found, fault = bundle.look("kernel")

    assert fault.startswith("CHECKSUM")
    changed = VALUES["kernel"].copy()
    changed.view(np.uint8)[0, 3] ^= 1
    np.testing.assert_array_equal(found, changed)


def test_damaged_values_that_are_cut_between_two_looks_are_told(prefix, monkeypatch):
    at = place_of(prefix, "kernel")
    flip(prefix, at + 3)
    with opened_checkpoint(str(prefix)) as bundle:
        real = type(bundle._values).bits

        def bits(values, entry):
            os.truncate(f"{prefix}.data-00000-of-00001", at)
            return real(values, entry)

        monkeypatch.setattr(type(bundle._values), "bits", bits)
        found, fault = bundle.look("kernel")

    assert found is None
    assert fault.startswith("CHECKSUM")


def test_looking_at_values_that_are_not_finite_warns_of_nothing(tmp_path):
    values = np.array([np.inf, -np.inf, 3e38, 3e38], np.float32)
    write_checkpoint(tmp_path / "m", {"odd": values})
    with opened_checkpoint(str(tmp_path / "m")) as bundle:
        found, fault = bundle.look("odd")

    assert fault.startswith("NOT FINITE")
    np.testing.assert_array_equal(found, values)


def test_a_shape_that_numpy_has_not_is_told(use, tmp_path):
    write_index(tmp_path / "m", {"deep": entry((1,) * 100, n_bytes=4, crc=crc32c.crc32c(bytes(4)))}, shards=[bytes(4)])

    assert "NumPy cannot create an array of 100 dimensions" in str(failure(use, tmp_path / "m", ["deep"]))


def test_a_damaged_string_is_told(use, tmp_path):
    write_checkpoint(tmp_path / "m", {"words": np.array([b"one", b"three"], object)})
    flip(tmp_path / "m", -1)

    assert "CHECKSUM   words" in str(failure(use, tmp_path / "m", ["words"]))


def test_a_type_without_values_is_told(use, tmp_path):
    write_index(tmp_path / "m", {"odd": entry((), dtype=20, n_bytes=4)}, shards=[bytes(4)])

    assert "resource cannot be read" in str(failure(use, tmp_path / "m", ["odd"]))


def test_no_variants_are_no_bytes():
    assert [part if isinstance(part, int) else part.tolist() for part in read_variants(b"", 0)] == [[], 0]
