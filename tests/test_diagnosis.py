"""What a diagnosis concludes from what fails and what differs."""

from __future__ import annotations

from itertools import combinations

import pytest

from safeload._diagnosis import MAX_PRINTED, Diagnosis, Difference, Step, Subject, Way, judge
from safeload.errors import ArgumentError

WAYS = (
    Way("theirs", "their loader", "keras-bert"),
    Way("direct", "a reader", "tensorflow", "variable"),
    Way("ours", "safeload's load", "safeload"),
    Way("ours again", "safeload's other load", "safeload"),
)
SUBJECT = Subject(call="load_bert", packages="packages", ways=WAYS, library="Keras-BERT", config_word="config")


def judged(statuses, groups, first="oo"):
    """Judge loads, one letter each: `statuses` "o", "f" or "s", the same letter in `groups` where they agree.

    `first` are the statuses of the check and of the packages.
    """
    words = {"o": "ok", "f": "failed", "s": "skipped"}
    named = dict(zip(SUBJECT.titles, first + statuses, strict=True))
    steps = [Step(name=name, title=name, status=words[each], finding=f"[{name}]") for name, each in named.items()]
    loaded = [(way.name, group) for way, status, group in zip(WAYS, statuses, groups, strict=True) if status == "o"]
    differences = [
        Difference(between=(one, two), variable="x", max_abs=1.0)
        for (one, a), (two, b) in combinations(loaded, 2)
        if a != b
    ]
    return judge(SUBJECT, steps, differences)


@pytest.mark.parametrize(
    ("first", "statuses", "verdict"),
    [
        ("fo", "offf", ("files", "the files are at fault: [check]; Keras-BERT loads them without an error")),
        ("ff", "ssss", ("files", "the files are at fault: [check]")),
        ("of", "ssss", ("versions", "the files are good and the versions are at fault: [backend]")),
    ],
)
def test_files_and_versions_come_first(first, statuses, verdict):
    assert judged(statuses, "aaaa", first) == verdict


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
        ("ssoo", "aaab", "safeload"),
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
        ("ooos", "abaa", "tensorflow is at fault: a reader differs in x, and the two others agree"),
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


def test_a_verdict_names_one_variable_and_counts_the_others():
    steps = [Step(name=name, title=name, status="ok", finding="") for name in SUBJECT.titles]
    differences = [Difference(between=("theirs", "ours"), variable=name, max_abs=1.0) for name in "zyx"]

    assert "differs in x and 2 more" in judge(SUBJECT, steps, differences)[1]


def test_the_text_has_each_error_once_and_the_first_differences():
    error = ArgumentError("bad", argument="x", hints=["change it"])
    failed = {"status": "failed", "finding": "bad", "error": str(error), "raised": error}
    found = Diagnosis(
        at_fault="files",
        verdict="files",
        steps=(
            Step(name="check", title="the check", seconds=1.234, **failed),
            Step(name="ours", title="the load", **failed),
            Step(name="direct", title="a reader", status="ok", finding="all"),
        ),
        differences=tuple(
            Difference(between=("a", "b"), variable=f"v{n}", max_abs=0.5) for n in range(MAX_PRINTED + 2)
        ),
    )

    assert str(found).splitlines() == [
        "files",
        "  failed  the check: bad (1.23 s)",
        "            hint: change it",
        "  failed  the load: bad (0.00 s)",
        "  ok      a reader: all (0.00 s)",
        *(f"  differs v{n}: a and b, by up to 0.5" for n in range(10)),
        "  ... and 2 more in diagnosis.differences",
    ]
    assert found.text("with --json").endswith("... and 2 more with --json")
    direct = {"name": "direct", "title": "a reader", "status": "ok", "finding": "all"}
    assert found.to_dict()["steps"][2] == {**direct, "seconds": 0.0, "error": "", "problems": []}


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
