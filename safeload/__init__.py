"""Load BERT and ELMo weights safely: every wrong path, file, byte and config is an error at the load call."""

from __future__ import annotations

from safeload.bert import FULL_LENGTH, Diagnosis, check_bert, diagnose_bert, load_bert, load_vocabulary
from safeload.elmo import character_ids, check_elmo, load_elmo
from safeload.errors import SafeLoadError
from safeload.report import LoadReport, report_of
from safeload.settings import read_settings

__version__ = "0.1.0"

__all__ = [
    "FULL_LENGTH",
    "Diagnosis",
    "LoadReport",
    "SafeLoadError",
    "character_ids",
    "check_bert",
    "check_elmo",
    "diagnose_bert",
    "load_bert",
    "load_elmo",
    "load_vocabulary",
    "read_settings",
    "report_of",
]
