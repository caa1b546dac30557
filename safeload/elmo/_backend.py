"""Which module is built: AllenNLP's Elmo, safeload's own biLM on torch alone, or its layer on the process's Keras."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from typing import Any

from safeload._optional import import_installed, missing_dependency, version_of
from safeload.errors import MissingDependencyError

logger = logging.getLogger(__name__)

INSTALL = "pip install 'safeload[elmo]'"
OR_TORCH = "or pass backend='torch': the same parameters, forward and outputs, without AllenNLP"
_ALLENNLP = ">=2.10.1,<2.11"
_TORCH = ">=1.12"
_LAST_PYTHON_OF_ALLENNLP = (3, 10)
_TENSORFLOW = ">=2.15,<2.22"
_ON_TENSORFLOW = "set KERAS_BACKEND=tensorflow in the environment before Python starts"
INSTALL_KERAS = "pip install 'safeload[bert]'"


def choose_backend(wanted: str, *, use_skip_connections: bool = True) -> str:
    """Import what the module is made of, and return "allennlp", "torch" or "keras".

    Raises:
        MissingDependencyError: The package is missing, its version cannot work, or it cannot be imported.
    """
    if wanted == "allennlp":
        _require_allennlp()
        return "allennlp"
    if wanted == "keras":
        require_keras()
        return "keras"
    if wanted == "auto":
        reason = "AllenNLP cannot build a biLM without skip connections"
        try:
            if use_skip_connections:
                _require_allennlp()
                logger.info("backend 'auto' took allennlp")
                return "allennlp"
        except MissingDependencyError as exc:
            reason = exc.message
        logger.info("backend 'auto' took torch: %s", reason)
    require_torch()
    return "torch"


def versions_of(backend: str) -> dict[str, str]:
    """Return the versions of the packages that a backend is made of."""
    if backend == "keras":
        package = require_keras().__name__.replace("_", "-")
        return {"tensorflow": sys.modules["tensorflow"].__version__, package: version_of(package) or "?"}
    names = ("torch", "allennlp") if backend == "allennlp" else ("torch",)
    return {name: version_of(name) or "?" for name in names}


def room_of(backend: str) -> Any:  # noqa: ANN401  (a module)
    """Return the room of a backend that was chosen; it has `build` and `around`."""
    return importlib.import_module(f"safeload.elmo._{backend}")


def require_torch() -> Any:  # noqa: ANN401  (a module)
    """Import torch.

    Raises:
        MissingDependencyError: It is missing, cannot be imported, or cannot use the NumPy that is installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise missing_dependency("torch is not installed", package="torch", wanted=_TORCH, hints=[INSTALL])
    torch = import_installed("torch", package="torch", wanted=_TORCH, install=INSTALL)
    _require_numpy(torch)
    return torch


def _require_numpy(torch: Any) -> None:  # noqa: ANN401  (a module)
    """Hand one empty array to torch: before 2.3 it is built for NumPy 1, and imports beside NumPy 2 all the same."""
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    try:
        torch.from_numpy(np.empty(0))
    except RuntimeError as exc:
        message = f"torch {torch.__version__} cannot use numpy {np.__version__}: {exc}"
        hints = ["pip install 'numpy<2'", "or install torch 2.3 or later, which is built for NumPy 2"]
        raise missing_dependency(message, package="numpy", wanted="<2", hints=hints) from exc


def require_keras() -> Any:  # noqa: ANN401  (a module)
    """Import the Keras that the process uses: `tf.keras`, or tf-keras where the process imported that and not Keras 3.

    Raises:
        MissingDependencyError: TensorFlow or Keras is missing or cannot be imported, or Keras runs on another framework.
    """
    if importlib.util.find_spec("tensorflow") is None:
        message = "TensorFlow is not installed"
        raise missing_dependency(message, package="tensorflow", wanted=_TENSORFLOW, hints=[INSTALL_KERAS])
    only_tf_keras = "tf_keras" in sys.modules and "keras" not in sys.modules
    tf = import_installed("tensorflow", package="tensorflow", wanted=_TENSORFLOW, install=INSTALL_KERAS)
    if only_tf_keras:
        return sys.modules["tf_keras"]
    try:
        package = str(tf.keras.Model.__module__).partition(".")[0]
    except ImportError as exc:
        message = "tf.keras cannot be imported"
        wanted = os.environ.get("KERAS_BACKEND", "tensorflow")
        hints = [INSTALL_KERAS] if wanted == "tensorflow" else [_ON_TENSORFLOW]  # of a framework that is not installed
        raise missing_dependency(message, package="keras", wanted="importable", hints=hints) from exc
    keras = importlib.import_module(package)
    framework = keras.config.backend() if hasattr(keras, "config") else "tensorflow"
    if framework != "tensorflow":
        message = f"Keras runs on {framework} in this process, and the layer is made of TensorFlow's operations"
        hints = [_ON_TENSORFLOW, "or pass backend='torch'"]
        raise missing_dependency(message, package="keras", wanted="on TensorFlow", hints=hints)
    return keras


def _require_allennlp() -> None:
    found = version_of("allennlp")
    if importlib.util.find_spec("allennlp") is None:
        hints = [INSTALL, OR_TORCH]
        if sys.version_info[:2] > _LAST_PYTHON_OF_ALLENNLP:
            hints = ["AllenNLP 2.10 installs on Python 3.8 to 3.10 only", OR_TORCH]
        raise missing_dependency("allennlp is not installed", package="allennlp", wanted=_ALLENNLP, hints=hints)
    if found is not None and not found.startswith("2.10."):
        message = f"allennlp {found} is installed; its Elmo is loaded from 2.10 only"
        hints = ["pip install 'allennlp==2.10.1'", OR_TORCH]
        raise missing_dependency(message, package="allennlp", wanted=_ALLENNLP, hints=hints)
    import_installed("allennlp.modules.elmo", package="allennlp", wanted=_ALLENNLP, install=INSTALL)
    require_torch()
