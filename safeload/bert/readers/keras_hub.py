"""Read a BertBackbone of KerasHub.

Source:
    keras_hub/src/models/bert/bert_backbone.py, keras-hub 0.32.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from safeload.bert._dialects import translated
from safeload.bert.builders.keras_hub import variables_of
from safeload.bert.readers import HeldBert

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NAME = "BertBackbone"


def bert_in(model: Any) -> Any:  # noqa: ANN401  (any object)
    """Return the backbone, also that of a task; None if there is none of a BERT."""
    inner = getattr(model, "backbone", model)
    is_one = any(each.__name__ == _NAME and each.__module__.startswith("keras_hub.") for each in type(inner).__mro__)
    return model if is_one else None


def held(model: Any) -> HeldBert:  # noqa: ANN401  (a backbone, or a task)
    """Return the config and the tensors of a backbone, and those of the task that it is in by their own names."""
    backbone = getattr(model, "backbone", model)
    raw, _ = translated({"class_name": _NAME, "config": backbone.get_config()})
    known, _ = variables_of(backbone, raw["num_hidden_layers"])
    tensors = {name: (_shape(name, each), str(each.dtype), partial(_values, each)) for each, name in known}
    ids = {id(each) for each in backbone.variables}
    for each in model.weights:
        if id(each) not in ids:
            tensors[each.path] = (tuple(each.shape), str(each.dtype), partial(_values, each))
    return HeldBert(raw, tensors, "keras-hub")


def _shape(name: str, variable: Any) -> tuple[int, ...]:  # noqa: ANN401  (a Keras variable)
    """Return the shape without the axis of the heads."""
    shape = tuple(variable.shape)
    if "/attention/self/" in name:
        return (*shape[:-2], shape[-2] * shape[-1])
    return (shape[0] * shape[1], *shape[2:]) if name.endswith("/attention/output/dense/kernel") else shape


def _values(variable: Any) -> NDArray[Any]:  # noqa: ANN401  (a Keras variable)
    value = variable.value
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) in ("torch.float16", "torch.bfloat16") else value
    return np.asarray(value)
