"""Make tensors of torch of arrays, without a copy; torch is an argument, so that this module imports no framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._forms.element_types import PACKED, TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from safeload._forms.weight_file import StoredTensor
    from safeload.report import TensorSpec

_PAIRS = {"float4_e2m1fn": "float4_e2m1fn_x2"}
"""The types smaller than a byte -> torch's type of those that share one."""

_SIGNED = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64, 16: np.complex128}
"""The types that every torch takes from NumPy, by their size in bytes."""


def has_type_in(torch: Any) -> Callable[[StoredTensor], bool]:  # noqa: ANN401  (a module)
    """Return what tells whether this torch has the type of a tensor."""

    def has_type(tensor: StoredTensor) -> bool:
        spec = tensor.spec
        if spec.dtype in PACKED and not (spec.dtype in _PAIRS and spec.shape and spec.shape[-1] % 2 == 0):
            return False
        return spec.dtype in TYPES and hasattr(torch, _PAIRS.get(spec.dtype, spec.dtype))

    return has_type


def tensor_of(torch: Any, values: NDArray[Any], spec: TensorSpec) -> Any:  # noqa: ANN401  (a module; a tensor)
    """Return a tensor that shares the memory of an array, which has the bits of its values."""
    dtype = getattr(torch, _PAIRS.get(spec.dtype, spec.dtype))
    tensor = torch.from_numpy(values.view(_SIGNED[values.itemsize])).view(dtype)
    return tensor.reshape(*spec.shape[:-1], spec.shape[-1] // 2) if spec.dtype in PACKED else tensor
