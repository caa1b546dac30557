"""The Keras layers of ELMo: import this before a saved model that holds one is loaded.

Importing this imports TensorFlow and the Keras that the process uses: Keras 2, tf-keras, or Keras 3 on TensorFlow.
"""

from __future__ import annotations

from safeload.elmo._keras import ElmoLayer
from safeload.elmo._keras_tokens import ElmoTokens

__all__ = ["ElmoLayer", "ElmoTokens"]
