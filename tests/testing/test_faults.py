"""Faults that a file of that size cannot have."""

from __future__ import annotations

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
