"""Match the names in state dicts of AllenNLP, such as `token_embedder_elmo._elmo._elmo_lstm._token_embedder.char_conv_0.weight`.

The parameters have the names and the arrangement of AllenNLP's module, not those of an HDF5 file, so that a torch module takes
them as they are. A file may be of a whole model, of an `Elmo` or of a biLM alone.

Source:
    allennlp/modules/elmo.py, token_embedders/elmo_token_embedder.py, AllenNLP 2.10.1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from safeload._compare import NUMBER
from safeload._naming import TASK, Naming
from safeload.elmo._module import CHARACTERS, ENCODER, LSTMS, SUM
from safeload.elmo._parameters import CHAR_EMBED, MIX_WEIGHTS
from safeload.elmo.namings._cells import OTHER_BILMS
from safeload.elmo.namings.tf_hub import WEIGHTED_SUM

if TYPE_CHECKING:
    from collections.abc import Collection

    from safeload._naming import Change
    from safeload.report import TensorSpec

CACHED_WORDS = "cached words"
"""The class of the vectors that were computed for `vocab_to_cache`."""

_IN_BILM = re.compile(
    rf"((?:.*?\.)?)(?:{ENCODER}\.(?:_char_embedding_weights$|char_conv_[0-9]|_highways\.)|{LSTMS}\.(?:for|back)ward_layer_[0-9])"
)
_LIKE_A_BILM = re.compile(rf"((?:.*?\.)?)(?:{ENCODER}|{LSTMS}\.(?:for|back)ward_layer_[0-9]+)\.")
_SUM = re.compile(rf"scalar_mix_{NUMBER}\.(?:scalar_parameters\.{NUMBER}|gamma)")
_WORDS = "_word_embedding.weight"
_FIRST = {CHAR_EMBED: CHARACTERS, MIX_WEIGHTS: f"{SUM}.scalar_parameters.0"}


class AllenNlp(Naming):
    """The names of AllenNLP's modules."""

    id = "allennlp"
    usual_scope = f"{LSTMS}."

    def scopes(self, names: Collection[str]) -> list[str]:
        """Return the prefix of the names of a biLM."""
        return sorted({match[1] for name in names if (match := _IN_BILM.match(name))})

    def stored_as(self, parameter: str, scope: str, names: Collection[str] = ()) -> tuple[str, Change]:
        """Return the name of a parameter in the file; the table of characters may have its name in HDF5 files."""
        del names
        name = _FIRST.get(parameter, parameter)
        return (self.beside(scope) if _SUM.fullmatch(name) else scope) + name, "same"

    def canonical(self, name: str, scope: str) -> str:
        """Return the parameter that a stored name means; other names stay as they are."""
        if self._is_of_sum(name, scope):
            return name.removeprefix(self.beside(scope))
        inner = name.removeprefix(scope)
        return inner if name.startswith(scope) and inner.startswith((f"{ENCODER}.", f"{LSTMS}.")) else name

    def shown(self, name: str, scope: str) -> str:
        """Return the stored name of a parameter."""
        return self.stored_as(name, scope)[0] if name.startswith((f"{ENCODER}.", f"{LSTMS}.", SUM)) else name

    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a tensor that a load does not read."""
        del spec
        if self._is_of_sum(name, scope):
            return WEIGHTED_SUM
        if name == scope + _WORDS:
            return CACHED_WORDS
        if other := _LIKE_A_BILM.match(name):
            return OTHER_BILMS if other[1] != scope else ""
        is_inside = name.startswith(scope or (f"{ENCODER}.", f"{LSTMS}."))
        return "" if is_inside else TASK

    def beside(self, scope: str) -> str:
        """Return the scope of the module that has the biLM and the weighted sums."""
        return scope.removesuffix(self.usual_scope)

    def _is_of_sum(self, name: str, scope: str) -> bool:
        around = self.beside(scope)
        return name.startswith(around) and bool(_SUM.fullmatch(name, len(around)))
