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
from safeload.testing._allennlp import SCOPE
from safeload.testing._editing import edit_tensors
from safeload.testing._forms import FORMS, renamed
from safeload.testing._safetensors import write_safetensors
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


def test_norms_and_biases_of_a_new_model_prove_nothing(tmp_path):
    def new(seed):
        initial = {"gamma": np.ones, "beta": np.zeros, "bias": np.zeros}
        tensors = bert_tensors(seed=seed).items()
        return {k: initial[end](v.shape, "f") if (end := k.split("/")[-1]) in initial else v for k, v in tensors}

    found = compared(tmp_path, new(0), new(1))
    n_changed = len(found["changed"])
    assert n_changed < found["n_equal"]
    assert found["verdict"].startswith(f"unrelated weights of equal shapes: {n_changed} tensors differ, ")
    tuned = {name: values + np.float32(0.5) if name.endswith("bias") else values for name, values in new(0).items()}
    assert compared(tmp_path, new(0), tuned)["verdict"].startswith("equal weights except for a few tensors")


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


def of_hugging_face(seed=0):
    """Return the tensors of a BertForPreTraining, with the buffer that old versions store."""
    tensors = renamed(bert_tensors(seed=seed), FORMS["safetensors"], 2)
    return tensors | {"bert.embeddings.position_ids": np.arange(8)[None]}


def encoder(tensors, scope="", head=None):
    """Return the encoder alone, under another scope, and a head beside it."""
    inner = {f"{scope}{name[5:]}": values for name, values in tensors.items() if name.startswith("bert.")}
    return inner | ({} if head is None else {"classifier.weight": np.full((head, 16), 0.5, "f")})


def compared_safetensors(folder, a, b, *options, code=1):
    for name, tensors in (("a", a), ("b", b)):
        write_safetensors(folder / f"{name}.safetensors", tensors, {"format": "pt"})
    done = safeload_cli("diff", folder / "a.safetensors", folder / "b.safetensors", "--json", *options, code=code)
    return json.loads(done.stdout) if code < 2 else done.stdout


N_ENCODER, N_HEADS = 40, 7


@pytest.mark.parametrize(
    ("a", "b", "scopes"),
    [
        (encoder, lambda tensors: encoder(tensors, "bert."), ["", "bert."]),
        (encoder, lambda tensors: encoder(tensors, "module."), ["", "module."]),
        (lambda tensors: encoder(tensors, "model."), lambda tensors: encoder(tensors, "bert."), ["model.", "bert."]),
        (dict, lambda tensors: {f"model.{name}": values for name, values in tensors.items()}, ["", "model."]),
        (lambda tensors: {f"module.{name}": values for name, values in tensors.items()}, dict, ["module.", ""]),
    ],
)
def test_a_scope_before_the_encoder_is_ignored(a, b, scopes, tmp_path):
    found = compared_safetensors(tmp_path, a(of_hugging_face()), b(of_hugging_face()), code=0)
    assert found["verdict"].startswith(f"the same weights, under another scope ({scopes[0]!r} and {scopes[1]!r}): ")
    assert found["scopes"] == scopes
    assert found["n_equal"] == len(a(of_hugging_face()))

    found = compared_safetensors(tmp_path, a(of_hugging_face()), b(of_hugging_face(seed=1)))
    assert found["verdict"].startswith("unrelated weights of equal shapes, under another scope")


def test_an_encoder_with_another_head_is_the_same(tmp_path):
    alone, whole = encoder(of_hugging_face()), of_hugging_face()
    found = compared_safetensors(tmp_path, alone, whole)
    assert found["verdict"] == (
        f"equal where both have it, under another scope ('' and 'bert.'): {N_ENCODER} tensors equal; "
        f"{N_HEADS} tensors in one file only, or of another shape or dtype"
    )
    tuned = {name: values * np.float32(1.01) if values.dtype == "f" else values for name, values in whole.items()}
    found = compared_safetensors(tmp_path, encoder(tuned, "model."), encoder(whole, "bert.", head=3))
    assert found["verdict"].startswith("one is fine-tuned from the other")
    found = compared_safetensors(tmp_path, encoder(whole, head=2), encoder(whole, "bert.", head=3))
    assert [(each["kind"], each["name"]) for each in found["problems"]] == [("shape", "classifier.weight")]


def test_old_names_of_norms_have_their_pairs(tmp_path):
    new = of_hugging_face()
    old = {
        name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): values
        for name, values in new.items()
    }
    assert set(old) != set(new)
    found = compared_safetensors(tmp_path, encoder(new), encoder(old, "bert."), code=0)
    assert found["n_equal"] == N_ENCODER


def test_of_several_encoders_one_is_chosen(tmp_path):
    one = of_hugging_face()
    alone = encoder(one)
    both = encoder(one, "teacher.") | encoder(of_hugging_face(seed=1), "student.")
    assert "pass scope, one of: 'student.', 'teacher.'" in compared_safetensors(tmp_path, alone, both, code=2)
    found = compared_safetensors(tmp_path, alone, both, "--scope", "teacher")
    assert found["verdict"].startswith("equal where both have it, under another scope ('' and 'teacher.'): 40 tensors")
    found = compared_safetensors(tmp_path, both, alone, "--scope", "student.")
    assert found["verdict"].startswith("unrelated weights of equal shapes")
    assert "no encoder under the scope 'x'" in compared_safetensors(tmp_path, alone, both, "--scope", "x", code=2)
    assert "no encoder under the scope 'x'" in compared_safetensors(tmp_path, alone, alone, "--scope", "x", code=2)

    assert compared_safetensors(tmp_path, both, both, code=0)["n_equal"] == 2 * N_ENCODER
    found = compared_safetensors(tmp_path, both, encoder(one, "bert.") | both)
    assert (found["n_equal"], len(found["problems"])) == (2 * N_ENCODER, N_ENCODER)


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


@pytest.mark.parametrize("form", ["hdf5/one-layer", "tensorflow", "tensorflow/tf-hub"])
def test_elmos_in_two_forms_have_the_same_values(form, tmp_path):
    first = testing.write_elmo(tmp_path / "a", layers=1)
    second = testing.write_elmo(tmp_path / "b", form=form, layers=1)
    if form == "tensorflow/tf-hub":
        edit_tensors(
            second,
            lambda tensors: tensors.update(
                {"bilm/char_embed": np.concatenate([np.zeros((1, 5), "f4"), tensors["bilm/char_embed"]])}
            ),
        )
    found = json.loads(safeload_cli("diff", "--json", first, second, code=0 if form.startswith("hdf5") else 1).stdout)

    assert found["n_equal"] == 23
    assert (found["changed"], found["faults"]) == ([], [])
    assert {problem["kind"] for problem in found["problems"]} <= {"unexpected"}


@pytest.mark.parametrize("form", ["torch", "torch/model"])
def test_a_state_dict_of_allennlp_is_compared_by_the_datasets_that_it_makes(form, tmp_path):
    state, hdf5 = (testing.write_elmo(tmp_path / each, form=each) for each in (form, "hdf5"))
    found = json.loads(safeload_cli("diff", "--json", hdf5, state, code=1).stdout)
    differing = [row["name"] for row in found["changed"]]
    assert all(name.endswith("LSTMCell/B") for name in differing)
    assert all(row["max_abs"] < 2e-7 for row in found["changed"])
    assert len(differing) + found["n_equal"] == 29

    name = "_token_embedder._projection.weight"
    scope = SCOPE if form == "torch/model" else "_elmo_lstm."
    testing.poison(state, scope + name, 7.0)
    found = json.loads(safeload_cli("diff", "--json", hdf5, state, code=1).stdout)
    assert "CNN_proj/W_proj" in [row["name"] for row in found["changed"]]

    testing.drop_variable(state, scope + name)
    found = json.loads(safeload_cli("diff", "--json", hdf5, state, code=1).stdout)
    assert f"{scope}_token_embedder._projection.bias" in str(found)
