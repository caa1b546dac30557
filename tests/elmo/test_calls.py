"""Every argument of every call reaches what it is for."""

from __future__ import annotations

from importlib import metadata

import h5py
import pytest
import torch

import safeload
from safeload import SafeLoadError
from safeload.lock import LOCK_NAME, lock_text, make_lock
from tests.elmos import BACKENDS, OPTIONS_NAME, WEIGHTS_NAME


def load(*given, **options):
    return safeload.report_of(safeload.load_elmo(*given, backend="torch", **options))


each_call = pytest.mark.parametrize("call", [safeload.check_elmo, load])


@each_call
def test_each_file_is_found_where_it_is_said_to_be(elmo, call):
    (elmo / "w").mkdir()
    (elmo / WEIGHTS_NAME).rename(elmo / "w" / WEIGHTS_NAME)

    report = call(OPTIONS_NAME, "w", base_dir=elmo)
    assert [file.path for file in report.files] == [str(elmo / OPTIONS_NAME), str(elmo / "w" / WEIGHTS_NAME)]
    with pytest.raises(SafeLoadError, match="there is no"):
        call(OPTIONS_NAME, "w")


@each_call
def test_what_is_to_be_ignored_is_ignored(elmo, call):
    with h5py.File(elmo / WEIGHTS_NAME, "a") as file:
        file["extra/one"] = [1.0]

    assert call(elmo, ignore_unused=["extra/*"]).ignored == ("extra/one",)
    with pytest.raises(SafeLoadError, match="extra/one"):
        call(elmo)


@each_call
def test_the_lock_that_is_named_is_the_one_that_counts(elmo, tmp_path, call):
    lock = tmp_path / LOCK_NAME
    lock.write_text(lock_text(make_lock(safeload.check_elmo(elmo), str(lock))))
    assert "lock" in call(elmo, lock_file=lock).seconds

    (elmo / OPTIONS_NAME).write_text((elmo / OPTIONS_NAME).read_text() + " ")
    assert "lock" not in call(elmo).seconds
    with pytest.raises(SafeLoadError, match="locked"):
        call(elmo, lock_file=lock)


def test_a_load_says_what_it_did(tiny_elmo):
    report = load(tiny_elmo)

    assert report.backend == "torch"
    assert safeload.report_of(safeload.load_elmo(tiny_elmo)).backend == BACKENDS[0]
    assert list(report.seconds) == ["resolve", "read", "list", "compare", "import", "build"]
    assert {"safeload", "python", "numpy", "h5py", "torch"} <= set(report.versions)
    assert report.versions["torch"] == metadata.version("torch")
    assert list(safeload.check_elmo(tiny_elmo).seconds) == ["resolve", "read", "list", "compare"]


def shape_of(module):
    """Return what the arguments have made of a module."""
    bilm = module._elmo_lstm
    ids = safeload.character_ids([["a", "word"]])
    return {
        "sums": len(module(ids)["elmo_representations"]),
        "trained": any(parameter.requires_grad for parameter in bilm.parameters()),
        "normalised": module.scalar_mix_0.do_layer_norm,
        "dropout": module._dropout.p,
        "cached": 0 if bilm._word_embedding is None else bilm._word_embedding.num_embeddings,
        "tokens": module(ids)["mask"].shape[1],
        "weights": [weight.item() for weight in module.scalar_mix_0.scalar_parameters],
        "fixed": not module.scalar_mix_0.gamma.requires_grad,
        "stateful": bilm._elmo_lstm.stateful,
    }


PLAIN = {
    "sums": 1, "trained": False, "normalised": False, "dropout": 0.5, "cached": 0, "tokens": 2, "weights": [0, 0, 0],
    "fixed": False, "stateful": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        ({}, {}),
        ({"num_output_representations": 2}, {"sums": 2}),
        ({"requires_grad": True}, {"trained": True}),
        ({"do_layer_norm": True}, {"normalised": True}),
        ({"dropout": 0.25}, {"dropout": 0.25}),
        ({"vocab_to_cache": ["<pad>", "film"]}, {"cached": 2}),
        ({"keep_sentence_boundaries": True}, {"tokens": 4}),
        ({"scalar_mix_parameters": [1, 2, 3]}, {"weights": [1, 2, 3], "fixed": True}),
        ({"stateful": False}, {"stateful": False}),
        ({"stateful": True}, {}),
    ],
    ids=str,
)
def test_each_argument_changes_the_module_and_nothing_else(tiny_elmo, arguments, changed):
    module = safeload.load_elmo(tiny_elmo, backend="torch", **arguments)

    assert shape_of(module) == {**PLAIN, **changed}


def test_character_ids_are_a_tensor_of_torch():
    ids = safeload.character_ids([["a"], ["b", "c"]])

    assert (ids.shape, ids.dtype) == ((2, 2, 50), torch.int64)
