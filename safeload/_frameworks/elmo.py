"""Import the backend of an ELMo: AllenNLP, torch alone, or the Keras that the process uses."""

from __future__ import annotations

import importlib.util
import logging
import sys
from typing import Any

from safeload._frameworks.packages import import_installed, install, missing_dependency, one_at_a_time, version_of
from safeload._frameworks.tensorflow import require_keras
from safeload.errors import MissingDependencyError

logger = logging.getLogger(__name__)

INSTALL_ELMO = install("elmo")
OR_TORCH = "or pass backend='torch': the same parameters, forward and outputs, without AllenNLP"
_ALLENNLP = ">=2.10.1,<2.11"
_TORCH = ">=1.12"
_LAST_PYTHON_OF_ALLENNLP = (3, 10)


def choose_backend(wanted: str, *, use_skip_connections: bool = True) -> str:
    """Import a backend and return its name: "allennlp", "torch" or "keras".

    Raises:
        MissingDependencyError: The package is missing, incompatible, or cannot be imported.
    """
    if wanted != "auto":
        _REQUIRE[wanted]()
        return wanted
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
    """Return the versions of a backend's packages."""
    if backend == "keras":
        package = require_keras().__name__.replace("_", "-")
        return {"tensorflow": sys.modules["tensorflow"].__version__, package: version_of(package) or "?"}
    names = ("torch", "allennlp") if backend == "allennlp" else ("torch",)
    return {name: version_of(name) or "?" for name in names}


@one_at_a_time
def require_torch() -> Any:  # noqa: ANN401  (a module)
    """Import torch.

    Raises:
        MissingDependencyError: It is missing, cannot be imported, or is incompatible with the installed NumPy.
    """
    require_torch_installed()
    torch = import_installed("torch", package="torch", wanted=_TORCH, install=INSTALL_ELMO)
    _require_numpy(torch)
    return torch


def require_torch_installed() -> None:
    """Require torch without importing it.

    Raises:
        MissingDependencyError: It is missing.
    """
    if importlib.util.find_spec("torch") is None:
        raise missing_dependency("torch is not installed", package="torch", wanted=_TORCH, hints=[INSTALL_ELMO])


def _require_numpy(torch: Any) -> None:  # noqa: ANN401  (a module)
    """Require that torch can convert an array: before 2.3 it is built for NumPy 1, but also imports with NumPy 2."""
    import numpy as np  # noqa: PLC0415  (`import safeload` does not need it)

    try:
        torch.from_numpy(np.empty(0))
    except RuntimeError as exc:
        message = f"torch {torch.__version__} cannot use numpy {np.__version__}: {exc}"
        hints = ["pip install 'numpy<2'", "or install torch 2.3 or later, which is built for NumPy 2"]
        raise missing_dependency(message, package="numpy", wanted="<2", hints=hints) from exc


def _require_allennlp() -> None:
    found = version_of("allennlp")
    if importlib.util.find_spec("allennlp") is None:
        hints = [INSTALL_ELMO, OR_TORCH]
        if sys.version_info[:2] > _LAST_PYTHON_OF_ALLENNLP:
            hints = ["AllenNLP 2.10 installs on Python 3.8 to 3.10 only", OR_TORCH]
        raise missing_dependency("allennlp is not installed", package="allennlp", wanted=_ALLENNLP, hints=hints)
    if found is not None and not found.startswith("2.10."):
        message = f"allennlp {found} is installed, but safeload supports AllenNLP 2.10 only"
        hints = ["pip install 'allennlp==2.10.1'", OR_TORCH]
        raise missing_dependency(message, package="allennlp", wanted=_ALLENNLP, hints=hints)
    import_installed("allennlp.modules.elmo", package="allennlp", wanted=_ALLENNLP, install=INSTALL_ELMO)
    require_torch()


_REQUIRE = {"allennlp": _require_allennlp, "torch": require_torch, "keras": require_keras}
