"""How far the layers of two models are apart."""

from __future__ import annotations

import json

import numpy as np
import pytest

from safeload._diagnosis import Diagnosis
from safeload._layers import BOUND, LayerDifference, compare_layers, table

ONE = np.array([[1, 2], [3, 4]], np.float32)


def test_the_largest_difference_of_each_layer_is_found_in_the_order_of_the_model():
    far = ONE.copy()
    far[1, 0] -= 0.5
    found = compare_layers({"a": {"x": ONE, "c": ONE, "b": ONE}, "b": {"x": ONE, "b": far, "c": ONE}})

    assert [(each.layer, each.max_abs, each.only_in) for each in found] == [("x", 0, ""), ("c", 0, ""), ("b", 0.5, "")]
    assert [each.is_beyond(BOUND) for each in found] == [False, False, True]


def test_what_one_model_alone_has_is_no_difference():
    found = compare_layers({"a": {"x": ONE, "y": ONE}, "b": {"z": ONE, "x": ONE}})

    assert [(each.layer, each.max_abs, each.only_in) for each in found] == [
        ("x", 0, ""),
        ("y", None, "a"),
        ("z", None, "b"),
    ]
    assert not any(each.is_beyond(BOUND) for each in found)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("both", [True, False])
def test_what_is_not_finite_is_a_difference_even_if_both_have_it(value, both):
    bad = np.array([[1, value], [3, 4]], np.float32)
    (found,) = compare_layers({"a": {"x": bad}, "b": {"x": bad if both else ONE}})

    assert found.max_abs is None
    assert found.is_beyond(BOUND)


def test_another_shape_is_a_difference():
    (found,) = compare_layers({"a": {"x": ONE}, "b": {"x": ONE[:1]}})

    assert found.is_beyond(BOUND)


def test_the_bound_itself_is_equal():
    assert not LayerDifference(layer="x", max_abs=BOUND).is_beyond(BOUND)
    assert LayerDifference(layer="x", max_abs=BOUND * 1.01).is_beyond(BOUND)


LAYERS = (
    LayerDifference(layer="embeddings", max_abs=0.0),
    LayerDifference(layer="layer 0", max_abs=1.25e-7),
    LayerDifference(layer="layer 1", max_abs=0.5),
    LayerDifference(layer="pooler", max_abs=None),
    LayerDifference(layer="mlm", max_abs=None, only_in="keras-bert"),
)
TABLE = [
    "layer       largest difference",
    "embeddings  0",
    "layer 0     1.25e-07",
    "layer 1     0.5, beyond 0.0001",
    "pooler      differs in shape, or is not finite",
    "mlm         not compared: only keras-bert computes it",
]


def test_the_table_has_a_line_for_each_layer():
    assert table(LAYERS, BOUND) == TABLE
    assert table((), BOUND) == []


def test_a_diagnosis_has_the_table_and_the_notes():
    found = Diagnosis(
        at_fault="unknown", verdict="they differ", steps=(), layers=LAYERS, bound=BOUND, notes=("GELU differs",)
    )

    assert str(found).splitlines() == ["they differ", *(f"  {line}" for line in TABLE), "  note    GELU differs"]
    kept = json.loads(json.dumps(found.to_dict()))
    assert kept["layers"][2] == {"layer": "layer 1", "max_abs": 0.5, "only_in": ""}
    assert (kept["bound"], kept["notes"]) == (BOUND, ["GELU differs"])
