"""List the naming schemes of ELMo files: one module each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload.elmo.namings.allennlp import AllenNlp
from safeload.elmo.namings.bilm_tf import BilmTf, BilmTfOneLayer
from safeload.elmo.namings.hdf5 import Hdf5, Hdf5OneLayer
from safeload.elmo.namings.tf_hub import TfHub

if TYPE_CHECKING:
    from collections.abc import Collection

    from safeload._naming import Naming

NAMINGS: tuple[Naming, ...] = (Hdf5(), BilmTf(), TfHub(), AllenNlp(), Hdf5OneLayer(), BilmTfOneLayer())
"""Where several fit, the last is the one: names of a biLM of one layer fit the general naming too."""


def namings_in(names: Collection[str]) -> dict[str, Naming]:
    """Return scope -> naming, of the biLMs that these names contain."""
    return {scope: naming for naming in NAMINGS for scope in naming.scopes(names)}
