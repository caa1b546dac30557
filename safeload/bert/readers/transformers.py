"""Read a BERT of transformers.

Source:
    transformers/modeling_utils.py, PreTrainedModel, transformers 4.57 and 5.24.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from safeload.bert.readers import HeldBert

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WRAPPERS = ("module", "_orig_mod")
"""Where DistributedDataParallel and torch.compile keep the model."""

_SMALL = ("torch.float16", "torch.bfloat16")


def bert_in(model: Any) -> Any:  # noqa: ANN401  (any object)
    """Return the model of transformers; None if it is none of a BERT."""
    for _ in _WRAPPERS:
        model = next((getattr(model, name) for name in _WRAPPERS if hasattr(model, name)), model)
    config = getattr(model, "config", None)
    return model if getattr(config, "model_type", None) == "bert" and hasattr(model, "state_dict") else None


def held(model: Any) -> HeldBert:  # noqa: ANN401  (a PreTrainedModel)
    """Return the config and the tensors of a model."""
    raw = model.config.to_dict()
    raw["architectures"] = [type(model).__name__.removeprefix("Fsdp")]
    tensors = {
        name: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), partial(_values, tensor))
        for name, tensor in model.state_dict().items()
    }
    return HeldBert(raw, tensors, "safetensors")


def _values(tensor: Any) -> NDArray[Any]:  # noqa: ANN401  (a torch tensor)
    here = tensor.detach().cpu()
    found: NDArray[Any] = (here.float() if str(here.dtype) in _SMALL else here).numpy()
    return found
