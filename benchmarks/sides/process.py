"""A side that is a whole process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

Call = Callable[[], object]


def process(code: str) -> Call:
    """Return a call that runs Python with this code."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)
