"""Fuzz one target with coverage: `python -m tests.fuzz.run TARGET [options of libFuzzer] [corpus folders]`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["safeload", "tests.fuzz.targets"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()
