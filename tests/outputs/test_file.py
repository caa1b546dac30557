"""Files of expected outputs are read back as they were written, and what is no such file is said."""

from __future__ import annotations

import json

import numpy as np
import pytest

from safeload._outputs.file import MAX_VECTORS, outputs_ref, read_outputs, write_outputs
from safeload._outputs.subject import Outputs
from safeload._outputs.tables import N_PROJECTIONS
from safeload._outputs.vocabulary import Vocabulary
from safeload.errors import ConfigError, UnsafeFileError, WrongFileKindError

RANDOM = np.random.default_rng(0)
OUTPUTS = Outputs(
    model="BERT",
    inputs={"tokens": [[1, 2], [3, 0]], "segments": [[0, 1], [0, 0]]},
    settings={"hidden_size": 4, "layer_norm_eps": 1e-12, "activation": "gelu_erf"},
    vocabulary=Vocabulary(4, "0" * 64, {1: "\u00e9", 2: "b"}),
    layers={name: RANDOM.standard_normal((3, N_PROJECTIONS)).astype(np.float32) for name in ("embeddings", "layer 0")},
    runtime="keras-bert",
    versions={"keras-bert": "0.89.0"},
)


@pytest.fixture
def ref(tmp_path):
    ref = outputs_ref(tmp_path / "outputs.json", "file")
    write_outputs(OUTPUTS, ref, overwrite=False)
    return ref


def test_what_is_written_is_read_back_bit_for_bit(ref):
    found = read_outputs(ref, "BERT")

    for name, table in OUTPUTS.layers.items():
        assert found.layers[name].dtype == np.float32
        assert found.layers[name].tobytes() == table.tobytes()
    for name in ("model", "inputs", "settings", "vocabulary", "runtime", "versions"):
        assert getattr(found, name) == getattr(OUTPUTS, name)


def test_extreme_floats_come_back(ref):
    values = np.array([[1e-45, 3.4028235e38, -0.0, 1 / 3]], np.float32)
    other = Outputs(**{**vars(OUTPUTS), "layers": {"embeddings": values}, "vocabulary": None})
    write_outputs(other, ref, overwrite=True)

    assert read_outputs(ref, "BERT").layers["embeddings"].tobytes() == values.tobytes()


def test_the_outputs_of_another_model_are_of_another_kind(ref):
    with pytest.raises(WrongFileKindError, match="not expected outputs of the ELMo: those of another model"):
        read_outputs(ref, "ELMo")


ROW = [0.0] * N_PROJECTIONS
BAD = {
    "no layers": ({"layers": {}}, "layers"),
    "a layer of no rows": ({"layers": {"x": []}}, "layers.x"),
    "too many rows": ({"layers": {"x": [ROW] * (MAX_VECTORS + 1)}}, "layers.x"),
    "a short row": ({"layers": {"x": [ROW[1:]]}}, "layers.x"),
    "a text": ({"layers": {"x": [["1"] * N_PROJECTIONS]}}, "layers.x"),
    "a bool": ({"layers": {"x": [[True] * N_PROJECTIONS]}}, "layers.x"),
    "more than float32": ({"layers": {"x": [[1e39, 0, 0, 0]]}}, "layers.x"),
    "another schema": ({"schema": "safeload-expected-outputs/2"}, "schema"),
    "no inputs": ({"inputs": {"tokens": []}}, "inputs.tokens"),
    "an empty row": ({"inputs": {"tokens": [[]]}}, "inputs.tokens"),
    "many inputs": ({"inputs": {"tokens": [[1] * (MAX_VECTORS + 1)]}}, "inputs.tokens"),
    "no versions": ({"made_with": {}}, "made_with.versions"),
    "settings in settings": ({"settings": {"a": {}}}, "settings"),
    "half a vocabulary": ({"vocabulary": {"n_tokens": 1}}, "vocabulary"),
    "a digest that is none": ({"vocabulary": {"n_tokens": 1, "sha256": "x", "tokens": {}}}, "vocabulary"),
    "an id that is none": ({"vocabulary": {"n_tokens": 1, "sha256": "0" * 64, "tokens": {"a": "b"}}}, "vocabulary"),
    "layers as a list": ({"layers": [1]}, "layers"),
}


@pytest.mark.parametrize(("change", "key"), BAD.values(), ids=BAD)
def test_a_bad_key_is_named(change, key, ref):
    path = ref.path
    with open(path, encoding="utf-8") as file:
        raw = json.load(file)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**raw, **change}, file)
    with pytest.raises(ConfigError) as caught:
        read_outputs(ref, "BERT")
    assert [problem.key for problem in caught.value.problems] == [key]
    assert "safeload outputs FOLDER --save FILE" in caught.value.hints[0]


def test_what_is_missing_is_listed_at_once(ref):
    with open(ref.path, "w", encoding="utf-8") as file:
        file.write("{}")
    with pytest.raises(ConfigError) as caught:
        read_outputs(ref, "BERT")
    assert len(caught.value.problems) == 6


def test_a_number_that_is_infinite_is_refused(ref):
    with open(ref.path, encoding="utf-8") as file:
        text = file.read()
    row = text.index("[", text.index("embeddings") + 14)
    with open(ref.path, "w", encoding="utf-8") as file:
        file.write(f"{text[: row + 1]}1e999, {text[row + 1 :].partition(', ')[2]}")
    with pytest.raises(ConfigError):
        read_outputs(ref, "BERT")


def test_a_device_is_not_read():
    with pytest.raises(UnsafeFileError):
        read_outputs(outputs_ref("/dev/zero", "file"), "BERT")
