"""A BERT and an ELMo whose paths stand in `config.ini`, not in the code.

Usage: `python paths_in_a_settings_file.py SETTINGS`, where SETTINGS has the sections BERT and ELMO, as `config.ini` beside
this script has.
"""

from __future__ import annotations

import sys

import safeload
from safeload import read_settings


def main(settings: str) -> None:
    """Load both models from wherever the settings say."""
    bert = safeload.load_bert(**read_settings(settings, "BERT"))
    print(safeload.report_of(bert))
    elmo = safeload.load_elmo(**read_settings(settings, "ELMO"))
    print(safeload.report_of(elmo))


if __name__ == "__main__":
    main(sys.argv[1])
