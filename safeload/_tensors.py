"""Convert NumPy arrays to TensorFlow tensors without a copy, and compare variables with arrays.

TensorFlow is an argument, so that this module imports no framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._forms.arrays import N_ALIGN_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray


def tensor_of(tf: Any, value: NDArray[Any]) -> Any:  # noqa: ANN401  (tensorflow; a tensor)
    """Return a tensor that shares the array's memory if TensorFlow can use it, else a copy."""
    shared = value.flags.c_contiguous and value.ctypes.data % N_ALIGN_BYTES == 0
    return tf.experimental.dlpack.from_dlpack(value.__dlpack__()) if shared else tf.constant(value)


def holds(tf: Any, variable: Any, value: NDArray[Any]) -> bool:  # noqa: ANN401
    """Return whether every replica of a variable shares the array's memory or has equal values."""
    return all(
        _replica_holds(copy, value) for copy in tf.distribute.get_strategy().experimental_local_results(variable)
    )


def _replica_holds(copy: Any, value: NDArray[Any]) -> bool:  # noqa: ANN401  (a tf.Variable)
    held = np.asarray(memoryview(copy.value())) if "CPU" in copy.device else copy.value().numpy()
    return held.ctypes.data == value.ctypes.data or bool(np.array_equal(held, value))
