"""Measure safeload against what it replaces: `python benchmarks/bench.py [--rounds 5] [--only TEXT...] [--out FOLDER]`.

Every sample is a fresh process, as a training script is. The sides of a group alternate, and each ratio is of one round, so
that a slow minute of the machine falls on all sides alike. Prints a table; writes a file such as bench-3.11.json into FOLDER, which
`benchmarks/pages.py` turns into the tables of the pages.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import models
from groups import WRITERS, Group, groups
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sides.elmo import BATCH

from safeload._frameworks.packages import version_of

PACKAGES = (
    "tensorflow",
    "tf-keras",
    "keras-bert",
    "keras-hub",
    "torch",
    "transformers",
    "allennlp",
    "numpy",
    "h5py",
    "safetensors",
)
HERE = Path(__file__).parent
Samples = dict[str, list[dict[str, float]]]


def sample(side: str, folder: Path) -> dict[str, float]:
    """Take one sample in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "sides", side, folder], check=True, capture_output=True, text=True, cwd=HERE
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(group: Group, folder: Path, rounds: int) -> Samples:
    """Take the samples of a group: one of each side that does not count, then each side in turn."""
    samples: Samples = {side: [] for side in group.sides}
    for number in range(rounds + 1):
        for side in group.sides:
            found = sample(side, folder)
            if number:
                samples[side].append(found)
    return samples


def ratios(group: Group, samples: Samples, side: str) -> list[float]:
    """Return the side's seconds by those of the side that it is compared with, round by round."""
    return [one["seconds"] / other["seconds"] for one, other in zip(samples[side], samples[group.against], strict=True)]


def spread(values: list[float], digits: int = 2) -> str:
    """Return the median, and the least and the most in brackets."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def table_of(results: list[tuple[Group, Samples]]) -> Table:
    """Return the one table."""
    table = Table(title="seconds; ratios to the side in the same group; memory in sizes of the weights")
    for name in ("model", "what", "side", "seconds", "ratio", "to", "memory"):
        table.add_column(name, justify="left" if name in ("model", "what", "side", "to") else "right")
    for group, samples in results:
        for side, taken in samples.items():
            seconds = spread([one["seconds"] for one in taken], 3)
            memory = (
                ""
                if group.title in ("process", "forward", "embed")
                else f"{statistics.median(one['memory'] for one in taken):.2f}"
            )
            ratio = spread(ratios(group, samples, side))
            table.add_row(group.model, group.title, side, seconds, ratio, group.against, memory)
        table.add_section()
    return table


def layer_lines(results: list[tuple[Group, Samples]]) -> list[str]:
    """Return what one more layer costs between each two depths: the same, where the cost is linear."""
    loads = [(group, samples["load_bert"]) for group, samples in results if "load_bert" in samples]
    took = {group.model: statistics.median(one["seconds"] for one in taken) for group, taken in loads}
    seconds = [
        (layers, took[f"BERT of {layers} layers"]) for layers in models.LAYERS if f"BERT of {layers} layers" in took
    ]
    return [
        f"load_bert, {first} to {last} layers: {1000 * (after - before) / (last - first):.1f} ms for each layer"
        for (first, before), (last, after) in itertools.pairwise(seconds)
    ]


def word_lines(results: list[tuple[Group, Samples]]) -> list[str]:
    """Return the words that each embedder embeds in a second."""
    n_words = sum(map(len, BATCH))
    return [
        f"{side}: {n_words / statistics.median(one['seconds'] for one in taken):.0f} words per second"
        for group, samples in results
        if group.title == "embed"
        for side, taken in samples.items()
    ]


def versions() -> dict[str, str]:
    """Return what was measured with what."""
    found = {package: version_of(package) for package in PACKAGES}
    return {"python": platform.python_version(), **{name: version for name, version in found.items() if version}}


def write_files(results: list[tuple[Group, Samples]], arguments: argparse.Namespace) -> Path:
    """Write the samples as JSON, and return the path."""
    kept = [
        {
            "model": group.model,
            "what": group.title,
            "against": group.against,
            "kinds": {side: group.kind_of(side) for side in group.sides},
            "samples": samples,
        }
        for group, samples in results
    ]
    text = json.dumps({"rounds": arguments.rounds, "versions": versions(), "groups": kept}, indent=1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path: Path = arguments.out / f"bench-{sys.version_info.major}.{sys.version_info.minor}.json"
    path.write_text(text, encoding="utf-8")
    return path


def main() -> None:
    """Measure, print the table, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="samples of each side (default: 5)")
    parser.add_argument("--only", nargs="+", default=[""], metavar="TEXT", help="groups whose name holds one of these")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), metavar="FOLDER")
    arguments = parser.parse_args()
    wanted = [group for group in groups() if any(text in f"{group.model}, {group.title}" for text in arguments.only)]
    if not wanted:
        raise SystemExit(f"no group has a name with one of {arguments.only}")
    results = []
    with tempfile.TemporaryDirectory() as name:
        written = set()
        for group in track(wanted, description="measuring"):
            folder = Path(name) / group.model
            if not folder.exists():
                models.write(group.model, folder)
            for writer in {WRITERS[side] for side in group.sides if side in WRITERS}:
                if (folder, writer) not in written:
                    command = [sys.executable, "-m", "sides", writer, folder]
                    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=HERE)
                    written.add((folder, writer))
            results.append((group, measure(group, folder, min(arguments.rounds, group.max_rounds))))
            path = write_files(results, arguments)  # after each group: a run takes most of an hour
    Console(width=150).print(table_of(results))
    print(*layer_lines(results), *word_lines(results), sep="\n")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
