"""What is measured: each side imports what it needs, and returns the call that is timed, once, in a process of its own.

In this folder's parent, `python -m sides SIDE FOLDER` prints one sample as JSON: seconds, and the growth of the process's largest
size in sizes of the weights.
"""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from models import weight_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from sides.process import Call

MODULES = ("files", "keras_bert", "today", "elmo", "tensors", "trees")


def side_of(name: str) -> Callable[[Path], Call]:
    """Return the side of a name."""
    for module in MODULES:
        side: Callable[[Path], Call] | None = vars(importlib.import_module(f"sides.{module}")).get(name)
        if side is not None:
            return side
    raise LookupError(name)


def sample(side: str, folder: Path) -> dict[str, float]:
    """Time one call of a side."""
    call = side_of(side)(folder)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is reset to the present size
    before, start = _peak_bytes(), time.perf_counter()
    result = call()
    seconds, grown = time.perf_counter() - start, _peak_bytes() - before
    del result
    return {"seconds": seconds, "memory": grown / sum(path.stat().st_size for path in weight_files(folder))}


def _peak_bytes() -> int:
    """Return the largest resident size; not `ru_maxrss`, which a new process takes over from the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
