"""Find out why a load fails or a model's numbers look wrong: the files, the versions, TensorFlow, keras-bert or safeload.

    python examples/diagnose.py [FOLDER]

FOLDER holds a BERT. Without it, a tiny one is written whose checkpoint lost its end, as in a download that broke off.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import safeload


def main(folder: Path) -> int:
    """Print the diagnosis; return 0 where nothing is at fault."""
    diagnosis = safeload.diagnose_bert(folder)
    print(diagnosis)
    return 0 if diagnosis.at_fault == "nothing" else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    from safeload.testing import truncate, write_bert_checkpoint

    with tempfile.TemporaryDirectory() as name:
        write_bert_checkpoint(name)
        truncate(name)
        sys.exit(main(Path(name)))
