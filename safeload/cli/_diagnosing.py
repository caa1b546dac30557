"""Run `safeload doctor bert`: print a diagnosis."""

from __future__ import annotations

import os
import warnings

from safeload.bert import diagnose_bert
from safeload.cli import _console
from safeload.cli._doctoring import tried
from safeload.errors import SafeLoadError

SCHEMA = "safeload-diagnosis/1"


def run(path: str, *, checkpoint: str | None, training: bool, as_json: bool) -> int:
    """Diagnose a BERT, and return the exit code."""
    out = _console.console()
    aborts = tried("load_bert")
    if not aborts.ok and aborts.message.startswith("the process ended"):
        _console.line(
            out, ("the versions are at fault: ", _console.BAD), f"load_bert of a tiny model: {aborts.message}"
        )
        return 1
    warnings.simplefilter("ignore")  # keras-bert warns about initialisers whose values are overwritten
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        found = diagnose_bert(path, checkpoint, training=training)
    except SafeLoadError as exc:
        _console.print_error(exc, as_json=as_json)
        return 2
    if as_json:
        _console.print_json({"schema": SCHEMA, **found.to_dict()})
    else:
        _console.line(out, str(found))
    return 0 if found.at_fault == "nothing" else 1
