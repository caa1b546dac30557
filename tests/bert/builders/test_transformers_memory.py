"""A model of transformers takes little more memory than its weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from safeload import testing
from tests.bert.torch_berts import required
from tests.forms.test_memory import PEAK

required()

MEASURED = """
import sys
import crc32c, torch, transformers, safeload
from transformers.models.bert import modeling_bert
small, folder, options = sys.argv[1:]
class Own(transformers.BertForPreTraining):
    pass
class OwnEncoder(transformers.BertModel):
    pass
for given in map(eval, options.splitlines()):
    safeload.load_bert(small, backend="transformers", **given)
    before = start()
    model = safeload.load_bert(folder, backend="transformers", **given)
    after = peak()
    print((after - before) / (sum(each.numel() for each in model.parameters()) * 4))
    del model
"""
GIVEN = [
    "{}",
    "dict(training=True)",
    "dict(dtype='float16')",
    "dict(training=True, dtype='bfloat16')",
    "dict(model_class=transformers.BertForTokenClassification)",
    "dict(model_class=Own)",
    "dict(model_class=OwnEncoder)",
    "dict(model_class=OwnEncoder, dtype='float16')",
]


SIZES = {"layers": 5, "hidden": 768, "attention_heads": 12, "intermediate": 3072, "vocab": 30_000, "positions": 512}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is Linux's to tell")
@pytest.mark.parametrize("form", ["tensorflow", "safetensors"])
def test_there_is_no_second_copy_of_the_weights(tmp_path, form):
    folders = testing.write_bert(tmp_path / "a", form=form), testing.write_bert(tmp_path / "b", form=form, **SIZES)
    command = [sys.executable, "-c", PEAK + MEASURED, *map(str, folders), "\n".join(GIVEN)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    ratios = dict(zip(GIVEN, map(float, done.stdout.split()), strict=True))
    assert {given: ratio for given, ratio in ratios.items() if ratio >= 1.1} == {}
