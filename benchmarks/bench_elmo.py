"""Measure safeload against AllenNLP on the original ELMo's shapes: `python benchmarks/bench_elmo.py [--rounds 5]`.

Every sample is a fresh process, as a training script is; the sides alternate, and the ratios are of medians. Where
AllenNLP cannot be installed, only what needs no AllenNLP is measured.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode; a checkout shall have it too

FILTERS = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024))
ORIGINAL = {"layers": 2, "dim": 4096, "projection": 512, "char_dim": 16, "filters": FILTERS, "highways": 2}
HAS_ALLENNLP = importlib.util.find_spec("allennlp") is not None
SENTENCES = [[f"word{row * 31 + position}" for position in range(30)] for row in range(32)]


def load(side: str, folder: Path) -> object:
    """Load once: "upstream" is AllenNLP's own call."""
    if side == "upstream":
        from allennlp.modules.elmo import Elmo

        return Elmo(str(folder / "options.json"), str(folder / "weights.hdf5"), 1)
    import safeload

    return safeload.load_elmo(folder, backend=side)


def import_for(side: str) -> None:
    """Import what a side needs, and let it settle."""
    if side == "keras":
        import tensorflow as tf

        import safeload.keras  # noqa: F401

        tf.zeros(1)
        return
    import torch

    if side != "torch":
        import allennlp.modules.elmo  # noqa: F401
    torch.zeros(1)


def sample_load(side: str, folder: Path) -> dict[str, float]:
    """Load once, with everything imported before the clock starts."""
    import_for(side)
    start = time.perf_counter()
    load(side, folder)
    return {"seconds": time.perf_counter() - start}


def sample_forward(side: str, folder: Path) -> dict[str, float]:
    """Run 32 sentences of 30 words, as at inference, three times after one to warm up."""
    from safeload.elmo._characters import ids_of

    forward = forward_of(side, folder, ids_of(SENTENCES))
    spent = []
    for _ in range(4):
        start = time.perf_counter()
        forward()
        spent.append(time.perf_counter() - start)
    return {"seconds": statistics.median(spent[1:])}


def forward_of(side: str, folder: Path, ids: NDArray[np.int64]) -> Callable[[], object]:
    """Return a function that runs the module once, as Keras's `predict` or torch's users do."""
    if side == "keras":
        import tensorflow as tf

        layer, batch = tf.function(load(side, folder)), tf.constant(ids, tf.int32)
        return lambda: layer(batch)
    import torch

    module, given = load(side, folder).eval(), torch.from_numpy(ids)

    def forward() -> object:
        with torch.no_grad():
            return module(given)

    return forward


def in_fresh_process(*arguments: str) -> dict[str, float]:
    """Take one sample in a process of its own; "start" is the whole process."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    if arguments[0] == "start":
        return {"seconds": time.perf_counter() - start}
    sample: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return sample


def seconds_of(*command: str) -> float:
    """Return the time of a command, its process included."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def sample_check(folder: Path) -> dict[str, float]:
    """Check all datasets in a fresh process; against `cat` on the warm file plus the interpreter's start."""
    check = f"import safeload; safeload.check_elmo({str(folder)!r})"
    return {
        "check_elmo": seconds_of(sys.executable, "-c", check),
        "cat": seconds_of("cat", str(folder / "weights.hdf5")),
        "python": seconds_of(sys.executable, "-c", "pass"),
    }


def table(title: str, samples: dict[str, list[float]], upstream: str) -> None:
    """Print one comparison: medians, spread, ratios."""
    print(f"\n{title}")
    for name, values in samples.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        ratio = statistics.median(samples[upstream]) / middle if upstream in samples else 0.0
        times = f"   {ratio:5.2f} times faster" if ratio and name != upstream else ""
        print(f"  {name:<34} {middle:7.3f} s   ({low:.3f} to {high:.3f}){times}")


def measure(mode: str, folder: Path, rounds: int) -> dict[str, list[float]]:
    """Take samples of one kind from every side, alternating."""
    names = {side: f"safeload, backend='{side}'" for side in ("torch", "keras", "allennlp")} | {"upstream": "AllenNLP"}
    sides = [side for side in names if HAS_ALLENNLP or side in ("torch", "keras")]
    samples: dict[str, list[float]] = {names[side]: [] for side in sides}
    for _ in range(rounds):
        for side in sides:
            samples[names[side]].append(in_fresh_process(mode, side, str(folder))["seconds"])
    return samples


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, __file__, "write", "", name], check=True)
        sample_check(folder)
        checks = [sample_check(folder) for _ in range(2 * rounds + 1)]
        print(f"The original ELMo's shapes, 374 MB, {rounds} rounds, Python {sys.version.split()[0]}")
        table("load, everything imported before", measure("load", folder, rounds), "AllenNLP")
        table("from process start to the module", measure("start", folder, rounds), "AllenNLP")
        table("forward, 32 sentences of 30 words, inference", measure("forward", folder, rounds), "AllenNLP")
    spent = {key: statistics.median([one[key] for one in checks]) for key in checks[0]}
    print("\nfresh process: check_elmo, every dataset, against cat of the warm file plus the interpreter's start")
    print("  " + ", ".join(f"{key} {value:.3f} s" for key, value in spent.items()))
    print(f"  ratio {spent['check_elmo'] / (spent['cat'] + spent['python']):.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] in (["write"], ["load"], ["start"], ["forward"]):
        mode, side, where = sys.argv[1:]
        if mode == "write":
            from safeload.testing import write_elmo

            write_elmo(where, **ORIGINAL)
        elif mode == "start":
            load(side, Path(where))
        else:
            print(json.dumps({"load": sample_load, "forward": sample_forward}[mode](side, Path(where))))
    else:
        main()
