"""List the naming schemes of BERT files: one module each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload.bert.namings.google import Google

if TYPE_CHECKING:
    from safeload._naming import Naming

NAMINGS: tuple[Naming, ...] = (Google(),)
