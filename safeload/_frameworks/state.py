"""Require settings of TensorFlow and Keras, global to a process or thread, under which a load gives the right model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from safeload.errors import BackendError


def require_eager(tf: Any) -> None:  # noqa: ANN401  (a module)
    """Require eager execution in the calling thread.

    Raises:
        BackendError: The call is inside a `tf.function` or `tf.Graph`, or eager execution is disabled.
    """
    if tf.executing_eagerly():
        return
    if tf.inside_function():
        setting = "the code runs inside a tf.function"
        hint = "load the model before the function is called, and use it inside"
    elif _is_eager_elsewhere(tf):
        setting = "a tf.Graph is the default graph"
        hint = "load the model outside `with graph.as_default():`"
    else:
        setting = "eager execution is disabled"
        hint = "remove tf.compat.v1.disable_eager_execution() and tf.compat.v1.disable_v2_behavior()"
    message = "TensorFlow is in graph mode, but a model is loaded eagerly"
    raise BackendError(message, context=[("setting", setting)], hints=[hint])


def _is_eager_elsewhere(tf: Any) -> bool:  # noqa: ANN401  (a module)
    """Return whether a new thread, which inherits no default graph, executes eagerly."""
    with ThreadPoolExecutor(1) as pool:
        return bool(pool.submit(tf.executing_eagerly).result())


def require_whole_floats(tf: Any) -> None:  # noqa: ANN401  (a module)
    """Require that Keras stores and computes in one dtype, float32 or float64.

    Raises:
        BackendError: The default dtype would round the weights, or keras-bert cannot build with the dtype policy.
    """
    floatx, policy = tf.keras.backend.floatx(), tf.keras.mixed_precision.global_policy()
    if floatx not in ("float32", "float64"):
        message = f"Keras's default dtype is {floatx}, which would round the weights"
        hints = ["call tf.keras.backend.set_floatx('float32') before the load"]
        raise BackendError(message, context=[("setting", f"tf.keras.backend.floatx() is {floatx!r}")], hints=hints)
    if {policy.compute_dtype, policy.variable_dtype} != {floatx}:
        message = f"keras-bert cannot build with the dtype policy {policy.name}"
        setting = f"tf.keras.mixed_precision.global_policy() is {policy.name!r}, and the default dtype {floatx!r}"
        hints = [f"call tf.keras.mixed_precision.set_global_policy({floatx!r}) before the load"]
        raise BackendError(message, context=[("setting", setting)], hints=hints)


def checks_numerics(tf: Any) -> bool:  # noqa: ANN401  (a module)
    """Return whether `tf.debugging.enable_check_numerics()` makes a NaN an error in the calling thread."""
    try:
        tf.raw_ops.Neg(x=tf.constant(float("nan")))
    except tf.errors.InvalidArgumentError:
        return True
    return False
