"""End the command line in one line while it is still being imported; the package imports this module first."""

from __future__ import annotations

import os
import sys

from safeload._bytes import system


def is_command() -> bool:
    """Return whether this process was started as `safeload` or `python -m safeload`, and not to import it."""
    arguments = getattr(sys, "argv", [])
    if not 0 < len(arguments) <= len(sys.orig_argv):
        return False
    return os.path.basename(sys.orig_argv[-len(arguments)]).removeprefix("-m") == "safeload"


if is_command():
    system.end_on_signals("stopped")
