"""Choose the scope of the model to load, among those under which a file contains one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._arguments import as_python, bad_argument
from safeload.errors import AmbiguousCheckpointError, ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Scoped(NamedTuple):
    """What stands under a scope, for messages.

    Attributes:
        noun: "encoder" or "biLM".
        first: What follows the scope in a name.
        usual: The scope that is chosen of several, without its separator; "" for none.
    """

    noun: str
    first: str
    usual: str = ""


def chosen_scope(
    scopes: Sequence[str], wanted: object, what: Scoped, *, title: str, facts: Mapping[str, Any]
) -> str | None:
    """Return the scope to load; None if there is none. A final separator of `wanted` may be left out.

    Messages call the file by its `title`, "checkpoint" or "weight file".

    Raises:
        ArgumentError: The file has nothing under the scope that was passed.
        AmbiguousCheckpointError: There are several scopes, and none of them was passed or is the usual one.
    """
    listed = ", ".join(map(repr, scopes)) or "none"
    wanted = as_python(wanted)
    if wanted is not None:
        if not isinstance(wanted, str):
            raise bad_argument("scope", wanted, "a str", [f"pass what stands before {what.first} in the names"])
        fitting = [scope for scope in scopes if wanted in (scope, scope.rstrip("/."))]
        if not fitting:
            message = f"the {title} has no {what.noun} under the scope {wanted!r}"
            hints = [f"the scopes of its {what.noun}s are {listed}"]
            raise ArgumentError(message, argument="scope", **{**facts, "given": wanted}, hints=hints)
        return fitting[0]
    usual = next((scope for scope in scopes if what.usual and scope.rstrip("/.") == what.usual), None)
    if len(scopes) > 1 and usual is None:
        message = f"the {title} has {len(scopes)} {what.noun}s"
        hints = [f"pass scope, one of: {listed}"]
        raise AmbiguousCheckpointError(message, candidates=list(scopes), **facts, hints=hints)
    return usual or (scopes[0] if scopes else None)
