"""Measure how a check grows with the number of models: `python benchmarks/scale.py [--models 1000 10000 100000] [--wide]`.

The tree has a tiny BERT in each folder, hard links to the files of one. For each number of models a line says how long the search alone
takes and how much memory, and the same of a whole check that prints JSON Lines. Linux only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from safeload.testing import write_bert

N_LINKS = 50_000
"""Hard links to one file; file systems limit them, ext4 to 65,000."""

N_IN_FOLDER = 1_000
SEARCH = """
import sys
from safeload.fleet._tree import BERT_OR_ELMO, find_models
for found in find_models(BERT_OR_ELMO, sys.argv[1:]):
    print(found.path)
"""


def make(folder: Path, n_models: int, *, is_wide: bool) -> Path:
    """Write a tree of models, in folders of a thousand or all in one, and return its root."""
    root = folder / f"{n_models}"
    for number in range(n_models):
        if number % N_LINKS == 0:
            source = write_bert(folder / "sources" / f"{n_models}-{number}", layers=1, heads=False)
            files = list(source.iterdir())
        place = root / ("" if is_wide else f"{number // N_IN_FOLDER:05d}") / f"{number:07d}"
        place.mkdir(parents=True)
        for file in files:
            os.link(file, place / file.name)
    return root


def measure(command: list[str]) -> tuple[int, float, float, float]:
    """Return how many lines a command prints, the seconds until the second and the last, and its largest memory in MB."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE)
    n_lines, first = 0, 0.0
    for n_lines, _ in enumerate(process.stdout or (), 1):
        first = time.perf_counter() - begun if n_lines == 2 else first  # noqa: PLR2004  (JSON Lines begin with the run)
    seconds = time.perf_counter() - begun
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {command}")
    return n_lines, first, seconds, usage.ru_maxrss / 1e3


def require(n_found: int, n_wanted: int) -> None:
    """Require that nothing was lost."""
    if n_found != n_wanted:
        raise SystemExit(f"{n_found:,} lines, not {n_wanted:,}")


def main() -> None:
    """Print a line for each number of models."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--wide", action="store_true", help="Put all models into one folder.")
    parser.add_argument("--search", action="store_true", help="Measure the search alone.")
    options = parser.parse_args()
    for n_models in options.models:
        with tempfile.TemporaryDirectory() as temporary:
            root = make(Path(temporary), n_models, is_wide=options.wide)
            n_found, first, searched, memory = measure(["-c", SEARCH, str(root)])
            require(n_found, n_models)
            rate = n_models / searched
            print(
                f"{n_models:>7,} found: {searched:.2f} s, first {first:.2f} s, {rate:,.0f}/s, {memory:.0f} MB",
                flush=True,
            )
            if options.search:
                continue
            n_lines, first, checked, memory = measure(["-m", "safeload", "check", str(root), "--format", "jsonl"])
            require(n_lines, n_models + 2)
            rate = n_models / checked
            print(
                f"{n_models:>7,} checked: {checked:.2f} s, first {first:.2f} s, {rate:,.0f}/s, {memory:.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
