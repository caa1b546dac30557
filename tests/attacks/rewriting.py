"""Rewrite the files of two models in place until killed: `python -m tests.attacks.rewriting FOLDER`."""

from __future__ import annotations

import itertools
import sys

from safeload import testing


def main(folder):
    for seed in itertools.count(1):
        testing.write_elmo(folder, seed=seed % 2)
        testing.write_bert_checkpoint(folder, seed=seed % 2)
        if seed == 1:
            sys.stdout.write("begun\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
