"""List the naming schemes of BERT files: one module each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload.bert.namings.google import Google
from safeload.bert.namings.hugging_face import HuggingFace

if TYPE_CHECKING:
    from safeload._naming import Naming

NAMINGS: tuple[Naming, ...] = (Google(), HuggingFace())
