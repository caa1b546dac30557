"""`safeload check weights` and `safeload lock --any`, over files, folders, archives and trees of any model's weights."""

from __future__ import annotations

import json
import os
import shutil
import zipfile

import numpy as np
import pytest

from safeload import testing
from tests.command_line import safeload_cli
from tests.fleet.finding import found_in
from tests.weights.files import cache_of, write_safetensors, write_shards

BAD = {"x": np.array([1, np.nan], np.float32)}
GOOD = {"x": np.array([1, 2], np.float32)}


@pytest.fixture
def pipeline(tmp_path):
    """Return the folder of a pipeline, with the layout of diffusers."""
    root = tmp_path / "pipeline"
    for name in ("unet", "vae", "text_encoder", "scheduler", "2_Normalize"):
        (root / name).mkdir(parents=True)
    (root / "model_index.json").write_text("{}")
    write_shards(root / "unet", "diffusion_pytorch_model")
    write_safetensors(root / "vae/diffusion_pytorch_model.safetensors", GOOD)
    write_safetensors(root / "text_encoder/model.safetensors", GOOD)
    (root / "scheduler/scheduler_config.json").write_text("{}")
    return root


def test_each_part_of_a_pipeline_is_checked(pipeline):
    done = safeload_cli("check", "weights", pipeline)

    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [
        ["ok", str(pipeline / name)] for name in ("text_encoder", "unet", "vae")
    ]
    assert "3 good, 0 bad" in lines[-1]


def test_a_damaged_part_is_bad_and_named(pipeline):
    write_safetensors(pipeline / "vae/diffusion_pytorch_model.safetensors", BAD)
    done = safeload_cli("check", "weights", pipeline, "--json", code=1)
    found = json.loads(done.stdout)

    assert (found["kind"], found["n_good"], found["n_bad"]) == ("weights", 2, 1)
    (bad,) = [model for model in found["models"] if not model["ok"]]
    assert bad["path"] == str(pipeline / "vae")
    assert bad["error"]["type"] == "CorruptFileError"
    assert "x" in bad["error"]["details"][0]


def test_exit_codes_and_options(pipeline, tmp_path):
    safeload_cli("check", "weights", pipeline, "--expect", "3", "-q", "-j", "1")
    safeload_cli("check", "weights", pipeline, "--expect", "4", code=1)
    safeload_cli("check", "weights", pipeline, "--lock", code=1)
    safeload_cli("check", "weights", tmp_path / "none", code=1)
    safeload_cli("check", "weights", code=2)
    safeload_cli("check", "weights", pipeline, "--scope", "x", code=2)
    safeload_cli("check", "weights", pipeline / "vae", "--isolated")


def test_a_layer_below_a_model_is_checked_too(tmp_path):
    root = tmp_path / "sentence"
    (root / "2_Dense").mkdir(parents=True)
    write_safetensors(root / "model.safetensors", GOOD)
    write_safetensors(root / "2_Dense/model.safetensors", BAD)
    found = json.loads(safeload_cli("check", "weights", root, "--json", code=1).stdout)

    assert [(model["path"], model["ok"]) for model in found["models"]] == [
        (str(root), True),
        (str(root / "2_Dense"), False),
    ]


def test_what_training_leaves_is_no_model(tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("optimizer.bin", "scheduler.pt", "rng_state_0.pth", "training_args.bin"):
        (tmp_path / "run" / name).write_bytes(b"x")
    (tmp_path / "model").mkdir()
    write_safetensors(tmp_path / "model/model.safetensors", GOOD)

    assert found_in("weights", [str(tmp_path)]).models == [str(tmp_path / "model")]


def test_checkpoints_saved_models_and_archives_are_found(tmp_path, tiny_bert):
    root = tmp_path / "tree"
    (root / "saved/variables").mkdir(parents=True)
    (root / "saved/assets").mkdir()
    for path in tiny_bert.glob("bert_model.ckpt.*"):
        shutil.copy(path, root / "saved/variables" / path.name.replace("bert_model.ckpt", "variables"))
    (root / "saved/saved_model.pb").write_bytes(b"")
    (root / "google").mkdir()
    for path in tiny_bert.glob("bert_model.ckpt.*"):
        shutil.copy(path, root / "google")
    write_safetensors(tmp_path / "a.safetensors", GOOD)
    with zipfile.ZipFile(root / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.safetensors", "one/a.safetensors")
        archive.writestr("two/readme.txt", "")
    found = found_in("weights", [str(root)])

    assert found.models == [str(root / "a.zip/one"), str(root / "google"), str(root / "saved")]
    safeload_cli("check", "weights", root, "--expect", "3")


def test_a_damaged_blob_in_a_cache_is_found(tmp_path):
    write_safetensors(tmp_path / "model.safetensors", GOOD)
    snapshot = cache_of(
        tmp_path, {"model.safetensors": (tmp_path / "model.safetensors").read_bytes(), "config.json": b"{}"}
    )
    assert "ok" in safeload_cli("check", "weights", tmp_path / "hub").stdout
    blob = os.path.realpath(snapshot / "model.safetensors")
    data = bytearray((snapshot / "model.safetensors").read_bytes())
    data[-1] ^= 1
    with open(blob, "wb") as file:
        file.write(data)
    done = safeload_cli("check", "weights", tmp_path / "hub", code=1)

    assert "1 of 1 blob is damaged in the Hugging Face cache" in done.stdout
    assert blob in done.stdout


def test_a_lock_of_any_weights(pipeline):
    done = safeload_cli("lock", "--any", pipeline / "unet")
    assert "diffusion_pytorch_model.safetensors.index.json" in done.stdout
    assert "unchanged" in safeload_cli("lock", "--any", pipeline / "unet").stdout
    assert ", locked" in safeload_cli("check", "weights", pipeline / "unet", "--lock").stdout
    (pipeline / "unet/diffusion_pytorch_model-00001-of-00002.safetensors").write_bytes(b"")
    assert "LockError" in safeload_cli("check", "weights", pipeline, code=1).stdout
    write_shards(pipeline / "unet", "diffusion_pytorch_model", 3)
    safeload_cli("lock", "--any", pipeline / "unet", code=1)
    safeload_cli("lock", "--any", "--update", pipeline / "unet")
    safeload_cli("lock", "--any", "--scope", "x", pipeline / "unet", code=2)
    assert "2 folders below it" not in safeload_cli("lock", "--any", pipeline / "vae").stdout


def test_a_model_without_a_lock_is_told_how_to_write_one(pipeline):
    done = safeload_cli("check", "weights", "--lock", pipeline / "vae", code=1)
    assert f"safeload lock --any {pipeline / 'vae'}" in " ".join(done.stdout.split())


def test_the_weights_of_a_bert_without_its_config_are_checked(tmp_path):
    testing.write_bert(tmp_path, form="safetensors")
    (tmp_path / "config.json").unlink()
    safeload_cli("check", "bert", tmp_path, code=1)
    safeload_cli("check", "weights", tmp_path)
