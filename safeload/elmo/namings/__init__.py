"""List the naming schemes of ELMo files: one module each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload.elmo.namings.hdf5 import Hdf5

if TYPE_CHECKING:
    from safeload._naming import Naming

NAMINGS: tuple[Naming, ...] = (Hdf5(),)
