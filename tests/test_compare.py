"""Expected against found, without any file."""

from __future__ import annotations

import pytest

from safeload._compare import compare, matched, size_claims, split_ignored
from safeload.report import TensorSpec


def spec(name, shape, dtype="float32", keys=()):
    # new objects each time: what is equal need not be the same object
    return TensorSpec(name=name, shape=tuple(int(str(size)) for size in shape), dtype="".join([*dtype]), size_keys=keys)


def specs(*rows):
    return {row.name: row for row in rows}


def test_equal_sides_have_no_problem():
    both = specs(spec("a", (2,)), spec("b", ()))
    assert compare(both, both) == []


def test_each_difference_is_told_once_in_order():
    expected = specs(
        spec("gone", (1,)),
        spec("shaped", (2, 3)),
        spec("typed", (4,)),
        spec("both", (5,)),
        spec("same", (600,)),
        spec("smaller", (9, 9)),
        spec("short", (4,), "float64"),
        spec("also", (700, 800)),
    )
    found = specs(
        spec("shaped", (3, 2)),
        spec("typed", (4,), "int64"),
        spec("both", (6,), "int64"),
        spec("same", (600,)),
        spec("smaller", (9, 8)),
        spec("short", (4,)),
        spec("also", (700, 800)),
        spec("extra", ()),
    )
    problems = compare(expected, found, unexpected=["extra"])

    assert [(each.kind, each.name) for each in problems] == [
        ("missing", "gone"),
        ("shape", "shaped"),
        ("shape", "both"),
        ("shape", "smaller"),
        ("dtype", "typed"),
        ("dtype", "short"),
        ("unexpected", "extra"),
    ]
    sides = [(each.expected is None, each.found is None) for each in problems]
    assert sides == [(False, True), *[(False, False)] * 5, (True, False)]
    assert problems[1].expected == expected["shaped"]
    assert problems[1].found == found["shaped"]
    assert problems[4].found == found["typed"]
    assert matched(problems, expected, "variables") == (
        "2 of 8 variables match, 1 missing, 1 unexpected, 3 wrong shape, 2 wrong dtype"
    )


def test_what_is_found_and_not_named_as_unexpected_is_no_problem():
    assert compare(specs(spec("a", ())), specs(spec("a", ()), spec("b", ()))) == []


def test_patterns_split_names():
    names = ["bert/layer_1/w", "bert/layer_2/w", "BERT/layer_1/w", "task"]
    assert split_ignored(names, ["bert/layer_*", "nothing"]) == (names[:2], names[2:])
    assert split_ignored(names, []) == ([], names)


def test_a_size_that_the_file_contradicts_everywhere_is_a_claim():
    expected = specs(
        spec("absent", (9,), keys=("other",)),
        spec("words", (30, 16), keys=("vocab", "hidden")),
        spec("bias", (16,), keys=("hidden",)),
        spec("cell", (16, 64), keys=("hidden", "4*cell")),
        spec("gone", (9,), keys=("other",)),
    )
    found = specs(spec("words", (31, 8)), spec("bias", (8,)), spec("cell", (8, 48)))

    claims = size_claims(expected, found)
    assert claims == {"vocab": (30, 31), "hidden": (16, 8), "cell": (16, 12)}
    assert {type(size) for pair in claims.values() for size in pair} == {int}


def test_a_size_that_the_file_confirms_somewhere_is_none():
    expected = specs(spec("a", (16,), keys=("hidden",)), spec("b", (16,), keys=("hidden",)))
    assert size_claims(expected, specs(spec("a", (8,)), spec("b", (16,)))) == {}
    large = specs(spec("a", (1600,), keys=("hidden",)), spec("b", (1600,), keys=("hidden",)))
    assert size_claims(large, specs(spec("a", (800,)), spec("b", (1600,)))) == {}


def test_the_size_that_most_tensors_have_is_claimed():
    expected = specs(*(spec(name, (16,), keys=("hidden",)) for name in "abc"))
    assert size_claims(expected, specs(spec("a", (8,)), spec("b", (9,)), spec("c", (9,)))) == {"hidden": (16, 9)}


def test_other_ranks_constants_and_odd_multiples_claim_nothing():
    expected = specs(
        spec("rank", (16,), keys=("hidden",)),
        spec("less", (4, 4), keys=("hidden", "hidden")),
        spec("constant", (2,), keys=("",)),
        spec("odd", (64,), keys=("4*cell",)),
    )
    assert (
        size_claims(
            expected, specs(spec("rank", (8, 1)), spec("less", (8,)), spec("constant", (3,)), spec("odd", (50,)))
        )
        == {}
    )


def test_counts_add_up():
    expected = specs(*(spec(name, (1,)) for name in "abcdefghij"))
    found = {name: spec(name, (1,), "int64" if name == "b" else "float32") for name in "bcdefghij"}
    assert matched(compare(expected, found), expected, "datasets") == (
        "8 of 10 datasets match, 1 missing, 1 wrong dtype"
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_a_float_that_becomes_float32_is_no_problem(dtype):
    expected = specs(spec("a", (2,)), spec("b", (2,), "int32"))

    assert compare(expected, specs(spec("a", (2,), dtype), spec("b", (2,), "int32")), widened=[dtype]) == []
    assert [
        each.name for each in compare(expected, specs(spec("a", (2,), dtype), spec("b", (2,), dtype)), widened=[dtype])
    ] == ["b"]
