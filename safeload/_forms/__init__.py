"""The forms in which weights are stored: each reader knows names, shapes, dtypes and bytes, and no model.

A form is a module or package here with `open_weights(ref)`, and a row of the registry in `_bytes/kinds.py`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safeload._forms.weight_file import WeightFile, WeightPlace


def open_weights(place: WeightPlace) -> WeightFile:
    """Open the weights at a place, and list what they hold.

    Raises:
        SafeLoadError: As the form's own `open_weights`.
    """
    form = importlib.import_module(f"safeload._forms.{place.form}")
    weights: WeightFile = form.open_weights(place.ref)
    return weights
