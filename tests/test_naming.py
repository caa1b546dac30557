"""Which stored tensor is which parameter, and what the others are."""

from __future__ import annotations

from safeload._naming import Naming
from tests.test_compare import spec, specs


class Plain(Naming):
    id = "plain"

    def scopes(self, names):
        raise NotImplementedError

    def class_of(self, *_):
        return ""


class Turned(Plain):
    def stored_as(self, parameter, scope, names=()):  # noqa: ARG002
        return f"{scope}{parameter}.t", "transposed"


def test_a_name_outside_the_scope_is_no_parameter():
    stored = specs(spec("in/a", (2,)), spec("b", (3,)), spec("in/c", (4,)))
    match, found = Plain().match(specs(spec("a", (2,)), spec("b", (3,))), stored, "in/")

    assert match.stored == {"a": "in/a", "b": "in/b"}
    assert set(found) == {"a", "c"}
    assert match.unexpected == ("c",)


def test_a_transposed_parameter_is_compared_and_returned_turned():
    match, found = Turned().match(specs(spec("a", (2, 3))), specs(spec("in/a.t", (3, 2)), spec("in/a", (2, 3))), "in/")

    assert found["a"].shape == (2, 3)
    assert (match.stored["a"], match.changes["a"]) == ("in/a.t", "transposed")
    assert match.unexpected == ()
