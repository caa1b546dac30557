"""Run `safeload doctor bert`: print a diagnosis."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from safeload._diagnosis import BACKEND, Diagnosis, Step
from safeload.bert import diagnose_bert
from safeload.bert._trials import BERT
from safeload.cli import _console
from safeload.cli._doctoring import tried
from safeload.errors import SafeLoadError

if TYPE_CHECKING:
    from safeload.cli._doctoring import Finding

SCHEMA = "safeload-diagnosis/1"


def run(path: str, options: dict[str, Any], *, as_json: bool) -> int:
    """Diagnose a BERT, and return the exit code; the options are arguments of `diagnose_bert`."""
    out = _console.console()
    tiny = tried("load_bert")
    if not tiny.returned:
        crash = _crash(tiny)
        if as_json:
            _print_json(crash)
        else:
            _console.line(out, (crash.verdict, _console.BAD))
        return 1
    warnings.simplefilter("ignore")  # keras-bert warns about initialisers whose values are overwritten
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        found = diagnose_bert(path, **options)
    except SafeLoadError as exc:
        _console.print_error(exc, as_json=as_json)
        return 2
    if as_json:
        _print_json(found)
    else:
        _console.lines(out, found.text(_console.IN_JSON))
    return 0 if found.at_fault == "nothing" else 1


def _crash(tiny: Finding) -> Diagnosis:
    """Return the diagnosis where a load of a tiny model crashes its process or hangs, so that none is tried in this one."""
    why = f"load_bert of a tiny model: {tiny.message}"
    not_run = "not run, because load_bert of a tiny model did not return"
    skipped = {
        name: Step(name=name, title=title, status="skipped", finding=not_run) for name, title in BERT.titles.items()
    }
    failed = replace(skipped[BACKEND], status="failed", finding=why, seconds=tiny.seconds, error=why)
    steps = tuple({**skipped, BACKEND: failed}.values())
    return Diagnosis(at_fault="versions", verdict=f"the versions are at fault: {why}", steps=steps)


def _print_json(found: Diagnosis) -> None:
    _console.print_json({"schema": SCHEMA, **found.to_dict()})
