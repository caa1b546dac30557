"""`safeload diff`."""

from __future__ import annotations

import json
import time
import tracemalloc

import h5py
import numpy as np
import pytest

from safeload import testing
from safeload.cli._pairing import pair
from safeload.cli._values import values_differ
from safeload.testing._forms import FORMS
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
            "equal where both have it: 45 tensors equal; 1 tensor in one file only",
            1,
        ),
        (
            lambda tensors: {k: (v * 9 if k.endswith("query/kernel") else v) for k, v in tensors.items()},
            "equal weights except for a few tensors",
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
    a, b = bert_tensors(), bert_tensors()
    name = "bert/pooler/dense/kernel"
    b[name][2, 3] += np.float32(0.5)
    b["bert/pooler/dense/bias"] = b["bert/pooler/dense/bias"].astype(np.float64)
    found = compared(tmp_path, a, b)

    changed = {each["name"]: each for each in found["changed"]}
    assert (changed[name]["n_different"], changed[name]["count"]) == (1, 256)
    assert changed[name]["max_abs"] == pytest.approx(0.5, rel=1e-6)
    assert [(each["kind"], each["name"]) for each in found["problems"]] == [("dtype", "bert/pooler/dense/bias")]
    assert found["faults"] == []


def compared(folder, a, b, code=1):
    write_checkpoint(folder / "a", a)
    write_checkpoint(folder / "b", b)
    return json.loads(safeload_cli("diff", folder / "a", folder / "b", "--json", code=code).stdout)


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"tensorflow"}))
def test_two_forms_of_a_model_have_the_same_values(tiny_bert, tmp_path, form):
    same, other = (testing.write_bert(tmp_path / str(seed), form=form, seed=seed) for seed in (0, 1))
    naming = FORMS[form].naming

    done = safeload_cli("diff", tiny_bert, same, code=0)
    assert done.stdout.startswith(f"the same values, under other names (google and {naming}): 46 tensors equal\n")
    found = json.loads(safeload_cli("diff", other, tiny_bert, "--json", code=1).stdout)
    assert found["verdict"].startswith("unrelated weights of equal shapes, under other names")
    assert {each["name"] for each in found["changed"]} == set(bert_tensors())
    assert safeload_cli("diff", same, same, code=0).stdout.startswith("the same weights: ")


def test_tensors_outside_the_scope_are_named(tmp_path):
    a = bert_tensors()
    b = {f"module/{name}": value for name, value in a.items()}
    found = compared(tmp_path, a, b | {"head/kernel": np.ones(3, "f"), "bert/pooler/dense/bias": np.ones(16, "f")})

    assert {(each["kind"], each["name"]) for each in found["problems"]} == {
        ("unexpected", "head/kernel"),
        ("unexpected", "bert/pooler/dense/bias"),
    }
    assert "same" not in found["verdict"]
    assert (found["n_equal"], found["is_same"]) == (46, False)
    found = compared(tmp_path, a | {"step": np.int64(1)}, b | {"step": np.int64(2)})
    assert [each["name"] for each in found["changed"]] == ["step"]


def test_damage_is_said_before_anything_else(tmp_path):
    a = bert_tensors()
    write_checkpoint(tmp_path / "a", a)
    write_checkpoint(tmp_path / "b", a | {"other": np.ones(3, "f")})
    shard = tmp_path / "b.data-00000-of-00001"
    data = bytearray(shard.read_bytes())
    data[3] ^= 64
    shard.write_bytes(data)
    done = safeload_cli("diff", tmp_path / "a", tmp_path / "b", code=1)
    assert done.stdout.startswith(
        "damaged: 1 tensor of the second file; 1 tensor differs, 45 equal; 1 tensor in one file"
    )
    assert "CHECKSUM" in done.stdout.splitlines()[3]
    assert "fine-tuned" not in done.stdout


def test_damage_is_found_in_tensors_that_one_file_has(tmp_path):
    found = compared(tmp_path, bert_tensors(), bert_tensors() | {"other": np.array([np.nan, 1], "f")})
    assert found["verdict"].startswith("damaged: 1 tensor of the second file")
    assert "NOT FINITE" in found["faults"][0]


def test_nan_has_no_relative_distance(tmp_path):
    bad = bert_tensors()
    bad["cls/predictions/output_bias"][0] = np.nan
    found = compared(tmp_path, bert_tensors(), bad)
    assert [(each["n_different"], each["distance"]) for each in found["changed"]] == [(1, None)]
    assert "relative distance" not in found["verdict"]


def test_nan_in_an_elmo_is_damage(tiny_elmo, elmo):
    with h5py.File(elmo / "weights.hdf5", "r+") as file:
        file["CNN_proj/b_proj"][0] = np.nan
    done = safeload_cli("diff", tiny_elmo, elmo, code=1)
    assert done.stdout.startswith("damaged: 1 tensor of the second file")


def test_a_damaged_file_equals_itself_and_is_damaged(tmp_path):
    odd = {
        "nan": np.full(3, np.nan, np.float32),
        "big": np.array([1e38, -3e38], np.float32),
        "none": np.zeros((0, 3), "f"),
    }
    odd |= {"scalar": np.float32(1), "flags": np.array([True, False]), "text": np.array([b"a", b"bc"], object)}
    write_checkpoint(tmp_path / "odd", odd)
    done = safeload_cli("diff", tmp_path / "odd", tmp_path / "odd", code=1)
    assert done.stdout.startswith(
        "damaged: 1 tensor of the first file and 1 tensor of the second file; 6 tensors equal\n"
    )
    assert done.stdout.count("NOT FINITE") == 2
    assert done.stderr == ""
    odd["text"][1] = b"other"
    odd["flags"][0] = False
    write_checkpoint(tmp_path / "other", odd)
    found = json.loads(safeload_cli("diff", tmp_path / "odd", tmp_path / "other", "--json", code=1).stdout)
    assert {each["name"]: each["n_different"] for each in found["changed"]} == {"text": 1, "flags": 1}


@pytest.mark.parametrize("size", [1e200, 1e-200, 5e-324])
def test_a_distance_neither_overflows_nor_vanishes(size):
    a = np.array([3 * size, 4 * size])
    assert values_differ("a", a, a * 2, "float64").distance == pytest.approx(1)


def test_large_tensors_are_compared_in_blocks():
    a = np.ones((3, 1 << 20), np.float32)
    b = a.copy()
    b[2, 5] = 2
    tracemalloc.start()
    found = values_differ("a", a, b, "float32")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.n_different, found.max_abs) == (1, 1)
    assert found.distance == pytest.approx(1 / np.sqrt(a.size))
    assert peak < 64 << 20


def test_scopes_of_long_names_take_linear_time():
    slashes = "/" * 30_000
    names = [f"{number}{slashes}" for number in range(300)]
    start = time.perf_counter()
    found = pair(names, [f"module/{name}" for name in names])
    assert found.scopes == ("", "module/")
    assert len(found.both) == 300
    assert time.perf_counter() - start < 2


def test_diff_of_what_cannot_be_read_is_exit_code_2(tiny_bert, tmp_path):
    assert "CheckpointNotFoundError" in safeload_cli("diff", tiny_bert, tmp_path / "none", code=2).stderr


def test_diff_of_two_elmos(tiny_elmo, elmo):

    safeload_cli("diff", tiny_elmo, elmo)
    with h5py.File(elmo / "weights.hdf5", "r+") as file:
        file["CNN_proj/b_proj"][0] = 3.0
    assert "CNN_proj/b_proj" in safeload_cli("diff", tiny_elmo, elmo, code=1).stdout
