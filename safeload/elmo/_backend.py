"""Which module is built: AllenNLP's Elmo, or safeload's own biLM on torch alone."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from typing import TYPE_CHECKING, Any

from safeload._optional import missing_dependency, version_of

if TYPE_CHECKING:
    from safeload.errors import MissingDependencyError

logger = logging.getLogger(__name__)

INSTALL = "pip install 'safeload[elmo]'"
_ALLENNLP = ">=2.10.1,<2.11"
_LAST_PYTHON_OF_ALLENNLP = (3, 10)


def choose_backend(wanted: str, *, use_skip_connections: bool = True) -> str:
    """Import what the module is made of, and return "allennlp" or "torch".

    Raises:
        MissingDependencyError: The package is missing, its version cannot work, or it cannot be imported.
    """
    if wanted == "torch":
        _import("torch", "torch", ">=1.12")
        return "torch"
    if wanted == "allennlp":
        _import_allennlp()
        return "allennlp"
    reason = "AllenNLP cannot build a biLM without skip connections"
    if use_skip_connections:
        try:
            _import_allennlp()
        except ImportError as exc:
            reason = getattr(exc, "message", str(exc))
        else:
            logger.info("backend 'auto' took allennlp")
            return "allennlp"
    _import("torch", "torch", ">=1.12")
    logger.info("backend 'auto' took torch: %s", reason)
    return "torch"


def versions_of(backend: str) -> dict[str, str]:
    """Return the versions of the packages that a backend is made of."""
    names = ("torch", "allennlp") if backend == "allennlp" else ("torch",)
    return {name: version_of(name) or "?" for name in names}


def room_of(backend: str) -> Any:  # noqa: ANN401  (a module)
    """Return the room of a backend that was chosen; it has `build` and `around`."""
    return importlib.import_module(f"safeload.elmo._{backend}")


def require_torch() -> Any:  # noqa: ANN401  (a module)
    """Import torch.

    Raises:
        MissingDependencyError: It is missing or cannot be imported.
    """
    return _import("torch", "torch", ">=1.12")


def _import_allennlp() -> None:
    _import("allennlp.modules.elmo", "allennlp", _ALLENNLP)
    version = version_of("allennlp") or "?"
    if not version.startswith("2.10."):
        message = f"allennlp {version} is installed; its Elmo is loaded from 2.10 only"
        raise missing_dependency(
            message, package="allennlp", wanted=_ALLENNLP, hints=["pip install 'allennlp==2.10.1'", _OR_TORCH]
        )


_OR_TORCH = "or pass backend='torch': the same parameters, forward and outputs, without AllenNLP"


def _import(module: str, package: str, wanted: str) -> Any:  # noqa: ANN401  (a module)
    if importlib.util.find_spec(module.split(".", 1)[0]) is None:
        raise _missing(package, wanted)
    try:
        return importlib.import_module(module)
    except Exception as exc:  # whatever an installed package raises while it is imported
        first = " ".join(str(exc).split())[:200]
        message = f"{package} is installed but cannot be imported: {type(exc).__name__}: {first}"
        hints = ["the error above this one is the cause; a fresh environment with " + INSTALL + " mends most of them"]
        raise missing_dependency(message, package=package, wanted=wanted, hints=hints) from exc


def _missing(package: str, wanted: str) -> MissingDependencyError:
    hints = [INSTALL]
    if package == "allennlp":
        if sys.version_info[:2] > _LAST_PYTHON_OF_ALLENNLP:
            hints = ["AllenNLP 2.10 installs on Python 3.8 to 3.10 only"]
        hints.append(_OR_TORCH)
    return missing_dependency(f"{package} is not installed", package=package, wanted=wanted, hints=hints)
