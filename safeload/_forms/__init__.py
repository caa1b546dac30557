"""Read weight files; no reader here depends on a model.

A form is a module or package here that has `open_weights(ref)`, and a row of `KINDS` in `_bytes/kinds.py`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safeload._forms.weight_file import WeightFile, WeightPlace


def open_weights(place: WeightPlace) -> WeightFile:
    """Open a weight file and list its tensors.

    Raises:
        SafeLoadError: As the form's own `open_weights`.
    """
    form = importlib.import_module(f"safeload._forms.{place.form}")
    weights: WeightFile = form.open_weights(place.ref)
    return weights
