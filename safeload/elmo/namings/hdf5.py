"""Match the names in AllenNLP's HDF5 files, such as `RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0`.

bilm-tf's `dump_weights` writes these names. They are also the canonical names of the parameters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from safeload._compare import Naming

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_TRAINING = ("softmax", "global_step")
_TOP = {"CNN", "CNN_proj", "RNN_0", "RNN_1", "char_embed"}


class Hdf5(Naming):
    """The names in AllenNLP's HDF5 files."""

    id = "hdf5"

    def scopes(self, names: Collection[str]) -> list[str]:
        """Return `[""]` if a dataset belongs to a biLM; these files have no scopes."""
        return [""] if any(name.split("/", 1)[0] in _TOP for name in names) else []

    def sort_unused(self, names: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
        """Sort the datasets that a load will not read: class -> names that only training needs, and the unexpected names."""
        training: list[str] = []
        unexpected: list[str] = []
        for name in names:
            (training if name.split("/", 1)[0] in _TRAINING else unexpected).append(name)
        return ({"training": training} if training else {}), unexpected


def count_numbered(names: Iterable[str], pattern: str) -> int:
    """Return 1 more than the largest number that `pattern` captures, 0 without a match."""
    return max((int(match[1]) + 1 for name in names if (match := re.match(pattern, name))), default=0)
