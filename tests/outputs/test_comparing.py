"""What an error of the comparison says."""

from __future__ import annotations

import numpy as np
import pytest

from safeload._outputs.comparing import compare
from safeload._outputs.file import outputs_ref
from safeload._outputs.subject import Subject, outputs_of
from safeload.errors import OutputMismatchError

RANDOM = np.random.default_rng(0)
TABLES = {name: RANDOM.standard_normal((3, 4)).astype(np.float32) for name in ("embeddings", "layer 0", "head")}


def subject(*layers, settings=(), **changed):
    """Return a model that computes these tables."""
    computed = {name: TABLES[name] for name in layers} | changed
    return Subject(
        model="BERT",
        runtime="keras-bert",
        versions={"keras-bert": "0.89.0"},
        sizes={"hidden_size": 4},
        settings={"dtype": "float32", "eps": 1e-12, "clip": None, **dict(settings)},
        tokens={},
        inputs={"tokens": [[1, 2, 3]]},
        compute=lambda _, __: dict(computed),
        explains=lambda key, layer: key == "dtype" or layer != "embeddings",
        optional=("head",),
    )


EXPECTED = outputs_of(subject("embeddings", "layer 0"))


def mismatch(found, tmp_path):
    with pytest.raises(OutputMismatchError) as caught:
        compare(found, EXPECTED, outputs_ref(tmp_path / "x.json", "file"))
    return caught.value


def test_the_whole_message(tmp_path):
    found = subject("embeddings", "head", settings={"eps": 1e-5}, **{"layer 0": TABLES["layer 0"] * np.float32(1.5)})
    scale = float(np.sqrt(np.mean(TABLES["layer 0"] ** 2)))
    far = float(np.abs(TABLES["layer 0"]).max()) / 2 / scale

    assert str(mismatch(found, tmp_path)) == (
        "the BERT computes something else than expected, from layer 0 on: 1 of 2 layers differ by more than 5e-05\n"
        f"  outputs:  {tmp_path / 'x.json'}\n"
        "  expected: keras-bert, keras-bert 0.89.0\n"
        "  computed: keras-bert, keras-bert 0.89.0\n"
        "  cause:    eps is 1e-05; expected 1e-12\n"
        "  LAYER      layer 0\n"
        f"               differs by {far:.3g} of its size\n"
        "  hint:     if the change is intended, save the outputs again"
    )


def test_a_setting_that_became_none_or_some_is_a_cause(tmp_path):
    other = {"layer 0": -TABLES["layer 0"]}
    assert mismatch(subject("embeddings", settings={"clip": 3.0}, **other), tmp_path).causes == (
        "clip is 3; expected None",
    )


def test_a_setting_that_cannot_change_the_first_layer_is_none(tmp_path):
    other = {"embeddings": -TABLES["embeddings"]}
    error = mismatch(subject("layer 0", settings={"eps": 1e-5, "dtype": "bfloat16"}, **other), tmp_path)
    assert error.causes == ("dtype is bfloat16, half precision; expected float32",)


def test_exchanged_layers_are_a_cause(tmp_path):
    error = mismatch(subject(embeddings=TABLES["layer 0"], **{"layer 0": TABLES["embeddings"]}), tmp_path)
    assert error.first_layer == "embeddings"
    assert error.causes == ("embeddings gives what is expected of layer 0: layers or directions are exchanged",)


@pytest.mark.parametrize("other", [np.full((3, 4), np.nan, np.float32), np.zeros((2, 4), np.float32)])
def test_what_is_not_finite_or_of_another_shape_differs(other, tmp_path):
    error = mismatch(subject("embeddings", **{"layer 0": other}), tmp_path)
    assert dict(error.layers) == {"embeddings": 0.0, "layer 0": None}
    assert "not finite, or of another shape" in str(error)


def test_a_layer_that_must_be_there_differs(tmp_path):
    assert "only in the expected outputs" in str(mismatch(subject("embeddings"), tmp_path))
