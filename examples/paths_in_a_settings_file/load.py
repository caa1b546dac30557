"""Load a BERT and an ELMo whose paths are in a settings file.

    python load.py SETTINGS

SETTINGS has the sections BERT and ELMO, as `config.ini` has.
"""

from __future__ import annotations

import sys

import safeload


def main(settings: str) -> None:
    """Load both models, and print what was read."""
    bert = safeload.load_bert(**safeload.read_settings(settings, "BERT"))
    print(safeload.report_of(bert))
    elmo = safeload.load_elmo(**safeload.read_settings(settings, "ELMO"))
    print(safeload.report_of(elmo))


if __name__ == "__main__":
    main(sys.argv[1])
