"""Run `safeload convert`: write a model in another form."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload import _convert
from safeload._boundary import typed_errors
from safeload._converting import n_bytes_of
from safeload._model_kind import Request
from safeload._saving import target_of
from safeload._text.progress import progress
from safeload._text.words import counted_of
from safeload.cli import _console
from safeload.cli._receiving import receiving
from safeload.errors import ArgumentError, InvalidPathError, MissingFileError, SafeLoadError, UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload._converting import Advance, Job
    from safeload.report import SaveReport

SCHEMA = "safeload-convert/1"
_USAGE = (ArgumentError, InvalidPathError, MissingFileError, UnreadableFileError)


class Places(NamedTuple):
    """The two paths, as given."""

    source: str
    target: str


def run(places: Places, form: str, options: Mapping[str, Any], *, as_json: bool) -> int:
    """Convert, print the report, and return the exit code."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the report has them
            report = _converted(places, form, options)
    except SafeLoadError as exc:
        _console.print_error(exc, as_json=as_json)
        is_inexpressible = isinstance(exc, ArgumentError) and exc.argument == "form"
        return 2 if isinstance(exc, _USAGE) and not is_inexpressible else 1
    if as_json:
        _console.print_json({"schema": SCHEMA, "path": places.target, "report": report.to_dict()})
    else:
        _print(report, places.target)
    return 0


@typed_errors
def _converted(places: Places, form: str, options: Mapping[str, Any]) -> SaveReport:
    request = Request(
        config=places.source,
        weights=options["weights"],
        vocab=options["vocab"],
        ignore_unused=list(options["ignore_unused"]),
    )
    target = target_of(places.target, argument="target", overwrite=options["overwrite"], lock=options["lock"])
    with ExitStack() as stack, ExitStack() as before:
        before.enter_context(receiving())

        def started(job: Job) -> Advance:
            before.close()
            bar = progress(_console.console(stderr=True), n_bytes_of(job), "converting")
            return stack.enter_context(bar)

        return _convert.run(
            request, target, form, scope=options["scope"], activation=options["activation"], started=started
        )


def _print(report: SaveReport, target: str) -> None:
    out = _console.console()
    n_bytes = sum(file.n_bytes for file in report.files)
    facts = f"{report.form}, {counted_of(len(report.written), report.noun)}, {_console.bytes_text(n_bytes)}"
    _console.line(out, ("written  ", _console.OK), f"{target}  ", (facts, _console.NOTE))
    for file in report.files:
        _console.line(out, f"  {_console.bytes_text(file.n_bytes):>9}  {file.path}", (f"  {file.role}", _console.NOTE))
    for name in report.left_out:
        _console.line(out, f"  left out: {name}")
    for warning in report.warnings:
        _console.line(out, ("  warning: ", _console.BAD), _console.in_options(warning))
    for note in report.notes:
        _console.line(out, f"  note: {note}")
