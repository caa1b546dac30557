"""A BERT beside the script, found from whichever folder the script is started in.

Usage: `python relative_to_this_script.py`, with a folder `models/bert` beside it.
"""

from __future__ import annotations

from pathlib import Path

import safeload

HERE = Path(__file__).parent


def main() -> None:
    """Load the model that lies beside this file."""
    model = safeload.load_bert("models/bert", base_dir=HERE)
    print(safeload.report_of(model))


if __name__ == "__main__":
    main()
