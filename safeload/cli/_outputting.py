"""Run `safeload outputs`: load a model, and save or compare what its layers compute."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._boundary import typed_errors
from safeload._bytes.archives.locating import given_ref, located
from safeload._layers import table
from safeload._model_kind import Request
from safeload._outputs.saving import save
from safeload._reports import report_of
from safeload._text.addresses import without_secrets
from safeload.bert import _outputs as of_bert
from safeload.bert import load as load_bert
from safeload.bert._arguments import FULL_LENGTH, build_options
from safeload.bert._runtimes import KERAS_BERT
from safeload.cli import _console
from safeload.cli._receiving import receiving
from safeload.elmo import _outputs as of_elmo
from safeload.elmo import load as load_elmo
from safeload.elmo._arguments import BACKENDS, STORED, elmo_arguments
from safeload.errors import (
    ArgumentError,
    InvalidPathError,
    MissingDependencyError,
    MissingFileError,
    SafeLoadError,
    UnreadableFileError,
)
from safeload.fleet._kinds import kinds_at, no_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._outputs.report import OutputsReport

SCHEMA = "safeload-outputs/1"
_USAGE = (ArgumentError, InvalidPathError, MissingFileError, UnreadableFileError, MissingDependencyError)
_CALLED = {"bert": "a BERT", "elmo": "an ELMo"}
_OPTIONS_OF = {"bert": ("checkpoint", "vocab", "training", "activation"), "elmo": ("weights",)}
"""Kind of model -> the options of the command that it alone has."""


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
            with receiving():
                report = _run(folder, wanted, options)
    except SafeLoadError as exc:
        _console.print_error(exc, as_json=as_json)
        return 2 if isinstance(exc, _USAGE) else 1
    shown = without_secrets(folder)
    if as_json:
        _console.print_json({"schema": SCHEMA, "path": shown, "report": report.to_dict()})
        return 0
    out = _console.console()
    _console.line(
        out, ("saved  " if wanted.is_saved else "as expected  ", _console.OK), f"{shown}  ", report.headline()
    )
    _console.lines(out, "\n".join(table(report.layers, report.bound)) or report.file, "  ")
    for note in report.notes:
        _console.line(out, f"  note: {note}")
    return 0


@typed_errors
def _run(folder: str, wanted: Wanted, options: Mapping[str, Any]) -> OutputsReport:
    kind = _kind_at(folder, options)
    wing: Any = {"bert": of_bert, "elmo": of_elmo}[kind]
    expected = None if wanted.is_saved else wing.read_expected(wanted.file, "file")
    built = _bert(folder, options) if kind == "bert" else _elmo(folder, options)
    if expected is None:
        return save(wing.subject_of(built), wanted.file, overwrite=options["overwrite"])
    found: OutputsReport = expected.compare(built)
    return found


def _kind_at(folder: str, options: Mapping[str, Any]) -> str:
    """Return which model is at a path; if nothing there says it, the one that has the options which were given.

    Raises:
        ArgumentError: An option of another model was given.
        SafeLoadError: There is no model.
    """
    given = {kind: [name for name in names if options[name]] for kind, names in _OPTIONS_OF.items()}
    kinds = kinds_at(folder) or [kind for kind, names in given.items() if names]
    if not kinds:
        raise no_model(located(given_ref(folder, "folder", "model")))
    kind, *_ = kinds
    for other, names in given.items():
        if names and other != kind:
            message = f"--{names[0]} is of {_CALLED[other]}, and the model is {_CALLED[kind]}"
            raise ArgumentError(message, argument=names[0], hints=["leave it out"])
    return kind


def _bert(folder: str, options: Mapping[str, Any]) -> of_bert.Built:
    backend = options["backend"] or KERAS_BERT.id
    asked = build_options(
        training=options["training"],
        seq_len=None if backend == KERAS_BERT.id else FULL_LENGTH,
        activation=options["activation"],
        backend=backend,
    )
    request = Request(config=folder, weights=options["checkpoint"], vocab=options["vocab"])
    tokens: dict[str, int] = {}
    model, config = load_bert(asked, request, options["scope"], tokens)
    return of_bert.Built(model, asked.runtime, config, tokens, report_of(model).versions)


def _elmo(folder: str, options: Mapping[str, Any]) -> of_elmo.Built:
    """Load an ELMo without dropout, with the learned sum that its files store, if they do."""
    request = Request(config=folder, weights=options["weights"])
    backend = options["backend"] or BACKENDS[0]

    def loaded(mix: str | None) -> of_elmo.Built:
        arguments = elmo_arguments(
            num_output_representations=1, dropout=0.0, scalar_mix_parameters=mix, backend=backend
        )
        return of_elmo.built_in_memory(load_elmo(arguments, request, options["scope"]))

    try:
        return loaded(STORED)
    except ArgumentError as error:  # before any value is read
        if error.argument != "scalar_mix_parameters":
            raise
    return loaded(None)
