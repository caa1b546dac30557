"""Measure safeload against what it replaces: `python benchmarks/bench.py [--rounds 5] [--only TEXT] [--out FOLDER]`.

Every sample is a fresh process, as a training script is. The sides of a group alternate, and each ratio is of one round, so
that a slow minute of the machine falls on all sides alike. Prints a table; writes bench.json and bench.svg into FOLDER.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import models
import sides
from rich.console import Console
from rich.progress import track
from rich.table import Table

from safeload._frameworks.packages import version_of

SIDES = Path(__file__).with_name("sides.py")
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
OURS = (
    "load_",
    "check_",
    "cold_check",
    "process_check",
    "process_load",
    "forward_torch",
    "forward_keras",
    "embed_elmo",
    "save_",
)
"""How the names of safeload's sides begin."""

WRITERS = {
    "safetensors": "write_safetensors",
    "load_state_dict": "write_safetensors",
    "load_state_dict_locked": "write_safetensors",
    "saved_model": "write_module",
}
"""Side -> the side that writes with an upstream library what it reads, once and not measured."""

HAS_ALLENNLP = importlib.util.find_spec("allennlp") is not None

Samples = dict[str, list[dict[str, float]]]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Sides that are measured together.

    Attributes:
        title: What is measured.
        model: One of models.MODELS.
        sides: Names of functions in sides.py.
        against: The side that the others are divided by.
    """

    title: str
    model: str
    sides: tuple[str, ...]
    against: str


def groups() -> list[Group]:
    """Return what can be measured here; without AllenNLP, what needs none."""
    loads = ("load_bert", "keras_bert", "keras_bert_graph", "tensorflow_restore", "safetensors", "raw_read")
    found = []
    for model in ("BERT-Base", "BERT-Large"):
        found += [
            Group(title="load", model=model, sides=loads, against="keras_bert"),
            Group(title="check", model=model, sides=("check_bert", "raw_scan"), against="raw_scan"),
        ]
    tensors, locked = ("load_state_dict", "safetensors_torch"), ("load_state_dict_locked", "sha256sum")
    found += [
        Group(title="state dict", model="BERT-Base", sides=tensors, against="safetensors_torch"),
        Group(title="locked state dict", model="BERT-Base", sides=locked, against="sha256sum"),
    ]
    process = ("process_check_bert", "process_import_tensorflow")
    found.append(Group(title="process", model="BERT-Base", sides=process, against="process_import_tensorflow"))
    backends = ("torch", "keras", "allennlp") if HAS_ALLENNLP else ("torch", "keras")
    upstream = ("allennlp",) if HAS_ALLENNLP else ()
    elmo_loads = (*(f"load_elmo_{backend}" for backend in backends), *upstream, "raw_read")
    forwards = ("forward_torch", "forward_keras", *(f"forward_{name}" for name in upstream))
    found += [
        Group(title="load", model="ELMo", sides=elmo_loads, against=(*upstream, "raw_read")[0]),
        Group(title="forward", model="ELMo", sides=forwards, against=forwards[-1]),
        Group(title="check", model="ELMo", sides=("check_elmo", "raw_scan"), against="raw_scan"),
        Group(title="load", model=models.TF_HUB, sides=("load_elmo_text", "saved_model"), against="saved_model"),
        Group(title="convert", model="BERT-Base", sides=("save_converted", "copy_files"), against="copy_files"),
        Group(title="save", model="ELMo", sides=("save_elmo", "raw_write"), against="raw_write"),
        Group(
            title="embed",
            model="ELMo",
            sides=("embed_elmo", "embed_elmo_sorted", *(f"embed_{name}" for name in upstream)),
            against=("embed_elmo", *(f"embed_{name}" for name in upstream))[-1],
        ),
        Group(
            title="process",
            model="ELMo",
            sides=(
                "process_check_elmo",
                "process_load_elmo",
                *(f"process_{name}" for name in upstream),
                "process_import_torch",
            ),
            against="process_import_torch",
        ),
    ]
    for model in models.IN_FORMS:
        found += [
            Group(title="load", model=model, sides=("load_bert", "load_google"), against="load_google"),
            Group(title="check", model=model, sides=("check_bert", "raw_scan"), against="raw_scan"),
            Group(title="cold check", model=model, sides=("cold_check_bert", "cold_scan"), against="cold_scan"),
        ]
    if importlib.util.find_spec("keras_hub"):
        model = "BERT-Base as safetensors"
        into_torch = ("load_transformers", "load_google_transformers", "from_pretrained", "from_pretrained_read")
        processes = ("process_load_transformers", "process_from_pretrained", "process_import_transformers")
        found += [
            Group(title="into transformers", model=model, sides=into_torch, against="from_pretrained"),
            Group(title="process", model=model, sides=processes, against="process_from_pretrained"),
            Group(title="into KerasHub", model=model, sides=("load_keras_hub", "from_preset"), against="from_preset"),
        ]
    for layers in models.LAYERS:
        model = f"BERT of {layers} layers"
        found.append(Group(title="load", model=model, sides=("load_bert", "keras_bert"), against="keras_bert"))
    return found


def sample(side: str, folder: Path) -> dict[str, float]:
    """Take one sample in a process of its own."""
    done = subprocess.run([sys.executable, SIDES, side, folder], check=True, capture_output=True, text=True)
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
    n_words = sum(map(len, sides.BATCH))
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


def plot(results: list[tuple[Group, Samples]], path: Path) -> None:
    """Draw a bar for each side of each group, its spread as a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.3 * sum(len(samples) + 2 for _, samples in results)), layout="constrained")
    heights = [len(samples) + 1 for _, samples in results]
    axes = figure.subplots(len(results), 1, gridspec_kw={"height_ratios": heights}, squeeze=False)[:, 0]
    for axis, (group, samples) in zip(axes, results, strict=True):
        taken = {side: [one["seconds"] for one in found] for side, found in samples.items()}
        middle = [statistics.median(values) for values in taken.values()]
        below = [at - min(values) for at, values in zip(middle, taken.values(), strict=True)]
        above = [max(values) - at for at, values in zip(middle, taken.values(), strict=True)]
        axis.barh(
            list(taken),
            middle,
            xerr=[below, above],
            color=["C1" if side.startswith(OURS) else "C7" for side in taken],
        )
        axis.invert_yaxis()
        axis.set_title(f"{group.model}, {group.title}: seconds", fontsize="small", loc="left")
    figure.savefig(path)


def main() -> None:
    """Measure, print the table, write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="samples of each side (default: 5)")
    parser.add_argument("--only", default="", metavar="TEXT", help="the groups whose name holds this, as 'ELMo, load'")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), metavar="FOLDER")
    arguments = parser.parse_args()
    wanted = [group for group in groups() if arguments.only in f"{group.model}, {group.title}"]
    results = []
    with tempfile.TemporaryDirectory() as name:
        folders: dict[str, Path] = {}
        for group in track(wanted, description="measuring"):
            if group.model not in folders:
                folders[group.model] = Path(name) / group.model
                models.write(group.model, folders[group.model])
                for writer in (WRITERS[side] for side in group.sides if side in WRITERS):
                    command = [sys.executable, SIDES, writer, folders[group.model]]
                    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            results.append((group, measure(group, folders[group.model], arguments.rounds)))
    Console(width=150).print(table_of(results))
    print(*layer_lines(results), *word_lines(results), sep="\n")
    arguments.out.mkdir(parents=True, exist_ok=True)
    kept = [
        {"model": group.model, "what": group.title, "against": group.against, "samples": samples}
        for group, samples in results
    ]
    text = json.dumps({"rounds": arguments.rounds, "versions": versions(), "groups": kept}, indent=1)
    (arguments.out / "bench.json").write_text(text, encoding="utf-8")
    plot(results, arguments.out / "bench.svg")
    print(f"written: {arguments.out / 'bench.json'}, {arguments.out / 'bench.svg'}")


if __name__ == "__main__":
    main()
