"""Load BERT and ELMo, and the weights of any model, safely: a wrong path, file or config is an error at the load call."""

from __future__ import annotations

from safeload import _early  # noqa: F401  (first, so that Ctrl-C ends a command during the imports below)
from safeload._convert import convert, save_bert
from safeload._expected import compare_outputs, save_outputs
from safeload._outputs.report import OutputsReport
from safeload._reports import report_of
from safeload._version import __version__  # noqa: F401  (public, though no name to import with *)
from safeload.bert import FULL_LENGTH, Diagnosis, check_bert, diagnose_bert, load_bert, load_vocabulary
from safeload.elmo import character_ids, check_elmo, diagnose_elmo, load_elmo, save_elmo
from safeload.errors import SafeLoadError, SafeLoadWarning
from safeload.fleet import CheckResult, check_many
from safeload.report import LoadReport, SaveReport
from safeload.settings import read_settings
from safeload.weights import WeightsReport, check_weights, load_state_dict

__all__ = [
    "FULL_LENGTH",
    "CheckResult",
    "Diagnosis",
    "LoadReport",
    "OutputsReport",
    "SafeLoadError",
    "SafeLoadWarning",
    "SaveReport",
    "WeightsReport",
    "character_ids",
    "check_bert",
    "check_elmo",
    "check_many",
    "check_weights",
    "compare_outputs",
    "convert",
    "diagnose_bert",
    "diagnose_elmo",
    "load_bert",
    "load_elmo",
    "load_state_dict",
    "load_vocabulary",
    "read_settings",
    "report_of",
    "save_bert",
    "save_elmo",
    "save_outputs",
]
