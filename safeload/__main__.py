"""Run the command line with `python -m safeload`."""

from __future__ import annotations

from safeload.cli import main

main()
