"""Models of transformers, diffusers and sentence-transformers, saved by their own library, are checked and loaded."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

import safeload
from safeload.errors import AmbiguousCheckpointError, CheckpointNotFoundError, CorruptFileError, LockError
from tests.docs.blocks import ROOT
from tests.weights.files import write_lock
from tests.weights.libraries import WRITERS

SAME = """
import json, sys, warnings
warnings.simplefilter("ignore")
import torch, safeload
folder = sys.argv[1]
state = lambda path: safeload.load_state_dict(path, framework="torch")
"""
GPT2 = """
from transformers import GPT2Config, GPT2LMHeadModel
config = GPT2Config.from_pretrained(folder)
ours = GPT2LMHeadModel.from_pretrained(None, config=config, state_dict=state(folder)).eval()
theirs = GPT2LMHeadModel.from_pretrained(folder).eval()
inputs = torch.tensor([[1, 2, 3]])
print(json.dumps(torch.equal(ours(inputs).logits, theirs(inputs).logits)))
"""
DDPM = """
from diffusers import UNet2DModel
ours = UNet2DModel.from_config(UNet2DModel.load_config(folder + "/unet")).eval()
ours.load_state_dict(state(folder + "/unet"))
theirs = UNet2DModel.from_pretrained(folder + "/unet").eval()
inputs = torch.ones(1, 1, 8, 8)
same = all(torch.equal(values, theirs.state_dict()[name]) for name, values in ours.state_dict().items())
print(json.dumps(same and torch.allclose(ours(inputs, 1).sample, theirs(inputs, 1).sample, atol=1e-5)))
"""
MINILM = """
from sentence_transformers import SentenceTransformer
ours, theirs = SentenceTransformer(folder), SentenceTransformer(folder)
for values in ours.parameters():
    torch.nn.init.zeros_(values)
ours[0].auto_model.load_state_dict(state(folder))
ours[2].load_state_dict(state(folder + "/2_Dense"))
print(json.dumps(bool((ours.encode(["a b c"]) == theirs.encode(["a b c"])).all())))
"""


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("libraries")
    command = [sys.executable, "-m", "tests.weights.libraries", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def folder_of(models, name):
    if not importlib.util.find_spec(WRITERS[name][0]) or not importlib.util.find_spec("torch"):
        pytest.skip(f"needs {WRITERS[name][0]}")
    return models / name


@pytest.mark.parametrize(("name", "script"), [("gpt2", GPT2), ("ddpm", DDPM), ("minilm", MINILM)])
def test_a_model_filled_with_the_verified_tensors_computes_the_same(models, name, script):
    folder = folder_of(models, name)
    done = subprocess.run(
        [sys.executable, "-c", SAME + script, str(folder)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) is True


def test_a_pipeline_of_diffusers_names_its_part(models):
    folder = folder_of(models, "ddpm")
    with pytest.raises((CheckpointNotFoundError, AmbiguousCheckpointError), match="unet"):
        safeload.check_weights(folder)
    assert safeload.check_weights(folder / "unet").form == "safetensors"


def test_layers_of_sentence_transformers_are_noted(models):
    folder = folder_of(models, "minilm")
    assert safeload.check_weights(folder).notes == ("weights in folders below this one were not read: 2_Dense",)
    assert [spec.name for spec in safeload.check_weights(folder / "2_Dense").read] == ["linear.bias", "linear.weight"]


def test_a_damaged_model_of_transformers_is_told(models, tmp_path):
    folder = folder_of(models, "gpt2")
    name = next(path.name for path in folder.iterdir() if path.name in ("model.safetensors", "pytorch_model.bin"))
    path = tmp_path / name
    path.write_bytes((folder / name).read_bytes())
    write_lock(tmp_path)
    safeload.load_state_dict(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(LockError):
        safeload.load_state_dict(tmp_path)
    (tmp_path / "safeload.lock").unlink()
    if name == "pytorch_model.bin":
        with pytest.raises(CorruptFileError):
            safeload.load_state_dict(tmp_path)
