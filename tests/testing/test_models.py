"""The models that safeload.testing writes load with the real libraries, and its faults change what they say."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

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
    UnreadableFileError,
    VariableMismatchError,
)

QUERY = "bert/encoder/layer_1/attention/self/query/kernel"
WEIGHTS = {"bert": QUERY, "elmo": "CNN_proj/W_proj"}


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"layers": 1, "hidden": 8, "attention_heads": 2, "intermediate": 12, "vocab": 12, "positions": 9},
        {"shards": 3},
        {"scope": "module/", "shards": 2},
        {"slots": True},
        {"heads": False},
        {"seed": 7},
    ],
)
def test_a_bert_of_any_sizes_is_sound(sizes, tmp_path):
    report = safeload.check_bert(testing.write_bert_checkpoint(tmp_path / "deep" / "model", **sizes))

    assert report.scope == sizes.get("scope", "") + "bert/"
    assert sum(file.role == "shard" for file in report.files) == sizes.get("shards", 1)
    assert report.notes == ()
    unused = set(report.unused)
    assert ("training" in unused) == bool(sizes.get("slots"))
    assert ("heads" in unused) == sizes.get("heads", True)


@pytest.mark.parametrize("training", [False, True])
def test_keras_bert_and_safeload_load_the_same(training, tmp_path):
    keras_bert = pytest.importorskip("keras_bert")
    testing.write_bert_checkpoint(tmp_path, shards=2)
    theirs = keras_bert.load_trained_model_from_checkpoint(
        str(tmp_path / "bert_config.json"), str(tmp_path / "bert_model.ckpt"), training=training
    )
    ours = safeload.load_bert(tmp_path, training=training)

    assert all(np.array_equal(a, b) for a, b in zip(theirs.get_weights(), ours.get_weights(), strict=True))


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"layers": 1, "dim": 5, "projection": 4, "char_dim": 3, "filters": ((1, 3), (4, 2)), "highways": 1},
        {"layers": 3, "skip_connections": False, "seed": 3},
    ],
)
def test_an_elmo_of_any_sizes_is_sound(sizes, tmp_path):
    testing.write_elmo(tmp_path / "elmo", **sizes)
    assert safeload.check_elmo(tmp_path / "elmo").noun == "datasets"


@pytest.mark.skipif(importlib.util.find_spec("allennlp") is None, reason="AllenNLP installs on Python 3.10 only")
@pytest.mark.filterwarnings("ignore::ImportWarning")
def test_allennlp_loads_an_elmo(tmp_path):
    from allennlp.modules.elmo import Elmo

    testing.write_elmo(tmp_path)
    Elmo(str(tmp_path / "options.json"), str(tmp_path / "weights.hdf5"), 1)


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        testing.write_bert_checkpoint(tmp_path / name, seed=5)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_sizes_that_make_no_model_are_refused(tmp_path):
    with pytest.raises(ConfigError):
        testing.write_bert_checkpoint(tmp_path / "a", hidden=10)
    with pytest.raises(ConfigError):
        testing.write_elmo(tmp_path / "b", dim=0)
    with pytest.raises(InvalidPathError):
        testing.write_elmo(None)
    assert not (tmp_path / "a").exists()


def test_writing_takes_milliseconds_and_no_framework(tmp_path):
    code = """
import sys, time
from safeload import testing
start = time.perf_counter()
for number in range(5):
    testing.write_bert_checkpoint(sys.argv[1] + f"/b{number}")
    testing.write_elmo(sys.argv[1] + f"/e{number}")
print(time.perf_counter() - start, {"tensorflow", "torch", "keras"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    seconds, heavy = done.stdout.split(" ", 1)
    assert heavy == "set()\n"
    assert float(seconds) < 5


@pytest.mark.parametrize("kind", WEIGHTS)
def test_structural_faults_change_what_they_say_and_no_more(kind, request):
    folder, name = request.getfixturevalue(kind), WEIGHTS[kind]
    check = getattr(safeload, f"check_{kind}")

    def problems():
        with pytest.raises(VariableMismatchError) as caught:
            check(folder)
        return [(each.kind, each.name) for each in caught.value.report.problems]

    testing.rename_variable(folder, name, f"{name}_x")
    assert problems()[:1] == [("missing", name)]
    testing.rename_variable(folder, f"{name}_x", name)
    check(folder)
    testing.reshape_variable(folder, name, (3, 5))
    assert problems() == [("shape", name)]
    testing.drop_variable(folder, name)
    assert problems() == [("missing", name)]
    for spoil in (testing.drop_variable, testing.poison):
        with pytest.raises(ArgumentError, match="the weights have no"):
            spoil(folder, name)


def test_faults_at_a_place(bert, elmo):
    testing.flip_bit(bert, QUERY)
    with pytest.raises(CorruptFileError) as caught:
        safeload.check_bert(bert)
    assert caught.value.variables == (QUERY,)
    testing.flip_bit(bert, QUERY)
    safeload.check_bert(bert)
    testing.flip_bit(bert, file="bert_model.ckpt.index", byte=20)
    with pytest.raises(CorruptFileError):
        safeload.check_bert(bert)
    testing.flip_bit(elmo, "char_embed")
    with h5py.File(elmo / "weights.hdf5") as file:
        assert np.isfinite(file["char_embed"][()]).all()
    testing.truncate(elmo, keep=100)
    assert (elmo / "weights.hdf5").stat().st_size == 100


def test_a_poisoned_value_is_any_value(bert):
    testing.poison(bert, QUERY, 3.5)
    safeload.check_bert(bert)
    testing.poison(bert, QUERY)
    with pytest.raises(CorruptFileError, match="NOT FINITE"):
        safeload.check_bert(bert)


def test_the_config_is_edited_key_by_key(elmo):
    testing.edit_config(elmo, lstm={"dim": 13, "cell_clip": None}, extra=1)
    with pytest.raises(ConfigError, match="cell_clip"):
        safeload.check_elmo(elmo)


def test_many_models_are_fast(tmp_path):
    start = time.perf_counter()
    for number in range(20):
        testing.write_bert_checkpoint(tmp_path / str(number))
    assert time.perf_counter() - start < 10


def test_every_public_name_is_documented():
    page = (Path(__file__).parent.parent.parent / "docs/how-to/unit-test-your-set-up.md").read_text(encoding="utf-8")
    for name in set(testing.__all__) - {"Fault"}:
        assert f"`{name}" in page or f"testing.{name}" in page, name
        assert getattr(testing, name).__doc__


@pytest.mark.parametrize(
    ("write", "arguments"),
    [
        (testing.write_bert_checkpoint, {"shards": 0}),
        (testing.write_bert_checkpoint, {"shards": 100_000}),
        (testing.write_bert_checkpoint, {"shards": "2"}),
        (testing.write_bert_checkpoint, {"seed": -1}),
        (testing.write_bert_checkpoint, {"seed": 1.5}),
        (testing.write_bert_checkpoint, {"vocab": 9}),
        (testing.write_bert_checkpoint, {"scope": None}),
        (testing.write_bert_checkpoint, {"scope": "\ud800"}),
        (testing.write_bert_checkpoint, {"heads": "no"}),
        (testing.write_bert_checkpoint, {"slots": 1}),
        (testing.write_bert_checkpoint, {"shards": True}),
        (testing.write_elmo, {"seed": -1}),
        (testing.write_elmo, {"seed": None}),
    ],
)
def test_a_wrong_argument_is_told_and_nothing_written(write, arguments, tmp_path):
    with pytest.raises(ArgumentError) as caught:
        write(tmp_path / "model", **arguments)
    assert caught.value.argument in arguments
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("filters", [None, 3, [1, 2], [[1]], [(1, "2")], ({1}, {2})])
def test_filters_that_make_no_elmo_are_told(filters, tmp_path):
    with pytest.raises(ConfigError, match="filters"):
        testing.write_elmo(tmp_path / "model", filters=filters)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("write", [testing.write_bert_checkpoint, testing.write_elmo])
def test_a_folder_that_cannot_be_made(write, tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(UnreadableFileError, match="the folder cannot be created"):
            write(folder)


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda folder: testing.truncate(folder, "none"), MissingFileError),
        (lambda folder: testing.truncate(folder, keep=1 << 30), ArgumentError),
        (lambda folder: testing.flip_bit(folder, "none"), ArgumentError),
        (lambda folder: testing.flip_bit(folder, byte=-1), ArgumentError),
        (lambda folder: testing.drop_variable(folder, "none"), ArgumentError),
        (lambda folder: testing.reshape_variable(folder, "bert/pooler/dense/bias", (-1,)), ArgumentError),
        (lambda folder: testing.edit_vocabulary(folder, lambda lines: lines.append("new")), ArgumentError),
        (lambda folder: testing.remove_shard(folder, 9), MissingFileError),
        (testing.exchange_files, MissingFileError),
        (lambda folder: testing.truncate(folder / "none"), MissingFileError),
        (lambda folder: testing.edit_config(folder / "none", a=1), MissingFileError),
    ],
)
def test_a_fault_that_cannot_be_made_is_told(spoil, error, tmp_path):
    folder = testing.write_bert_checkpoint(tmp_path / "model", shards=2)
    with pytest.raises(error):
        spoil(folder)
