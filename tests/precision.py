"""Set the type in which Keras stores and computes, for a while."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def keras_in(dtype: str, keras: Any) -> Iterator[None]:
    """Let Keras store and compute in a type; float32 afterwards."""
    _set(keras, dtype)
    try:
        yield
    finally:
        _set(keras, "float32")


def _set(keras: Any, dtype: str) -> None:
    """Set the default type and the policy, which ignores the default from the first time that it is set."""
    keras.backend.set_floatx(dtype)
    keras.mixed_precision.set_global_policy(dtype)
