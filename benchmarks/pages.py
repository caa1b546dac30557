"""Write the tables of speeds and their picture: `python benchmarks/pages.py [FOLDER]`.

Reads each bench-3.X.json in FOLDER, `build/bench` by default. Writes README.md's table, the tables of
docs/explanation/performance.md, and docs/_static/speed.svg.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure
from sides import side_of

ROOT = Path(__file__).parent.parent
README, PERFORMANCE = ROOT / "README.md", ROOT / "docs/explanation/performance.md"
PICTURE = ROOT / "docs/_static/speed.svg"
NO_MEMORY = ("process", "forward", "embed", "check at an address", "convert in a process")
"""What runs in another process, or keeps nothing."""


class Row(NamedTuple):
    """A row of the README's table: what is done, its group, safeload's side, and the sides beside it."""

    text: str
    model: str
    what: str
    ours: str
    peer: str
    peer_text: str
    limit: str


ROWS = (
    Row(
        "load BERT-Base into keras-bert",
        "BERT-Base",
        "load",
        "load_bert",
        "keras_bert",
        "keras-bert's loader",
        "keras_bert_graph",
    ),
    Row(
        "load BERT-Base into transformers",
        "BERT-Base as safetensors",
        "into transformers",
        "load_transformers",
        "from_pretrained",
        "`from_pretrained`, which reads no values",
        "raw_read",
    ),
    Row(
        "load BERT-Base into KerasHub",
        "BERT-Base as safetensors",
        "into KerasHub",
        "load_keras_hub",
        "from_preset",
        "`from_preset`",
        "build_keras_hub",
    ),
    Row("load ELMo into AllenNLP", "ELMo", "load", "load_elmo_allennlp", "allennlp", "AllenNLP's `Elmo`", "raw_read"),
    Row("load ELMo into Keras", "ELMo", "load", "load_elmo_keras", "allennlp", "AllenNLP's `Elmo`", "raw_read"),
    Row("check 300 small models", "300 folders", "check", "check_tree", "modelaudit", "ModelAudit", "raw_scan"),
    Row(
        "check BERT-Base at an address",
        "BERT-Base",
        "check at an address",
        "check_address",
        "download",
        "a download",
        "download",
    ),
)


class Series(NamedTuple):
    """Models of which each is a row of one table: its title, what their names begin with, and what is measured of each."""

    title: str
    prefix: str
    measured: tuple[str, ...]

    def has(self, model: str, what: str) -> bool:
        """Return whether a group belongs to it."""
        return model.startswith(self.prefix) and what in self.measured


SERIES = (
    Series("BERTs of 4 to 48 narrow layers, against keras-bert's own loader", "BERT of ", ("load",)),
    Series(
        "BERT-Base in other forms: a load against one of Google's checkpoint, a check against one read of the bytes",
        "BERT-Base as ",
        ("load", "check", "cold check"),
    ),
)


def runs_in(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what was measured: version of Python -> the file's content."""
    found = {
        path.stem.removeprefix("bench-"): json.loads(path.read_text(encoding="utf-8"))
        for path in folder.glob("bench-*.json")
    }
    return dict(sorted(found.items()))


def seconds(samples: list[dict[str, float]]) -> float:
    """Return the median."""
    return statistics.median(one["seconds"] for one in samples)


def ratio(samples: dict[str, list[dict[str, float]]], side: str, other: str) -> float:
    """Return the median of the ratios of the rounds."""
    return statistics.median(
        one["seconds"] / two["seconds"] for one, two in zip(samples[side], samples[other], strict=True)
    )


def figures(value: float) -> str:
    """Return seconds or a ratio with two figures, and all of its whole ones."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:#.2g}"  # noqa: PLR2004


def compared(value: float) -> str:
    """Return a ratio of the other side's time to safeload's in words."""
    if 0.95 < value < 1.05:  # noqa: PLR2004
        return "as fast"
    return f"{figures(value)} times faster" if value > 1 else f"{figures(1 / value)} times slower"


def groups_of(model: str, what: str, runs: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what was measured of a model: version of Python -> the group."""
    return {
        python: group
        for python, run in runs.items()
        for group in run["groups"]
        if (group["model"], group["what"]) == (model, what)
    }


def samples_of(row: Row, runs: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, float]]] | None:
    """Return the samples of a row, of the first Python that has its two sides."""
    found = (group["samples"] for group in groups_of(row.model, row.what, runs).values())
    return next((samples for samples in found if {row.ours, row.peer} <= set(samples)), None)


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *rows])


def readme_table(runs: dict[str, dict[str, Any]]) -> str:
    """Return the README's table."""
    rows = []
    for row in ROWS:
        samples = samples_of(row, runs)
        if samples:
            against = f"{row.peer_text}: {compared(ratio(samples, row.peer, row.ours))}"
            rows.append([row.text, figures(seconds(samples[row.ours])), against])
    return table(["what", "seconds", "compared with"], rows)


def label_of(side: str) -> str:
    """Return what a side does: the first sentence of its docstring."""
    return re.split(r"[.:](?:\s|$)", side_of(side).__doc__ or side)[0]


def group_tables(runs: dict[str, dict[str, Any]]) -> str:
    """Return what was measured with what, a table for each group with columns for each Python, and one for each series."""
    order = dict.fromkeys((group["model"], group["what"]) for run in runs.values() for group in run["groups"])
    alone = [key for key in order if not any(each.has(*key) for each in SERIES)]
    found = [(each, [model for model, what in order if each.has(model, what)]) for each in SERIES]
    series = [_series_table(each, list(dict.fromkeys(models)), runs) for each, models in found if models]
    return "\n\n".join([_versions(runs), *(_group_table(*key, runs) for key in alone), *series])


def _versions(runs: dict[str, dict[str, Any]]) -> str:
    names = dict.fromkeys(name for run in runs.values() for name in run["versions"])
    return table(["", *runs], [[name, *(run["versions"].get(name, "") for run in runs.values())] for name in names])


def _series_table(series: Series, models: list[str], runs: dict[str, dict[str, Any]]) -> str:
    measured = {(model, what): groups_of(model, what, runs) for model in models for what in series.measured}
    columns = [(python, what) for python in runs for what in series.measured if python in measured[models[0], what]]
    heads = [f"{python}: {what}, {column}" for python, what in columns for column in ("seconds", "ratio")]
    rows = []
    for model in models:
        rows.append([model.removeprefix(series.prefix)])
        for python, what in columns:
            group = measured[model, what].get(python)
            rows[-1] += _cells(group, next(iter(group["kinds"])), has_memory=False) if group else ["", ""]
    return f"### {series.title}\n\n{table(['', *heads], rows)}"


def _group_table(model: str, what: str, runs: dict[str, dict[str, Any]]) -> str:
    found = groups_of(model, what, runs)
    has_memory = what not in NO_MEMORY and model != "300 folders"
    columns = ["seconds", "ratio", *(["memory"] if has_memory else [])]
    rows = []
    for side, kind in _all_kinds(found).items():
        name = f"**{label_of(side)}**" if kind == "safeload" else label_of(side)
        rows.append([name, *(cell for group in found.values() for cell in _cells(group, side, has_memory=has_memory))])
    heads = [f"{python}: {column}" for python in found for column in columns]
    return f"### {model}: {what}\n\n{table(['', *heads], rows)}"


def _all_kinds(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the sides of all Pythons, safeload's first and the limits last."""
    kinds: dict[str, str] = {}
    for group in found.values():
        kinds |= group["kinds"]
    order = ("safeload", "peer", "limit")
    return dict(sorted(kinds.items(), key=lambda item: order.index(item[1])))


def _cells(group: dict[str, Any], side: str, *, has_memory: bool) -> list[str]:
    if side not in group["samples"]:
        return [""] * (3 if has_memory else 2)
    samples = group["samples"]
    cells = [figures(seconds(samples[side])), figures(ratio(samples, side, group["against"]))]
    return [*cells, f"{statistics.median(one['memory'] for one in samples[side]):.2f}"] if has_memory else cells


def replace(path: Path, name: str, text: str) -> None:
    """Replace what a page has between two marks."""
    start, end = f"<!-- from-bench: {name} -->", "<!-- end of from-bench -->"
    page = path.read_text(encoding="utf-8")
    found = re.subn(
        f"({re.escape(start)}\n).*?(\n{re.escape(end)})",
        lambda match: f"{match[1]}\n{text}\n{match[2]}",
        page,
        flags=re.DOTALL,
    )
    if found[1] != 1:
        raise SystemExit(f"{path.name} has no part {name}")
    path.write_text(found[0], encoding="utf-8")


def plot(runs: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw the README's rows: safeload, what it is compared with, and what cannot be left out, in safeload's time."""
    rows = [(row, samples) for row in ROWS if (samples := samples_of(row, runs))]
    mpl.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "safeload", "text.color": "#777", "axes.labelcolor": "#777"}
    )
    figure = Figure(figsize=(8, 0.34 * len(rows) + 0.8), layout="constrained")
    axis = figure.subplots()
    for at, (row, samples) in enumerate(rows):
        own = seconds(samples[row.ours])
        axis.barh(
            at - 0.2, seconds(samples[row.peer]) / own, 0.38, color="#999", label="" if at else "the other library"
        )
        axis.barh(at + 0.2, 1, 0.38, color="#2a78d6", label="" if at else "safeload, every check included")
        if row.limit in samples:
            limit = seconds(samples[row.limit]) / own
            axis.plot(
                [limit, limit],
                [at, at + 0.4],
                color="#e08a00",
                linewidth=2,
                label="" if at else "bytes read, or layers built, alone",
            )
    axis.set_yticks(
        range(len(rows)),
        [f"{row.text}\nagainst {row.peer_text}".replace("`", "") for row, _ in rows],
        fontsize="x-small",
    )
    axis.set_xscale("log")
    axis.set_xlim(0.1)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_xlabel("time, where safeload takes 1", fontsize="small")
    axis.tick_params(colors="#777")
    axis.spines[:].set_visible(False)
    axis.invert_yaxis()
    figure.legend(fontsize="x-small", frameon=False, ncols=3, loc="outside upper right")
    figure.savefig(path, transparent=True, metadata={"Date": None})


def main() -> None:
    """Write the tables and the picture."""
    runs = runs_in(Path(sys.argv[1] if len(sys.argv) > 1 else "build/bench"))
    replace(README, "speed", readme_table(runs))
    replace(PERFORMANCE, "speed", group_tables(runs))
    plot(runs, PICTURE)


if __name__ == "__main__":
    main()
