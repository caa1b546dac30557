"""Measure two workers of one host that load the same ELMo: `python benchmarks/readers.py [--folder FOLDER]`.

Prints for each way to share the work the seconds until both models are there, the bytes that the disk gave, and how much memory the
workers take for the model, each for itself and together. Linux only.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models

import safeload

if TYPE_CHECKING:
    from collections.abc import Callable

MODES = ("each its own, cold", "each its own", "one after the other, cold", "one reader, forked")


def load(folder: Path) -> Any:
    """Load the model as a worker does."""
    return safeload.load_elmo(folder, backend="torch")


def use(model: Any) -> None:
    """Compute with a model once, without changing it."""
    import torch

    with torch.no_grad():
        model(safeload.character_ids([["A", "good", "film"]]))


def facts(seconds: float) -> dict[str, float]:
    """Return what this process read from the disk, and its memory in bytes: its own, and its part of all."""
    memory = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in memory.splitlines()[1:]}
    disk = Path("/proc/self/io").read_text(encoding="ascii").split("read_bytes: ")[1].split()[0]
    own = sizes["Private_Clean"] + sizes["Private_Dirty"]
    return {"seconds": seconds, "disk": int(disk), "own": own, "part": sizes["Pss"]}


def worker(folder: Path, start: Any, both: Any, results: Any) -> None:
    """Load the model when all are ready, and say what it cost once all have loaded."""
    import torch  # noqa: F401

    before = facts(0)
    start.wait()
    begun = time.perf_counter()
    model = load(folder)
    seconds = time.perf_counter() - begun
    use(model)
    both.wait()
    found = facts(seconds)
    both.wait()
    results.put({key: value - before[key] for key, value in found.items()})


def own_copies(folder: Path, *, at_once: bool) -> list[dict[str, float]]:
    """Load in two processes, at once or one after the other."""
    context = multiprocessing.get_context("spawn")
    results, both = context.Queue(), context.Barrier(2)
    starts = [context.Event(), context.Event()]
    workers = [context.Process(target=worker, args=(folder, start, both, results)) for start in starts]
    for each in workers:
        each.start()
    time.sleep(20)  # both have imported torch
    starts[0].set()
    if not at_once:
        time.sleep(8)
    starts[1].set()
    found = [results.get() for _ in workers]
    for each in workers:
        each.join()
    return found


def forked(folder: Path) -> list[dict[str, float]]:
    """Load once, and fork two workers that have the pages in common."""
    import torch

    torch.set_num_threads(1)
    disk_before, begun = facts(0)["disk"], time.perf_counter()
    model = load(folder)
    seconds, disk = time.perf_counter() - begun, facts(0)["disk"] - disk_before
    context = multiprocessing.get_context("fork")
    results, both = context.Queue(), context.Barrier(2)

    def child() -> None:
        use(model)
        both.wait()
        found = facts(seconds)
        both.wait()
        results.put({**found, "disk": disk / 2})

    workers = [context.Process(target=child) for _ in range(2)]
    for each in workers:
        each.start()
    found = [results.get() for _ in workers]
    for each in workers:
        each.join()
    return found


def forget(folder: Path) -> None:
    """Take the files out of the page cache, so that the disk has to give them."""
    for path in models.weight_files(folder):
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def measure(mode: str, folder: Path) -> list[dict[str, float]]:
    """Measure one way."""
    if mode.endswith("cold"):
        forget(folder)
    run: dict[str, Callable[[], list[dict[str, float]]]] = {
        "one reader, forked": lambda: forked(folder),
        "one after the other, cold": lambda: own_copies(folder, at_once=False),
    }
    return run.get(mode, lambda: own_copies(folder, at_once=True))()


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--mode", choices=MODES)
    options = parser.parse_args()
    if options.mode:
        print(json.dumps(measure(options.mode, options.folder)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary, "elmo")
        if not folder.exists():
            models.write("ELMo", folder)
        size = sum(path.stat().st_size for path in models.weight_files(folder))
        print(f"weights {size / 1e6:.0f} MB; memory and bytes of the disk in sizes of the weights")
        for mode in MODES:
            command = [sys.executable, __file__, "--folder", str(folder), "--mode", mode]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found = json.loads(done.stdout)
            disk, own, part = (sum(each[key] for each in found) / size for key in ("disk", "own", "part"))
            times = ", ".join(f"{each['seconds']:.2f}" for each in found)
            print(f"{mode:<27} loads {times} s; disk {disk:.2f}; own memory {own:.2f}; memory of both {part:.2f}")


if __name__ == "__main__":
    main()
