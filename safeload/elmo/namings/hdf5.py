"""Match the names in AllenNLP's HDF5 files, such as `RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0`.

bilm-tf's `dump_weights` writes these names. They are also the canonical names of the parameters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from safeload._naming import TRAINING, Naming

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from safeload.report import TensorSpec

_TRAINING = ("softmax", "global_step")
_TOP = {"CNN", "CNN_proj", "RNN_0", "RNN_1", "char_embed"}


class Hdf5(Naming):
    """The names in AllenNLP's HDF5 files."""

    id = "hdf5"

    def scopes(self, names: Collection[str]) -> list[str]:
        """Return `[""]` if a dataset belongs to a biLM; these files have no scopes."""
        return [""] if any(name.split("/", 1)[0] in _TOP for name in names) else []

    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a dataset that a load does not read; those of training's softmax and steps are known."""
        del spec, scope
        return TRAINING if name.split("/", 1)[0] in _TRAINING else ""


def count_numbered(names: Iterable[str], pattern: str) -> int:
    """Return 1 more than the largest number that `pattern` captures with `NUMBER`, 0 without a match."""
    return max((int(match[1]) + 1 for name in names if (match := re.match(pattern, name))), default=0)
