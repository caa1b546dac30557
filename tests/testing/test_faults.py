"""Faults that a file of that size cannot have."""

from __future__ import annotations

import h5py
import pytest

from safeload import testing
from safeload.errors import ArgumentError


@pytest.mark.parametrize("byte", [None, 0])
@pytest.mark.parametrize("name", ["vocab.txt", "bert_model.ckpt.data-00000-of-00001"])
def test_an_empty_file_has_no_bit_to_flip(name, byte, bert):
    (bert / name).write_bytes(b"")
    with pytest.raises(ArgumentError) as caught:
        testing.flip_bit(bert, file=name, byte=byte)

    assert caught.value.message == f"{name} is empty: it has no bit to flip"
    assert caught.value.argument == "file"
    assert (bert / name).read_bytes() == b""


def test_the_only_byte_of_a_file_is_its_middle(bert):
    (bert / "vocab.txt").write_bytes(b"a")
    testing.flip_bit(bert, file="vocab.txt")

    assert (bert / "vocab.txt").read_bytes() == b"`"


def test_an_empty_file_cannot_be_truncated(bert):
    (bert / "vocab.txt").write_bytes(b"")
    with pytest.raises(ArgumentError, match=r"vocab\.txt is empty already"):
        testing.truncate(bert, "vocab.txt")


@pytest.mark.parametrize("chunks", [True, None], ids=["in chunks", "never written"])
def test_values_at_no_single_place_have_no_middle_byte(chunks, elmo):
    with h5py.File(elmo / "weights.hdf5", "r+") as file:
        shape = file["char_embed"].shape
        del file["char_embed"]
        file.create_dataset("char_embed", shape, "f4", chunks=chunks)
    before = (elmo / "weights.hdf5").read_bytes()
    with pytest.raises(ArgumentError, match="no single byte is its middle"):
        testing.flip_bit(elmo, "char_embed")

    assert (elmo / "weights.hdf5").read_bytes() == before
