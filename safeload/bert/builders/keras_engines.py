"""Make and fill the variables of Keras 3 on each framework with as little memory besides the values as it allows.

The frameworks are arguments, so that this module imports none.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from safeload._forms.arrays import N_ALIGN_BYTES
from safeload._frameworks.state import checks_numerics, require_eager
from safeload._tensors import holds, tensor_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from safeload._frameworks.keras_hub import KerasHub


class Engine(Protocol):
    """What a framework does with the memory of a variable."""

    def scope(self) -> AbstractContextManager[Any]:
        """Return the context in which variables are made and filled."""

    def empty(self, shape: Sequence[int], dtype: str | None = None) -> Any:  # noqa: ANN401  (a tensor)
        """Return a tensor of any values, whose memory is not written to where the framework allows it."""

    def assign(self, variable: Any, value: NDArray[Any]) -> None:  # noqa: ANN401  (a keras.Variable)
        """Give a variable its value, without a copy where the framework allows it."""

    def holds(self, variable: Any, value: NDArray[Any]) -> bool:  # noqa: ANN401  (a keras.Variable)
        """Return whether a variable has a value, in every replica."""


class OnTensorFlow:
    """TensorFlow's variables; a tensor in its memory may share an array's."""

    def __init__(self, backend: KerasHub) -> None:
        """Require eager execution.

        Raises:
            BackendError: TensorFlow is in graph mode.
        """
        self._tf = backend.framework
        require_eager(self._tf)
        self._make = self._tf.zeros if checks_numerics(self._tf) else self._tf.raw_ops.Empty

    def scope(self) -> AbstractContextManager[Any]:
        """Return no context."""
        return nullcontext()

    def empty(self, shape: Sequence[int], dtype: str | None = None) -> Any:  # noqa: ANN401  (a tensor)
        """Return memory as it is, or zeros where a NaN in it would be an error."""
        return self._make(shape=tuple(shape), dtype=dtype)

    def assign(self, variable: Any, value: NDArray[Any]) -> None:  # noqa: ANN401  (a keras.Variable)
        """Give the variable a tensor in the array's memory."""
        variable.assign(tensor_of(self._tf, value))

    def holds(self, variable: Any, value: NDArray[Any]) -> bool:  # noqa: ANN401  (a keras.Variable)
        """Compare each replica."""
        return holds(self._tf, variable.value, value)


class OnTorch:
    """torch's parameters, whose data may be an array's."""

    def __init__(self, backend: KerasHub) -> None:
        """Keep torch."""
        self._torch = backend.framework

    def scope(self) -> AbstractContextManager[Any]:
        """Return a context in which parameters can be trained, even if the caller is in `torch.inference_mode()`."""
        context: AbstractContextManager[Any] = self._torch.inference_mode(mode=False)
        return context

    def empty(self, shape: Sequence[int], dtype: str | None = None) -> Any:  # noqa: ANN401  (a tensor)
        """Return memory as it is."""
        return self._torch.empty(tuple(shape), dtype=getattr(self._torch, str(dtype)), device="cpu")

    def assign(self, variable: Any, value: NDArray[Any]) -> None:  # noqa: ANN401  (a keras.Variable)
        """Let the parameter have the array's memory, or on another device a copy of it."""
        parameter, tensor = variable.value, self._torch.from_numpy(value)
        if parameter.device == tensor.device:
            parameter.data = tensor
        else:
            variable.assign(tensor)

    def holds(self, variable: Any, value: NDArray[Any]) -> bool:  # noqa: ANN401  (a keras.Variable)
        """Compare the parameter."""
        return _is_equal(variable.value.detach().cpu().numpy(), value)


class OnJax:
    """JAX's arrays, which on a CPU may have an array's memory."""

    def __init__(self, backend: KerasHub) -> None:
        """Keep JAX."""
        self._jax = backend.framework

    def scope(self) -> AbstractContextManager[Any]:
        """Return no context."""
        return nullcontext()

    def empty(self, shape: Sequence[int], dtype: str | None = None) -> Any:  # noqa: ANN401  (a jax.Array)
        """Return zeros; on a CPU their memory is the system's own until it is written to."""
        stored = np.dtype(dtype)
        n_bytes = int(np.prod(shape)) * stored.itemsize
        memory = np.zeros(n_bytes + N_ALIGN_BYTES, np.uint8)
        start = -memory.ctypes.data % N_ALIGN_BYTES
        return self._jax.device_put(memory[start : start + n_bytes].view(stored).reshape(tuple(shape)))

    def assign(self, variable: Any, value: NDArray[Any]) -> None:  # noqa: ANN401  (a keras.Variable)
        """Give the variable the array's memory, or a copy where it is elsewhere or in parts."""
        variable.assign(self._jax.device_put(value, variable.value.sharding))

    def holds(self, variable: Any, value: NDArray[Any]) -> bool:  # noqa: ANN401  (a keras.Variable)
        """Compare the array."""
        return _is_equal(np.asarray(variable.value), value)


def engine_of(backend: KerasHub) -> Engine:
    """Return the engine of the framework that Keras uses.

    Raises:
        BackendError: TensorFlow is in graph mode.
    """
    engines: dict[str, type[OnTensorFlow | OnTorch | OnJax]] = {
        "tensorflow": OnTensorFlow,
        "torch": OnTorch,
        "jax": OnJax,
    }
    return engines[backend.engine](backend)


def _is_equal(held: NDArray[Any], value: NDArray[Any]) -> bool:
    return held.ctypes.data == value.ctypes.data or bool(np.array_equal(held, value))
