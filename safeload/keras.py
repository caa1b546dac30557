"""The Keras layers of ELMo: import this before a saved model that holds one is loaded.

Importing this imports TensorFlow and the Keras that the process uses: Keras 2, tf-keras, or Keras 3 on TensorFlow.
"""

from __future__ import annotations

from safeload.elmo import _backend

_backend.require_keras()  # first, so that what is missing is told by a typed error

from safeload.elmo._keras import ElmoLayer  # noqa: E402
from safeload.elmo._keras_tokens import ElmoTokens  # noqa: E402

__all__ = ["ElmoLayer", "ElmoTokens"]
