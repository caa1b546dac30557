"""Match the names in bilm-tf's training checkpoints, such as `lm/RNN_0/rnn/multi_rnn_cell/cell_0/lstm_cell/kernel`.

Source:
    allenai/bilm-tf, bilm/training.py, train and LanguageModel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload._naming import TRAINING
from safeload.elmo.namings._cells import Cells

if TYPE_CHECKING:
    from safeload.report import TensorSpec


class BilmTf(Cells):
    """The names in bilm-tf's training checkpoints."""

    id = "bilm-tf"
    usual_scope = "lm/"
    has_others = True
    cell = "RNN_{direction}/rnn/multi_rnn_cell/cell_{layer}/lstm_cell"

    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a variable that a load does not read; the optimizer's slots are of training."""
        return TRAINING if name.endswith("/Adagrad") else super().class_of(name, spec, scope)


class BilmTfOneLayer(BilmTf):
    """The names in training checkpoints of a biLM of one layer, around whose cells TensorFlow has no `multi_rnn_cell`."""

    only_cell = "RNN_{direction}/rnn/lstm_cell"
