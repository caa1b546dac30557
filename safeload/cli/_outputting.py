"""Run `safeload outputs`: load a model, and save or compare what its layers compute."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._boundary import typed_errors
from safeload._layers import table
from safeload._model_kind import Request
from safeload._outputs.file import outputs_ref
from safeload._outputs.saving import save
from safeload._reports import report_of
from safeload.bert import load
from safeload.bert._arguments import FULL_LENGTH, build_options
from safeload.bert._outputs import Built, read_expected, subject_of
from safeload.cli import _console
from safeload.errors import (
    ArgumentError,
    InvalidPathError,
    MissingDependencyError,
    MissingFileError,
    SafeLoadError,
    UnreadableFileError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._outputs.report import OutputsReport

SCHEMA = "safeload-outputs/1"
_USAGE = (ArgumentError, InvalidPathError, MissingFileError, UnreadableFileError, MissingDependencyError)


class Wanted(NamedTuple):
    """What is done.

    Attributes:
        file: The file of outputs, as given.
        is_saved: Whether it is written; else it is read.
    """

    file: str
    is_saved: bool


def run(folder: str, wanted: Wanted, options: Mapping[str, Any], *, as_json: bool) -> int:
    """Save or compare, print the report, and return the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the model's report has safeload's; keras-bert warns about initialisers
            report = _run(folder, wanted, options)
    except SafeLoadError as exc:
        _console.print_error(exc, as_json=as_json)
        return 2 if isinstance(exc, _USAGE) else 1
    if as_json:
        _console.print_json({"schema": SCHEMA, "path": folder, "report": report.to_dict()})
        return 0
    out = _console.console()
    _console.line(
        out, ("saved  " if wanted.is_saved else "as expected  ", _console.OK), f"{folder}  ", report.headline()
    )
    _console.lines(out, "\n".join(table(report.layers, report.bound)) or report.file, "  ")
    for note in report.notes:
        _console.line(out, f"  note: {note}")
    return 0


@typed_errors
def _run(folder: str, wanted: Wanted, options: Mapping[str, Any]) -> OutputsReport:
    asked = build_options(
        training=options["training"],
        seq_len=None if options["backend"] == "keras-bert" else FULL_LENGTH,
        activation=options["activation"],
        backend=options["backend"],
    )
    request = Request(config=folder, weights=options["checkpoint"], vocab=options["vocab"])
    expected = None if wanted.is_saved else read_expected(outputs_ref(wanted.file, "file"))
    tokens: dict[str, int] = {}
    model, config = load(asked, request, options["scope"], tokens)
    built = Built(model, asked.runtime, config, tokens, report_of(model).versions)
    if expected is None:
        return save(subject_of(built), wanted.file, overwrite=options["overwrite"])
    return expected.compare(built)
