"""Match the names in Google's checkpoints, such as `bert/encoder/layer_0/attention/self/query/kernel`.

These are also the canonical names of the parameters; in a file, a scope may precede them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from safeload._compare import Naming
from safeload.bert._parameters import FIRST_VARIABLE, POSITIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_UNUSED = (
    ("optimizer slots", re.compile(r".*/(adam_[mv]|Adam(_1)?|LAMB(_1)?|lamb_[mv]|Momentum|Adagrad|Ftrl(_1)?)$")),
    ("optimizer state", re.compile(r"(beta[12]_power|.*/loss_scale|loss_scale|current_loss_scale|good_steps)(:0)?$")),
    ("steps", re.compile(r"(.*/)?global_step$")),
    ("pooler", re.compile(r"bert/pooler/dense/(kernel|bias)$")),
    ("heads", re.compile(r"cls/(predictions|seq_relationship)/.*")),
)


class Google(Naming):
    """The names in Google's checkpoints."""

    id = "google"

    def scopes(self, names: Collection[str]) -> list[str]:
        """Return the scopes before `bert/`: `[""]` as published, `["module/"]` in a TF-Hub export."""
        return sorted({name.removesuffix(FIRST_VARIABLE) for name in names if name.endswith(FIRST_VARIABLE)})

    def sort_unused(self, names: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
        """Sort the variables that a load will not read.

        Returns:
            Class -> names of the variables that belong to BERT, its training or a task on top of it; and the unexpected
            names: encoder layers beyond the config, and unknown names under `bert/`.
        """
        unused: dict[str, list[str]] = {}
        unexpected = []
        for name in names:
            known = next((what for what, pattern in _UNUSED if pattern.match(name)), None)
            if known is None and name.startswith("bert/"):
                unexpected.append(name)
            else:
                unused.setdefault(known or "task heads", []).append(name)
        return unused, unexpected


def lacks_positions(names: Collection[str], scope: str) -> bool:
    """Return whether only the table of absolute positions is missing, as in NEZHA."""
    return (
        scope + FIRST_VARIABLE in names
        and scope + POSITIONS not in names
        and any(name.startswith(scope + "bert/encoder/layer_0/") for name in names)
    )
