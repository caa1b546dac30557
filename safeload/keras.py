"""Provide the Keras layers of ELMo; import this module before loading a saved model that contains one.

It imports TensorFlow and the Keras that the process uses: Keras 2, tf-keras, or Keras 3 on TensorFlow.
"""

from __future__ import annotations

from safeload._frameworks.tensorflow import require_keras

require_keras()  # before the imports below, so that a missing package is a MissingDependencyError

from safeload.elmo.builders.keras import ElmoLayer  # noqa: E402
from safeload.elmo.builders.keras_mean import ElmoMean  # noqa: E402
from safeload.elmo.builders.keras_text import ElmoText  # noqa: E402
from safeload.elmo.builders.keras_tokens import ElmoTokens  # noqa: E402

__all__ = ["ElmoLayer", "ElmoMean", "ElmoText", "ElmoTokens"]
