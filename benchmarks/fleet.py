"""Time a check of a tree against other scanners: `python benchmarks/fleet.py [--rounds 3] [--modelaudit PATH] [--modelscan PATH]`.

The tree has 300 folders of tiny models in forms of TensorFlow, PyTorch and Keras, of which 8 are broken, each in another way. The scanners
take turns. A line says for each the median time, its exit code, and how many of the 8 its output names.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from safeload import testing

if TYPE_CHECKING:
    from collections.abc import Callable

N_MODELS = 300
FORMS = ("tensorflow", "torch", "hdf5/keras-bert")
FAULTS: dict[int, Callable[[Path], None]] = {
    6: testing.truncate,
    43: testing.truncate,
    80: testing.as_html_page,
    111: testing.flip_bit,
    150: lambda folder: testing.edit_config(folder, vocab_size=31),
    201: testing.remove_shard,
    248: testing.poison,
    298: testing.as_lfs_pointer,
}
"""The number of a folder -> what is wrong with it; the remainder by 3 is its form."""

REMARKS = ("info", "debug")
"""The severities of what is no complaint."""


def make(root: Path) -> list[str]:
    """Write the tree, and return the names of the broken folders."""
    for number in range(N_MODELS):
        folder = root / f"model_{number:03d}"
        testing.write_bert(folder, form=FORMS[number % len(FORMS)], seed=number)
        if number in FAULTS:
            FAULTS[number](folder)
    return [f"model_{number:03d}" for number in FAULTS]


def arguments(scanner: str, root: Path, out: Path) -> list[str]:
    """Return the arguments of a scanner's command, which writes what it finds into a file, as JSON."""
    return {
        "safeload": ["check", str(root), "--format", "json", "-q", "-o", str(out)],
        "ModelAudit": ["scan", str(root), "--format", "json", "--output", str(out), "--no-cache"],
        "ModelScan": ["-p", str(root), "-r", "json", "-o", str(out)],
    }[scanner]


def scanners(options: argparse.Namespace, root: Path, out: Path) -> dict[str, list[str]]:
    """Return the command of each scanner that is there."""
    programs = {
        "safeload": [sys.executable, "-m", "safeload"],
        "ModelAudit": options.modelaudit and [options.modelaudit],
        "ModelScan": options.modelscan and [options.modelscan],
    }
    return {name: [*program, *arguments(name, root, out)] for name, program in programs.items() if program}


def named_by(out: Path) -> set[str]:
    """Return the folders that a scanner complains about, in more than remarks and lists of what it skipped."""
    if not out.exists():
        return set()
    found = json.loads(out.read_text(encoding="utf-8"))
    if "models" in found:  # safeload's own
        complaints = [each["path"] for each in found["models"] if not each["ok"]]
    else:
        issues = [each for each in found.get("issues", []) if each.get("severity", "").lower() not in REMARKS]
        complaints = [*issues, *found.get("errors", [])]
    return set(re.findall(r"model_\d{3}", json.dumps(complaints)))


def main() -> None:
    """Print a line for each scanner."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--modelaudit", help="The command of ModelAudit.")
    parser.add_argument("--modelscan", help="The command of ModelScan.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root, out = Path(temporary, "tree"), Path(temporary, "found.json")
        broken = set(make(root))
        commands = scanners(options, root, out)
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        lines: dict[str, str] = {}
        for _ in range(options.rounds):
            for name, command in commands.items():
                out.unlink(missing_ok=True)
                begun = time.perf_counter()
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                seconds[name].append(time.perf_counter() - begun)
                found = named_by(out)
                lines[name] = (
                    f"exit code {done.returncode}, names {len(found & broken)} of {len(broken)}, {len(found - broken)} others"
                )
                if name == "safeload" and found != broken:
                    raise SystemExit(f"safeload found {sorted(found)}, not {sorted(broken)}: {done.stderr}")
        ours = seconds["safeload"]
        for name, times in seconds.items():
            ratio = statistics.median(theirs / own for theirs, own in zip(times, ours, strict=True))
            print(f"{name:<10} {statistics.median(times):7.2f} s, {ratio:5.1f} times safeload's; {lines[name]}")


if __name__ == "__main__":
    main()
