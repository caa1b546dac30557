"""Match the names in Google's checkpoints, such as `bert/encoder/layer_0/attention/self/query/kernel`.

These are also the canonical names of the parameters. In a file another scope may stand in place of `bert/`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from safeload._naming import BUFFERS, OTHER, TASK, TRAINING, Buffer, Change, Naming
from safeload.bert._parameters import FIRST_VARIABLE, POSITIONS

if TYPE_CHECKING:
    from collections.abc import Collection

    from safeload.report import TensorSpec

SCOPE = "bert/"
_FIRST, _POSITIONS = FIRST_VARIABLE.removeprefix(SCOPE), POSITIONS.removeprefix(SCOPE)
_STATE = re.compile(r"(.*/)?(global_step|beta[12]_power|(current_)?loss_scale|good_steps)(:0)?")
_POOLER = re.compile(r"bert/pooler/dense/(kernel|bias)")
_HEADS = re.compile(r"cls/(predictions|seq_relationship)/")
_BUFFERS = {
    buffer.name: buffer
    for buffer in (
        Buffer("bert/embeddings/position_ids", "positions"),
        Buffer("bert/embeddings/token_type_ids", "zeros"),
    )
}
_IN_ENCODER = re.compile(r"(.*/)?(embeddings|encoder|pooler)/")


class Google(Naming):
    """The names in Google's checkpoints."""

    id = "google"
    usual_scope = SCOPE

    def scopes(self, names: Collection[str]) -> list[str]:
        """Return the prefix of `embeddings/`: `["bert/"]` as published, `["module/bert/"]` in a TF-Hub export."""
        return sorted({name.removesuffix(_FIRST) for name in names if name == _FIRST or name.endswith(f"/{_FIRST}")})

    def stored_as(self, parameter: str, scope: str, names: Collection[str] = ()) -> tuple[str, Change]:
        """Return the name of a parameter in the file; the heads stand beside the encoder's scope."""
        del names
        if parameter.startswith(SCOPE):
            return scope + parameter.removeprefix(SCOPE), "same"
        return _beside(scope) + parameter, "same"

    def canonical(self, name: str, scope: str) -> str:
        """Return a stored name with `bert/` in place of the scope; names of another encoder keep theirs."""
        if _is_inside(name, scope):
            return SCOPE + name.removeprefix(scope)
        return name if _IN_ENCODER.match(name) else name.removeprefix(_beside(scope))

    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a variable that a load does not read.

        Unexpected are encoder layers beyond the config, and unknown names in the encoder.
        """
        inner = self.canonical(name, scope)
        if _STATE.fullmatch(inner) and len(spec.shape) <= 1:
            return TRAINING
        if _is_inside(name, scope):
            return BUFFERS if inner in _BUFFERS else "pooler" if _POOLER.fullmatch(inner) else ""
        if _IN_ENCODER.match(name):
            return OTHER
        return "heads" if _HEADS.match(inner) else TRAINING if spec.shape == () else TASK

    def buffer_of(self, name: str) -> Buffer | None:
        """Return the buffer with a name: those of the embeddings, which some converters store as integers."""
        return buffer_named(name)


def buffer_named(name: str) -> Buffer | None:
    """Return the buffer with a name; None if there is none."""
    return _BUFFERS.get(name)


def _is_inside(name: str, scope: str) -> bool:
    return name.startswith(scope or ("embeddings/", "encoder/", "pooler/"))


def _beside(scope: str) -> str:
    """Return the scope that contains the encoder's."""
    return scope[: scope.rstrip("/").rfind("/") + 1]
