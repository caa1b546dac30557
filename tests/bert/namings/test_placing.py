"""Layers of a model among groups that are numbered by class."""

from __future__ import annotations

import pytest

from safeload.bert.namings._placing import Group, Layer, find_places, groups_by_word, word_of, words_in
from safeload.report import TensorSpec

A, B = ((2,), (2,)), ((3,),)
LAYERS = [Layer("x", "One", A), Layer("x_1", "Two", A)]
PROVEN = [
    ("in order", [("x", None, A), ("x_1", None, A)], {}),
    ("a layer before", [("x", None, B), ("x_1", None, A), ("x_2", None, A)], {"x": "x_1", "x_1": "x_2"}),
    ("a layer between", [("x", None, A), ("x_1", None, B), ("x_2", None, A)], {"x_1": "x_2"}),
    ("names", [("x", "Mine", A), ("x_1", "One", A), ("x_2", "Two", A)], {"x": "x_1", "x_1": "x_2"}),
    ("names of the model alone", [("x", "Two", A), ("x_1", "One", A)], {}),
    ("names in another order", [("x", "Two", A), ("x_1", "One", A), ("x_2", "Mine", A)], {}),
    ("a name twice", [("x", "Mine", A), ("x_1", "One", A), ("x_2", "One", A)], {}),
    ("one layer", [("x_1", None, A)], {}),
]


@pytest.mark.parametrize(("groups", "moved"), [row[1:] for row in PROVEN], ids=[row[0] for row in PROVEN])
def test_layers_of_a_chain_are_found_by_names_or_shapes(groups, moved):
    found = find_places(LAYERS, [Group(*group) for group in groups], is_chain=True, is_whole=False)

    assert {group: name for group, name in found.moved.items() if group != name} == moved
    assert found.unproven == {}


def test_more_layers_of_the_same_shapes_are_in_doubt():
    groups = [Group(name, None, A) for name in ("x", "x_1", "x_2")]
    found = find_places(LAYERS, groups, is_chain=True, is_whole=False)

    assert found.moved == {}
    assert found.unproven == {"x": ("x", "x_1", "x_2"), "x_1": ("x", "x_1", "x_2")}


def test_layers_in_no_chain_are_in_doubt_unless_there_are_no_others():
    groups = [Group("x", None, A), Group("x_1", None, A)]

    assert find_places(LAYERS, groups, is_chain=False, is_whole=True) == ({}, {})
    assert find_places(LAYERS, groups, is_chain=False, is_whole=False).unproven == dict.fromkeys(
        ("x", "x_1"), ("x", "x_1")
    )
    labelled = [Group("x", "Two", A), Group("x_1", "One", A), Group("x_2", "Mine", B)]
    assert find_places(LAYERS, labelled, is_chain=False, is_whole=False).moved == {"x": "x_1", "x_1": "x"}


def test_groups_are_in_the_order_of_their_numbers():
    names = [f"m/x{number}/vars/{at}" for number in ("_10", "_2", "") for at in range(12)]
    specs = {name: TensorSpec(name=name, shape=(int(name.rpartition("/")[2]),), dtype="float32") for name in names}
    others = {
        name: TensorSpec(name=name, shape=(1,), dtype="float32") for name in ("y/x/vars/0", "m/x/z/vars/0", "m/x/vars")
    }
    found = groups_by_word({**specs, **others}, "m/", {"m/x_2/vars": "Two"}.get)

    assert [(group.name, group.label) for group in found["x"]] == [("x", None), ("x_2", "Two"), ("x_10", None)]
    assert {group.shapes for group in found["x"]} == {tuple((at,) for at in range(12))}
    assert list(found) == ["x"]


@pytest.mark.parametrize(
    ("group", "word"),
    [("dense", "dense"), ("dense_12", "dense"), ("conv_1d", "conv_1d"), ("x_0", "x_0"), ("x_01", "x_01")],
)
def test_a_group_has_its_class(group, word):
    assert word_of(group) == word


def test_the_classes_below_a_scope_are_those_of_groups():
    assert words_in(["m", "m/x_1", "m/x_1/vars", "m/y", "z"], "m/") == {"x", "y"}
