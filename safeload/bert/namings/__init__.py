"""List the naming schemes of BERT files: one module each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload.bert.namings.google import Google
from safeload.bert.namings.hugging_face import HuggingFace
from safeload.bert.namings.hugging_face_tf import HuggingFaceTf
from safeload.bert.namings.keras_bert import KerasBert, KerasBertTf, NestedKerasBert, NumberedKerasBert
from safeload.bert.namings.keras_hub import KerasHub
from safeload.bert.namings.tf_models import TfModels

if TYPE_CHECKING:
    from collections.abc import Collection

    from safeload._naming import Naming

NAMINGS: tuple[Naming, ...] = (
    Google(),
    HuggingFace(),
    TfModels(),
    HuggingFaceTf(),
    KerasBert(),
    NestedKerasBert(),
    KerasBertTf(),
    NumberedKerasBert(),
    KerasHub(),
)


def namings_of(names: Collection[str]) -> list[tuple[Naming, str]]:
    """Return the naming and scope of every encoder that these names contain."""
    return [(naming, scope) for naming in NAMINGS for scope in naming.scopes(names)]


def naming_of(names: Collection[str]) -> tuple[Naming, str] | None:
    """Return the naming and scope of the only encoder that these names contain; None without one, or of several."""
    found = namings_of(names)
    return found[0] if len(found) == 1 else None
