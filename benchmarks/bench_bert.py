"""Measure safeload against keras-bert on BERT-Base shapes: `python benchmarks/bench_bert.py [--rounds 5]`.

Every sample is a fresh process, as a training script is; the two sides alternate, and the ratios are of medians.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode; a checkout shall have it too

BASE = {"layers": 12, "hidden": 768, "attention_heads": 12, "intermediate": 3072, "vocab": 30522, "positions": 512}
PREFIX = "bert_model.ckpt"


def peak_bytes() -> int:
    """Return the largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def sample_load(side: str, folder: Path) -> dict[str, object]:
    """Load once, with everything imported before the clock starts."""
    import safeload
    from safeload.bert import _backend

    tf = _backend.require_backend().tf
    import keras_bert

    tf.zeros(1)
    before, start = peak_bytes(), time.perf_counter()
    if side == "safeload":
        model = safeload.load_bert(folder / "bert_config.json", folder / PREFIX)
    else:
        config, prefix = str(folder / "bert_config.json"), str(folder / PREFIX)
        model = keras_bert.load_trained_model_from_checkpoint(config, prefix)
    seconds, peak = time.perf_counter() - start, peak_bytes() - before
    weights = sum(weight.shape.num_elements() * 4 for weight in model.weights)
    steps = dict(safeload.report_of(model).seconds) if side == "safeload" else {}
    return {"seconds": seconds, "memory": peak / weights, "steps": steps}


def sample_check(side: str, folder: Path) -> dict[str, object]:
    """Check every checksum in a fresh process, or import TensorFlow in one; the interpreter's start is included."""
    check = f"import safeload; safeload.check_bert({str(folder)!r}, training=True)"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", check if side == "safeload" else "import tensorflow"], check=True, stderr=-3)
    return {"seconds": time.perf_counter() - start}


def in_fresh_process(mode: str, side: str, folder: Path) -> dict[str, object]:
    """Take one sample in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, mode, side, str(folder)], check=True, capture_output=True, text=True
    )
    sample: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return sample


def table(title: str, upstream: str, ours: list[dict], theirs: list[dict], key: str, unit: str) -> None:
    """Print one comparison: medians, spread, ratio."""
    a, b = [[sample[key] for sample in samples] for samples in (ours, theirs)]
    ratio = statistics.median(b) / statistics.median(a)
    print(f"\n{title}")
    for name, values in (("safeload", a), (upstream, b)):
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"  {name:<24} {middle:7.2f} {unit}   ({low:.2f} to {high:.2f})")
    print(f"  ratio                    {ratio:7.2f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, __file__, "write", "", name], check=True)
        loads: dict[str, list[dict]] = {"keras-bert": [], "safeload": []}
        checks: dict[str, list[dict]] = {"tensorflow": [], "safeload": []}
        sample_check("safeload", folder)
        for _ in range(rounds):
            for side, samples in loads.items():
                samples.append(in_fresh_process("load", side, folder))
            for side, samples in checks.items():
                samples.append(sample_check(side, folder))
    print(f"BERT-Base shapes, 440 MB, {rounds} rounds, Python {sys.version.split()[0]}")
    upstream = "load_trained_model_..."
    table("load, everything imported before", upstream, loads["safeload"], loads["keras-bert"], "seconds", "s")
    steps = [sample["steps"] for sample in loads["safeload"]]
    spent = {step: statistics.median([one[step] for one in steps]) for step in steps[0]}
    print("  of safeload's time: " + ", ".join(f"{step} {value:.2f} s" for step, value in spent.items()))
    table("peak memory above the imports, in weights", upstream, loads["safeload"], loads["keras-bert"], "memory", "x")
    table(
        "fresh process: check_bert with every checksum, against import tensorflow",
        "import tensorflow", checks["safeload"], checks["tensorflow"], "seconds", "s",
    )  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] in (["write"], ["load"]):
        mode, side, where = sys.argv[1:]
        if mode == "write":
            from safeload.testing import write_bert_checkpoint

            write_bert_checkpoint(where, **BASE)
        else:
            print(json.dumps(sample_load(side, Path(where))))
    else:
        main()
