"""An error's text and facts: what is printed, what is carried, and what survives another process."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from safeload import errors
from safeload.errors import ArgumentError, ConfigError, CorruptFileError, MissingFileError, SafeLoadError
from safeload.report import KeyProblem

CLASSES = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, SafeLoadError)]


def test_every_row_of_a_message_is_aligned():
    error = SafeLoadError(
        "it failed",
        resolved="/a/b",
        given="b",
        label="config",
        context=[("real path", "/c")],
        details=["ROW 1"],
        hints=["do this", "or that"],
    )

    assert str(error) == (
        "it failed\n  config:    /a/b\n  given:     'b'\n  real path: /c\n  ROW 1\n  hint:      do this\n  hint:      or that"
    )


@pytest.mark.parametrize("given", ["/a/b", Path("/a/b"), None])
def test_what_was_given_is_left_out_where_it_is_the_path(given):
    assert str(SafeLoadError("m", resolved="/a/b", given=given)) == "m\n  path: /a/b"


def test_a_name_forges_no_line_and_no_colour():
    error = SafeLoadError("a\nb", resolved="/x\n  hint: y", hints=["\x1b[31mred\u202e"])

    assert str(error).splitlines() == ["a\\nb", "  path: /x\\n  hint: y", "  hint: \\x1b[31mred\\u202e"]


def test_an_attribute_is_declared_and_others_are_refused():
    error = CorruptFileError("m", variables=["a", "b"])

    assert (error.variables, error.offset) == (("a", "b"), None)
    with pytest.raises(TypeError, match="CorruptFileError has no argument"):
        CorruptFileError("m", argument="x")
    with pytest.raises(AttributeError):
        ArgumentError("m")  # its attribute has no default


FACTS = {
    "argument": "seq_len", "wanted": "a", "found": "b", "candidates": ["/a", "/b"], "report": None, "package": "p",
    "python": "3",
}  # fmt: skip


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_is_the_same_in_another_process(cls):
    facts = {name: FACTS[name] for name in cls._declared() if not hasattr(cls, name)}
    error = cls("m", resolved="/a", given=Path("a"), context=[("b", "c")], hints=["d"], **facts)
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is cls
    assert (str(again), again.args, vars(again)) == (str(error), ("m",), vars(error))


def test_the_facts_are_plain_and_hold_every_problem():
    problems = [KeyProblem(key=f"k{number}", problem="missing") for number in range(12)]
    error = ConfigError("m", problems=problems, resolved="/a", given=Path("a"), context=[("b", "c")])
    found = json.loads(json.dumps(error.to_dict()))

    assert found == {
        "type": "ConfigError", "message": "m", "text": str(error), "label": "path", "resolved": "/a", "given": "a",
        "context": {"b": "c"}, "details": [], "hints": [], "problems": [str(problem) for problem in problems],
    }  # fmt: skip
    assert MissingFileError("m", details=["x"]).to_dict()["problems"] == ["x"]
    assert MissingFileError("m").to_dict()["given"] is None
