"""Run `safeload doctor bert` and `safeload doctor elmo`: print a diagnosis."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._diagnosis import BACKEND, Diagnosis, Step, Subject
from safeload.bert import diagnose_bert
from safeload.bert._against import against_subject, other_runtime
from safeload.bert._trials import BERT
from safeload.cli import _console
from safeload.cli._doctoring import tried
from safeload.cli._probe import AGAINST, DIAGNOSE_ELMO, DIAGNOSE_ELMO_IN_KERAS, use_keras
from safeload.cli._receiving import receiving
from safeload.elmo import diagnose_elmo
from safeload.elmo._trials import elmo_subject
from safeload.errors import SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload.cli._doctoring import Finding

SCHEMA = "safeload-diagnosis/1"


class _Kind(NamedTuple):
    """How a model is diagnosed.

    Attributes:
        diagnose: The call.
        subject: Its steps.
        probes: Call that is tried on a tiny model in another process -> what prepares this one for the same; the first that
            returns is the one.
    """

    diagnose: Callable[..., Diagnosis]
    subject: Subject
    probes: dict[str, Callable[[], None]]


_KINDS = {
    "bert": _Kind(diagnose_bert, BERT, {"load_bert": lambda: None}),
    "elmo": _Kind(diagnose_elmo, elmo_subject(), {DIAGNOSE_ELMO_IN_KERAS: use_keras, DIAGNOSE_ELMO: lambda: None}),
}


def run(model: str, path: str, options: dict[str, Any], *, as_json: bool) -> int:
    """Diagnose a "bert" or "elmo", and return the exit code; the options are arguments of `diagnose_bert` or `diagnose_elmo`."""
    out = _console.console()
    kind = _against(options["against"]) if options.get("against") else _KINDS[model]
    probe, *others = kind.probes
    tiny = tried(probe)
    while others and not tiny.returned:
        tiny = tried(others.pop(0))
    if not tiny.returned:
        crash = _crash(kind, tiny)
        if as_json:
            _print_json(crash)
        else:
            _console.line(out, (crash.verdict, _console.BAD))
        return 1
    warnings.simplefilter("ignore")  # keras-bert warns about initialisers whose values are overwritten
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kind.probes[tiny.call]()
    try:
        with receiving():
            found = kind.diagnose(path, **options)
    except SafeLoadError as exc:
        _console.print_error(exc, as_json=as_json)
        return 2
    if as_json:
        _print_json(found)
    else:
        told = partial(_console.in_options, others={"backend": "against"})
        _console.lines(out, found.text(_console.IN_JSON, told))
    return 0 if found.at_fault == "nothing" else 1


def _against(against: str) -> _Kind:
    """Return how a BERT is compared with another runtime; both are in one process, which either may end."""
    return _Kind(diagnose_bert, against_subject(other_runtime(against)), {AGAINST + against: lambda: None})


def _crash(kind: _Kind, tiny: Finding) -> Diagnosis:
    """Return the diagnosis where a call on a tiny model crashes its process or hangs, so that none is tried in this one."""
    why = f"{tiny.call} of a tiny model: {tiny.message}"
    not_run = f"not run, because {tiny.call} of a tiny model did not return"
    skipped = {
        name: Step(name=name, title=title, status="skipped", finding=not_run)
        for name, title in kind.subject.titles.items()
    }
    failed = replace(skipped[BACKEND], status="failed", finding=why, seconds=tiny.seconds, error=why)
    steps = tuple({**skipped, BACKEND: failed}.values())
    return Diagnosis(at_fault="versions", verdict=f"the versions are at fault: {why}", steps=steps)


def _print_json(found: Diagnosis) -> None:
    _console.print_json({"schema": SCHEMA, **found.to_dict()})
