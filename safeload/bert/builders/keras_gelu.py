"""Compute the activations of a BERT in Keras."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from safeload.bert._runtimes import GELU, GELU_ERF, GELU_TANH

if TYPE_CHECKING:
    from collections.abc import Callable

SAVED_NAME = "safeload_gelu_erf"
"""The name in saved models; Keras and keras-bert would take "gelu" for one of two functions."""


def activation_for(tf: Any, activation: str) -> str | Callable[[Any], Any]:  # noqa: ANN401  (tensorflow)
    """Return what keras-bert takes for an activation of `BertConfig`: a name, or a function."""
    return gelu_erf(tf) if activation == GELU_ERF else {GELU_TANH: GELU}.get(activation, activation)


def gelu_erf(tf: Any) -> Callable[[Any], Any]:  # noqa: ANN401
    """Return GELU by the error function, whose name in saved models is `SAVED_NAME`.

    Keras saves the name of a function as text only if its own module has a function of that name, and reads no other kind
    of name back from an HDF5 file.

    Source:
        keras/src/activations.py, serialize, Keras 2.15; tf_keras/src/activations.py, tf-keras 2.21.
    """

    def safeload_gelu_erf(values: Any) -> Any:  # noqa: ANN401  (tensors)
        return tf.nn.gelu(values, approximate=False)

    known = vars(sys.modules[tf.keras.activations.serialize.__module__])
    found: Callable[[Any], Any] = known.setdefault(SAVED_NAME, safeload_gelu_erf)
    return found
