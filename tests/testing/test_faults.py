"""Faults that a file of that size cannot have."""

from __future__ import annotations

import os
import shutil

import h5py
import numpy as np
import pytest

import safeload
from safeload import testing
from safeload.errors import (
    ArgumentError,
    ConfigError,
    CorruptFileError,
    InvalidPathError,
    MissingFileError,
    SafeLoadError,
    UnreadableFileError,
    VocabularyError,
    WrongFileKindError,
)
from safeload.testing._forms import FORMS


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


POOLER = "bert/pooler/dense/bias"
QUERY = "bert/encoder/layer_0/attention/self/query/kernel"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


BAD_OF_BERT = {
    "no such file": (testing.truncate, {"file": "none"}, MissingFileError),
    "file is a number": (testing.truncate, {"file": 3}, InvalidPathError),
    "keep is text": (testing.truncate, {"keep": "3"}, ArgumentError),
    "keep is a flag": (testing.truncate, {"keep": True}, ArgumentError),
    "keep is negative": (testing.truncate, {"keep": -1}, ArgumentError),
    "byte is a fraction": (testing.flip_bit, {"byte": 1.5}, ArgumentError),
    "byte is huge": (testing.flip_bit, {"byte": 1 << 70}, ArgumentError),
    "variable is a number": (testing.flip_bit, {"variable": 3}, ArgumentError),
    "name is a list": (testing.drop_variable, {"name": ["a"]}, ArgumentError),
    "name is none": (testing.drop_variable, {"name": None}, ArgumentError),
    "name is empty": (testing.poison, {"name": ""}, ArgumentError),
    "name is no text in UTF-8": (testing.poison, {"name": "\ud800"}, ArgumentError),
    "new is a number": (testing.rename_variable, {"name": POOLER, "new": 3}, ArgumentError),
    "new is empty": (testing.rename_variable, {"name": POOLER, "new": ""}, ArgumentError),
    "new is another's": (testing.rename_variable, {"name": POOLER, "new": QUERY}, ArgumentError),
    "shape is a number": (testing.reshape_variable, {"name": POOLER, "shape": 3}, ArgumentError),
    "shape is text": (testing.reshape_variable, {"name": POOLER, "shape": "12"}, ArgumentError),
    "shape has a flag": (testing.reshape_variable, {"name": POOLER, "shape": [True]}, ArgumentError),
    "shape has too many sizes": (testing.reshape_variable, {"name": POOLER, "shape": [1] * 70}, ArgumentError),
    "value is text": (testing.poison, {"value": "x"}, ArgumentError),
    "value is a flag": (testing.poison, {"value": True}, ArgumentError),
    "value is huge": (testing.poison, {"value": 10**400}, ArgumentError),
    "number is text": (testing.remove_shard, {"number": "x"}, ArgumentError),
    "number is negative": (testing.remove_shard, {"number": -1}, ArgumentError),
    "number is a flag": (testing.remove_shard, {"number": True}, ArgumentError),
    "number is too large": (testing.remove_shard, {"number": 2}, MissingFileError),
    "change is no function": (testing.edit_vocabulary, {"change": ["a"]}, ArgumentError),
    "change returns nothing": (testing.edit_vocabulary, {"change": lambda _: None}, ArgumentError),
    "change returns text": (testing.edit_vocabulary, {"change": lambda lines: lines[0]}, ArgumentError),
    "change returns numbers": (testing.edit_vocabulary, {"change": lambda _: [1]}, ArgumentError),
    "change returns bytes": (testing.edit_vocabulary, {"change": lambda _: [b"a"]}, ArgumentError),
    "change returns no UTF-8": (testing.edit_vocabulary, {"change": lambda _: ["\ud800"]}, ArgumentError),
    "a key is a set": (testing.edit_config, {"hidden_size": {1}}, ArgumentError),
    "a key is an object": (testing.edit_config, {"a": {"b": object()}}, ArgumentError),
    "first is a number": (testing.exchange_files, {"first": 3, "second": "vocab.txt"}, InvalidPathError),
    "no ELMo": (testing.leave_unwritten, {"name": "char_embed"}, MissingFileError),
}
BAD_OF_ELMO = {
    "name is a group": (testing.leave_unwritten, {"name": "CNN_proj"}, ArgumentError),
    "name is a number": (testing.leave_unwritten, {"name": 3}, ArgumentError),
    "new is a group": (testing.rename_variable, {"name": "char_embed", "new": "CNN_proj"}, ArgumentError),
    "new is below a dataset": (
        testing.rename_variable,
        {"name": "char_embed", "new": "CNN_proj/W_proj/x"},
        ArgumentError,
    ),
    "new leads out": (testing.rename_variable, {"name": "char_embed", "new": "../x"}, ArgumentError),
    "new has a NUL": (testing.rename_variable, {"name": "char_embed", "new": "a\0b"}, ArgumentError),
    "no checkpoint": (testing.remove_shard, {}, SafeLoadError),
    "no index": (testing.swap_index, {}, SafeLoadError),
}
BAD = [("bert", *row) for row in BAD_OF_BERT.values()] + [("elmo", *row) for row in BAD_OF_ELMO.values()]


@pytest.mark.parametrize(("model", "spoil", "arguments", "error"), BAD, ids=[*BAD_OF_BERT, *BAD_OF_ELMO])
def test_a_wrong_argument_is_told_and_no_file_changed(model, spoil, arguments, error, request):
    folder = request.getfixturevalue(model)
    before = contents(folder)
    with pytest.raises(error):
        spoil(folder, **arguments)
    assert contents(folder) == before


BROKEN = {
    "a list": ("bert_config.json", b"[1]", lambda folder: testing.edit_config(folder, a=1), ConfigError),
    "no JSON": ("bert_config.json", b"{", lambda folder: testing.edit_config(folder, a=1), ConfigError),
    "no UTF-8": ("bert_config.json", b"\xe9", lambda folder: testing.edit_config(folder, a=1), ConfigError),
    "a vocabulary that is no UTF-8": ("vocab.txt", b"caf\xe9", lambda folder: testing.edit_vocabulary(folder, list), VocabularyError),
    "a damaged index file": ("bert_model.ckpt.index", b"x", testing.poison, CorruptFileError),
    "a cut shard": ("bert_model.ckpt.data-00000-of-00001", b"x", testing.swap_index, CorruptFileError),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "spoil", "error"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_broken_already_is_told(name, data, spoil, error, bert):
    (bert / name).write_bytes(data)
    before = contents(bert)
    with pytest.raises(error):
        spoil(bert)
    assert contents(bert) == before


@pytest.mark.parametrize("spoil", [testing.poison, lambda folder: testing.leave_unwritten(folder, "char_embed")])
def test_a_weight_file_that_is_no_hdf5_is_told(spoil, elmo):
    (elmo / "weights.hdf5").write_bytes(b"<!DOCTYPE html><html>")
    with pytest.raises(WrongFileKindError):
        spoil(elmo)
    assert (elmo / "weights.hdf5").read_bytes() == b"<!DOCTYPE html><html>"


@pytest.mark.parametrize(
    "tensors",
    [
        {"a": np.zeros((0, 3), np.float32)},
        {"a": np.array([b"x"], object)},
        {"a": np.ones(2, np.float64), "b": np.ones(2, np.int64)},
    ],
    ids=["empty", "text", "no float32"],
)
def test_weights_without_a_float32_value_cannot_be_poisoned(tensors, tmp_path):
    testing.write_checkpoint(tmp_path / "bert_model.ckpt", tensors)
    with pytest.raises(ArgumentError, match="no float32 tensor with a value"):
        testing.poison(tmp_path)
    testing.write_checkpoint(tmp_path / "bert_model.ckpt", {"e": np.zeros((0, 3), "f"), "i": np.ones(2, np.int64)})
    with pytest.raises(ArgumentError, match="'e' has no number"):
        testing.poison(tmp_path, "e")
    with pytest.raises(ArgumentError, match="a number that int64 can hold"):
        testing.poison(tmp_path, "i")
    with pytest.raises(ArgumentError, match="there is no bit to flip"):
        testing.flip_bit(tmp_path, "e")


def test_a_file_for_reading_only_is_left(bert, monkeypatch):
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    before = contents(bert)
    for spoil in (
        testing.truncate,
        testing.poison,
        testing.swap_index,
        lambda folder: testing.edit_config(folder, a=1),
    ):
        with pytest.raises(UnreadableFileError, match="cannot write"):
            spoil(bert)
    assert contents(bert) == before


def test_what_is_written_is_whole_or_not_there(bert, monkeypatch):
    before = contents(bert)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    for spoil in (testing.truncate, testing.poison, testing.swap_index):
        with pytest.raises(safeload.errors.FileSystemError, match="No space left"):
            spoil(bert)
        assert contents(bert) == before


def test_a_link_is_replaced_and_not_what_it_leads_to(bert, tmp_path):
    original = tmp_path / "original.txt"
    original.write_bytes((bert / "vocab.txt").read_bytes())
    (bert / "vocab.txt").unlink()
    (bert / "vocab.txt").symlink_to(original)
    testing.truncate(bert, "vocab.txt", keep=0)

    assert (bert / "vocab.txt").read_bytes() == b""
    assert original.read_bytes() != b""


@pytest.mark.parametrize("form", FORMS)
def test_the_faults_of_each_form_are_found(form, tmp_path):
    good = testing.write_bert(tmp_path / "good", form=form)
    safeload.check_bert(good, training=True)
    faults = testing.bert_faults(form)

    assert len(faults) >= 18
    for number, (name, fault) in enumerate(faults.items()):
        folder = shutil.copytree(good, tmp_path / str(number))
        fault.spoil(folder)
        with pytest.raises(fault.error) as caught:
            safeload.check_bert(folder, training=True)
        assert type(caught.value) is fault.error, (name, caught.value)
