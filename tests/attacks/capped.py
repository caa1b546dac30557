"""Check a hostile file in a process of its own, under a cap of memory and time.

Run one: `python -m tests.attacks.capped NAME FOLDER`, from the root of the repository, in a folder with a good model; it
prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

from safeload.errors import SafeLoadError
from tests.faults.catalogue import HOSTILE
from tests.faults.hostile import MARK

MEMORY_BYTES = 3 << 30
SECONDS = 40


def run(name, folder):
    """Spoil the model, check it under the caps, and say what came of it."""
    fault = HOSTILE[name]
    fault.spoil(folder)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    start = time.perf_counter()
    try:
        found = {"error": "", "paths": [file.real_path or file.path for file in fault.check(folder).files]}
    except SafeLoadError as exc:
        found = {"error": type(exc).__name__, "text": str(exc)}
    return {**found, "seconds": time.perf_counter() - start, "ran_code": os.path.exists(MARK)}


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], Path(sys.argv[2]))))  # noqa: T201
