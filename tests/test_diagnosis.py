"""What a diagnosis concludes from what fails and what differs."""

from __future__ import annotations

from itertools import combinations

import pytest

from safeload._diagnosis import Difference, Step, Subject, Way, judge

WAYS = (
    Way("theirs", "their loader", "keras-bert"),
    Way("direct", "a reader", "tensorflow", "variable"),
    Way("ours", "safeload's load", "safeload"),
    Way("ours again", "safeload's other load", "safeload"),
)
SUBJECT = Subject(call="load_bert", packages="packages", ways=WAYS, library="Keras-BERT", config_word="config")


def judged(statuses, groups):
    """Judge loads, one letter each: `statuses` "o", "f" or "s", the same letter in `groups` where they agree."""
    words = {"o": "ok", "f": "failed", "s": "skipped"}
    named = dict(zip(SUBJECT.titles, "oo" + statuses, strict=True))
    steps = [Step(name=name, title=name, status=words[each], finding=f"[{name}]") for name, each in named.items()]
    loaded = [(way.name, group) for way, status, group in zip(WAYS, statuses, groups, strict=True) if status == "o"]
    differences = [
        Difference(between=(one, two), variable="x", max_abs=1.0)
        for (one, a), (two, b) in combinations(loaded, 2)
        if a != b
    ]
    return judge(SUBJECT, steps, differences)


@pytest.mark.parametrize(
    ("statuses", "groups", "at_fault"),
    [
        ("oooo", "aaaa", "nothing"),
        ("ssoo", "aaaa", "nothing"),
        ("ooos", "baaa", "keras-bert"),
        ("fooo", "aaaa", "keras-bert"),
        ("ooos", "abaa", "tensorflow"),
        ("soos", "aaaa", "nothing"),
        ("sfos", "aaaa", "tensorflow"),
        ("sofs", "aaaa", "safeload"),
        ("ssfs", "aaaa", "safeload"),
        ("oooo", "aabb", "safeload"),
        ("oooo", "aaba", "safeload"),
        ("ooof", "aaaa", "safeload"),
        ("sooo", "aaba", "safeload"),
        ("soos", "aaba", "unknown"),
        ("sooo", "aabb", "unknown"),
        ("oooo", "abca", "unknown"),
        ("ffoo", "aaaa", "unknown"),
        ("ffff", "aaaa", "unknown"),
        ("ssss", "aaaa", "unknown"),
    ],
)
def test_who_is_at_fault(statuses, groups, at_fault):
    assert judged(statuses, groups)[0] == at_fault


@pytest.mark.parametrize(
    ("statuses", "groups", "told"),
    [
        ("oooo", "aaaa", "the files, the versions and Keras-BERT agree on every variable and output"),
        ("sooo", "aaaa", "and agrees with a reader on every variable; not compared with their loader ([theirs])"),
        ("ssoo", "aaaa", "not compared with their loader ([theirs]) and a reader ([direct])"),
        (
            "ooos",
            "baaa",
            "Keras-BERT is at fault: their loader differs in x, and the two others agree; safeload.load_bert",
        ),
        ("ooof", "aaaa", "safeload's other load fails ([ours again]), and the others agree; please report it"),
        (
            "oooo",
            "aabb",
            "safeload's load differs in x and safeload's other load differs in x, and the two others agree",
        ),
        ("ssfs", "aaaa", "safeload is at fault: safeload's load fails ([ours]); please report it"),
        ("soos", "abca", "no two loads agree: a reader differs in x; safeload's load differs in x"),
        (
            "sooo",
            "aabb",
            "the loads disagree: a reader differs in x; safeload's load differs in x; safeload's other load",
        ),
    ],
)
def test_the_verdict_has_its_reason(statuses, groups, told):
    assert told in judged(statuses, groups)[1]


def test_ways_of_one_party_that_contradict_each_other_alone_are_its_fault():
    steps = [Step(name=name, title=name, status="ok", finding="") for name in SUBJECT.titles]
    steps[2] = Step(name="theirs", title="theirs", status="skipped", finding="")
    differences = [Difference(between=("ours", "ours again"), variable="output 0", max_abs=1.0)]

    at_fault, verdict = judge(SUBJECT, steps, differences)
    assert at_fault == "safeload"
    assert (
        "safeload's load differs in output 0 and safeload's other load differs in output 0; please report it" in verdict
    )


@pytest.mark.parametrize(
    ("unproven", "told"),
    [
        ((), "no loader can prove how"),
        (("a",), "no loader can prove a of the config, nor how"),
        (("a", "b", "c"), "no loader can prove a, b and c of the config, nor how"),
    ],
)
def test_what_no_file_proves_is_said(unproven, told):
    steps = [Step(name=name, title=name, status="ok", finding="") for name in SUBJECT.titles]

    assert told in judge(SUBJECT, steps, [], unproven)[1]
