"""Compute the outputs of a model and write them, and say in the report of a load that they were compared."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from safeload._bytes.files import FileRef
from safeload._bytes.paths import resolve_path
from safeload._outputs.file import ROLE, write_outputs
from safeload._outputs.report import OutputsReport
from safeload._outputs.subject import HALF, outputs_of
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from safeload._outputs.subject import Subject
    from safeload.report import LoadReport


def save(subject: Subject, file: object, *, overwrite: bool) -> OutputsReport:
    """Compute the outputs of a model, and write them.

    Raises:
        ArgumentError: The model computes in half precision, or there is a file and `overwrite` is false.
        SafeLoadError: As `write_outputs`.
    """
    ref = FileRef(path=resolve_path(file, argument="file"), role=ROLE, given=file)
    dtype = subject.settings["dtype"]
    if dtype in HALF:
        message = f"the model computes in {dtype}: its numbers are too coarse for another to be compared with them"
        hints = ["load the model in float32, and save its outputs"]
        raise ArgumentError(message, argument="model", hints=hints)
    start = time.perf_counter()
    outputs = outputs_of(subject)
    seconds = {"outputs": time.perf_counter() - start}
    write_outputs(outputs, ref, overwrite=overwrite)
    return OutputsReport(
        model=subject.model,
        file=ref.path,
        runtime=subject.runtime,
        settings=subject.settings,
        computed=tuple(outputs.layers),
        seconds=seconds,
        versions=subject.versions,
    )


def with_comparison(report: LoadReport, found: OutputsReport, ref: FileRef) -> LoadReport:
    """Return the report of a load whose model was compared with a file of expected outputs."""
    return dataclasses.replace(
        report,
        files=(*report.files, ref.source.file_read(ref.role, ref.path)),
        notes=(*report.notes, found.headline().partition(": ")[2], *found.notes),
        seconds={**report.seconds, **found.seconds},
    )
