"""Choose the scope of the model to load, among those under which a file contains one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._arguments import as_python, bad_argument
from safeload.errors import AmbiguousCheckpointError, ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Scoped(NamedTuple):
    """What is under a scope, for messages.

    Attributes:
        noun: "encoder" or "biLM".
        first: What follows the scope in a name.
        usual: The scope that is chosen of several, without its separator; "" for none.
        ends: Ends of a scope that may be left out, the longest first.
    """

    noun: str
    first: str
    usual: str = ""
    ends: tuple[str, ...] = ()


def chosen_scope(
    scopes: Sequence[str], wanted: object, what: Scoped, *, title: str, facts: Mapping[str, Any]
) -> str | None:
    """Return the scope to load; None if there is none. A final separator of `wanted`, or one of the ends, may be left out.

    Messages call the file by its `title`, "checkpoint" or "weight file".

    Raises:
        ArgumentError: The file has nothing under the scope that was passed.
        AmbiguousCheckpointError: There are several scopes, and none of them was passed or is the usual one.
    """
    shown = _shortened(scopes, what)
    listed = ", ".join(map(repr, shown)) or "none"
    wanted = as_python(wanted)
    if wanted is not None:
        if not isinstance(wanted, str):
            raise bad_argument("scope", wanted, "a str", [f"pass the text before {what.first} in the names"])
        fitting = [scope for scope in scopes if wanted in _accepted(scope, what)]
        if not fitting:
            message = f"the {title} has no {what.noun} under the scope {wanted!r}"
            hints = [f"the scopes of its {what.noun}s are {listed}"]
            raise ArgumentError(message, argument="scope", **{**facts, "given": wanted}, hints=hints)
        return fitting[0]
    usual = next((scope for scope in scopes if what.usual and scope.rstrip("/.") == what.usual), None)
    if len(scopes) > 1 and usual is None:
        message = f"the {title} has {len(scopes)} {what.noun}s"
        hints = [f"pass scope, one of: {listed}"]
        raise AmbiguousCheckpointError(message, candidates=shown, **facts, hints=hints)
    return usual or (scopes[0] if scopes else None)


def _accepted(scope: str, what: Scoped) -> set[str]:
    """Return what names a scope."""
    whole = {scope, *(scope.removesuffix(end) for end in what.ends)}
    return whole | {each.rstrip("/.") for each in whole}


def _shortened(scopes: Sequence[str], what: Scoped) -> list[str]:
    """Return the scopes as messages list them: the shortest text that names each, if these differ."""
    short = [min(_accepted(scope, what), key=len) if scope.endswith(what.ends) else scope for scope in scopes]
    return short if len({*short}) == len(scopes) else [*scopes]
