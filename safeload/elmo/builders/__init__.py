"""Build an ELMo: one module per backend, with `build` and, in the torch-based ones, `around`."""

from __future__ import annotations

import dataclasses
import importlib
from typing import TYPE_CHECKING, Any

from safeload._frameworks.elmo import versions_of
from safeload.elmo._module import notes_of_datasets
from safeload.errors import BackendError

if TYPE_CHECKING:
    from safeload._model_kind import Checked
    from safeload.elmo._options import ElmoOptions
    from safeload.report import LoadReport


def builder_of(backend: str) -> Any:  # noqa: ANN401  (a module)
    """Return the module that builds for a backend."""
    return importlib.import_module(f"safeload.elmo.builders.{backend}")


def report_on_built(checked: Checked[ElmoOptions], backend: str) -> LoadReport:
    """Return the report on a module or layer that was built of checked values."""
    report = checked.report
    notes = notes_of_datasets(checked.values, checked.config) if backend == "keras" else []
    versions = {**report.versions, **versions_of(backend)}
    return dataclasses.replace(report, backend=backend, versions=versions, notes=(*report.notes, *notes))


def unproven(message: str, options: ElmoOptions) -> BackendError:
    """Return the error for a built model that differs from its files."""
    hints = ["please report this with the output of: pip list"]
    return BackendError(message, resolved=options.path, label="options", hints=hints)
