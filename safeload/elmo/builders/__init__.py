"""Build an ELMo: one module per backend, with `build` and, in the torch-based ones, `around`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from safeload.errors import BackendError

if TYPE_CHECKING:
    from safeload.elmo._options import ElmoOptions


def builder_of(backend: str) -> Any:  # noqa: ANN401  (a module)
    """Return the module that builds for a backend."""
    return importlib.import_module(f"safeload.elmo.builders.{backend}")


def unproven(message: str, options: ElmoOptions) -> BackendError:
    """Return the error for a built model that differs from its files."""
    hints = ["please report this with the output of: pip list"]
    return BackendError(message, resolved=options.path, label="options", hints=hints)
