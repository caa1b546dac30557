"""Match the names in TF-Hub's modules, such as `bilm/RNN_0/RNN/MultiRNNCell/Cell0/rnn/lstm_cell/kernel`.

The module of an ELMo has learned weights of the layers' sum, too. DeepPavlov's modules have other names for these, the states
of the LSTMs, and a row of zeros for padding before the characters.

Source:
    allenai/bilm-tf, bilm/model.py, which Google's modules are made of; deepmipt/DeepPavlov, deeppavlov/models/elmo/elmo2tfhub.py,
    elmo_model.py and weight_layers.py.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from safeload.elmo._parameters import CHAR_EMBED, MIX_SCALE, MIX_WEIGHTS
from safeload.elmo.namings._cells import Cells

if TYPE_CHECKING:
    from collections.abc import Collection

    from safeload._naming import Change
    from safeload.report import TensorSpec

WEIGHTED_SUM, STATES = "weighted sum", "states"
"""Classes of unused variables: the learned sum of the layers, and what the LSTMs carried from call to call."""

_MIX = {
    MIX_WEIGHTS: ("aggregation/weights", "aggregation/elmo_output_ELMo_W", "elmo_output_ELMo_W"),
    MIX_SCALE: ("aggregation/scaling", "aggregation/elmo_output_ELMo_gamma", "elmo_output_ELMo_gamma"),
}
"""Parameter of the sum -> its names: Google's, and DeepPavlov's of two versions."""

_STATE = re.compile(r"Variable(?:_[0-9]+)?")
_CHANGES: dict[str, Change] = {CHAR_EMBED: "below zeros", MIX_SCALE: "one value"}


class TfHub(Cells):
    """The names in TF-Hub's modules."""

    id = "tf-hub"
    usual_scope = "bilm/"
    cell = "RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/rnn/lstm_cell"
    has_others = True

    def stored_as(self, parameter: str, scope: str, names: Collection[str] = ()) -> tuple[str, Change]:
        """Return the name of a parameter in the file, and the change of its values."""
        change = _CHANGES.get(parameter, "same")
        if parameter not in _MIX:
            return super().stored_as(parameter, scope)[0], change
        listed = [self._beside(scope) + name for name in _MIX[parameter]]
        return next((name for name in listed if name in names), listed[0]), change

    def canonical(self, name: str, scope: str) -> str:
        """Return the parameter that a stored name means; other names stay as they are."""
        beside = self._beside(scope)
        of_sum = (ours for ours, theirs in _MIX.items() if name in {beside + each for each in theirs})
        return next(of_sum, None) or super().canonical(name, scope)

    def shown(self, name: str, scope: str) -> str:
        """Return the stored name of a parameter."""
        return self.stored_as(name, scope)[0] if name in _MIX else super().shown(name, scope)

    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a variable that a load does not read."""
        if self.canonical(name, scope) in _MIX:
            return WEIGHTED_SUM
        is_state = name.startswith(scope) and _STATE.fullmatch(name.removeprefix(scope))
        return STATES if is_state else super().class_of(name, spec, scope)

    def _beside(self, scope: str) -> str:
        return scope.removesuffix(self.usual_scope)
