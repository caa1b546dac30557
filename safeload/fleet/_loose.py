"""Recognise weights in a tree that no config is beside, which are no model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from safeload._advice import variables_of
from safeload._bytes.absent import names_text
from safeload._bytes.kinds import CHECKPOINT, kinds_of, sniff
from safeload._bytes.usual_names import is_usual
from safeload._forms.tensorflow.prefixes import SAVED_MODEL, VARIABLES, names_in_assets
from safeload._recognise import BERT, has_piece_of, models_of_variables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safeload._bytes.files import FileRef

_NAMES_OF_CONFIG = {BERT: ("config", "options")}
"""What the names of configs contain, and of options, beside which weights are an ELMo's; any JSON may be an ELMo's options."""


def reason_to_skip(model: str, folder: FileRef, names: list[str]) -> str:
    """Return why a folder with weights is no model: nothing else of one is there; "" if it may be one, or has no weights."""
    listed = [*names, *names_in_assets(folder)]
    if is_loose(model, listed):
        kinds = kinds_of(model)
        found = [name for name in _weights_among(model, names) if sniff(folder.inside(name)) in kinds]
        return f"weights without a config beside them: {names_text(found)}" if found else ""
    if model == BERT and SAVED_MODEL in names and not _has_config(model, listed) and not has_piece_of(model, listed):
        variables = variables_of(folder.inside(os.path.join(VARIABLES, VARIABLES)))
        return "a SavedModel of a BERT without a config" if BERT in models_of_variables(variables) else ""
    return ""


def is_loose(model: str, names: list[str]) -> bool:
    """Return whether the names in a folder have those of weights, and none of another piece of a model."""
    weights = _weights_among(model, names)
    others = [name for name in names if name not in weights]
    return bool(weights) and not _has_config(model, others) and not has_piece_of(model, others)


def _weights_among(model: str, names: Iterable[str]) -> list[str]:
    endings = tuple(end for kind in kinds_of(model) if kind.form != CHECKPOINT for end in kind.endings)
    return [name for name in names if name.endswith(endings) or is_usual(name)]


def _has_config(model: str, names: Iterable[str]) -> bool:
    words = _NAMES_OF_CONFIG.get(model, ("",))
    return any(".json" in name and any(word in name for word in words) for name in names)
