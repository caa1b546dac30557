"""The layers of KerasHub's backbone: equal to keras-bert's, and those that the backbone computes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

import safeload
from safeload.bert.layers import fixed_inputs, keras_bert
from safeload.bert.layers.keras_hub import compute
from tests.bert.bert_models import write_keras_hub

pytest.importorskip("keras_hub")

INPUTS = fixed_inputs(30, 20)
NAMES = ["embeddings", "layer 0", "layer 1", "layer 2", "pooler"]


def test_each_layer_equals_keras_bert_s_and_the_backbone_s_own_outputs(tmp_path):
    pytest.importorskip("keras_bert")
    backbone = write_keras_hub(tmp_path)
    found = keras_bert.compute(safeload.load_bert(tmp_path), INPUTS)
    judge = compute(backbone, INPUTS)

    assert list(judge) == NAMES
    assert list(found) == NAMES[:-1]
    for name, layer in found.items():
        assert layer.dtype == judge[name].dtype == np.float32
        np.testing.assert_allclose(layer, judge[name], rtol=0, atol=1e-5, err_msg=name)
    given = {"token_ids": INPUTS.tokens, "segment_ids": INPUTS.segments, "padding_mask": INPUTS.mask}
    own = {name: np.asarray(each) for name, each in backbone(given, training=False).items()}
    words = INPUTS.mask == 1
    np.testing.assert_allclose(judge["layer 2"][words], own["sequence_output"][words], rtol=0, atol=1e-6)
    np.testing.assert_allclose(judge["pooler"], own["pooled_output"], rtol=0, atol=1e-6)
    assert not judge["layer 2"][~words].any()


CODE = """
import json, sys
import keras
from pathlib import Path
from safeload.bert.layers import fixed_inputs
from safeload.bert.layers.keras_hub import compute
from tests.bert.bert_models import write_keras_hub

found = compute(write_keras_hub(Path(sys.argv[1])), fixed_inputs(30, 20))
print(json.dumps({"engine": keras.config.backend(), "layers": {name: each.tolist() for name, each in found.items()}}))
"""


@pytest.mark.parametrize("engine", ["torch", "jax"])
def test_another_engine_of_keras_computes_the_same(engine, tmp_path):
    if find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": engine, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", CODE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found = json.loads(done.stdout.splitlines()[-1])
    wanted = compute(write_keras_hub(tmp_path), INPUTS)

    assert found["engine"] == engine
    assert list(found["layers"]) == NAMES
    for name, layer in found["layers"].items():
        np.testing.assert_allclose(layer, wanted[name], rtol=0, atol=1e-5, err_msg=name)
