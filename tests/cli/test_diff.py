"""`safeload diff`."""

from __future__ import annotations

import json

import h5py
import pytest

from tests.checkpoints import bert_tensors, write_checkpoint
from tests.command_line import safeload_cli


@pytest.mark.parametrize(
    ("change", "verdict", "code"),
    [
        (lambda tensors: tensors, "the same weights: 46 tensors equal", 0),
        (lambda tensors: {f"module/{k}": v for k, v in tensors.items()}, "the same weights, under another scope", 0),
        (lambda tensors: {k: v * 1.01 for k, v in tensors.items()}, "one is fine-tuned from the other", 1),
        (lambda _: bert_tensors(seed=9), "unrelated weights", 1),
        (lambda tensors: {f"x{k}".replace("/", "."): v for k, v in tensors.items()}, "nothing in common", 1),
        (
            lambda tensors: dict(list(tensors.items())[:-1]),
            "the same weights: 45 tensors equal; 1 tensor in one file",
            1,
        ),
        (
            lambda tensors: {k: (v * 9 if k.endswith("query/kernel") else v) for k, v in tensors.items()},
            "the same weights except for a few tensors",
            1,
        ),
    ],
)
def test_diff_says_what_it_means(change, verdict, code, tmp_path):
    write_checkpoint(tmp_path / "a", bert_tensors())
    write_checkpoint(tmp_path / "b", change(bert_tensors()))
    shown = safeload_cli("diff", tmp_path / "a", tmp_path / "b", code=code).stdout
    assert shown.startswith(verdict)
    found = json.loads(safeload_cli("diff", tmp_path / "a", tmp_path / "b", "--json", code=code).stdout)
    assert found["is_same"] == (code == 0)
    assert shown.splitlines()[0] == found["verdict"]


def test_diff_measures_values(tmp_path):
    import numpy as np

    a, b = bert_tensors(), bert_tensors()
    name = "bert/pooler/dense/kernel"
    b[name][2, 3] += np.float32(0.5)
    b["bert/pooler/dense/bias"] = b["bert/pooler/dense/bias"].astype(np.float64)
    b["cls/predictions/output_bias"][0] = np.nan
    write_checkpoint(tmp_path / "a", a)
    write_checkpoint(tmp_path / "b", b)
    found = json.loads(safeload_cli("diff", tmp_path / "a", tmp_path / "b", "--json", code=1).stdout)

    changed = {each["name"]: each for each in found["changed"]}
    assert (changed[name]["n_different"], changed[name]["count"]) == (1, 256)
    assert changed[name]["max_abs"] == pytest.approx(0.5, rel=1e-6)
    assert [(each["kind"], each["name"]) for each in found["problems"]] == [("dtype", "bert/pooler/dense/bias")]
    assert "NOT FINITE" in found["faults"][0]


def test_a_damaged_file_is_the_same_as_itself(tmp_path):
    import numpy as np

    odd = {
        "nan": np.full(3, np.nan, np.float32),
        "big": np.array([1e38, -3e38], np.float32),
        "none": np.zeros((0, 3), "f"),
    }
    odd |= {"scalar": np.float32(1), "flags": np.array([True, False]), "text": np.array([b"a", b"bc"], object)}
    write_checkpoint(tmp_path / "odd", odd)
    done = safeload_cli("diff", tmp_path / "odd", tmp_path / "odd")
    assert done.stdout.startswith("the same weights: 6 tensors equal\n")
    assert done.stdout.count("NOT FINITE") == 2
    assert done.stderr == ""
    odd["text"][1] = b"other"
    odd["flags"][0] = False
    write_checkpoint(tmp_path / "other", odd)
    found = json.loads(safeload_cli("diff", tmp_path / "odd", tmp_path / "other", "--json", code=1).stdout)
    assert {each["name"]: each["n_different"] for each in found["changed"]} == {"text": 1, "flags": 1}


def test_diff_of_what_cannot_be_read_is_exit_code_2(tiny_bert, tmp_path):
    assert "CheckpointNotFoundError" in safeload_cli("diff", tiny_bert, tmp_path / "none", code=2).stderr


def test_diff_of_two_elmos(tiny_elmo, elmo):

    safeload_cli("diff", tiny_elmo, elmo)
    with h5py.File(elmo / "weights.hdf5", "r+") as file:
        file["CNN_proj/b_proj"][0] = 3.0
    assert "CNN_proj/b_proj" in safeload_cli("diff", tiny_elmo, elmo, code=1).stdout
