"""Describe a path and its contents, as a table, as JSON or as an HTML page."""

from __future__ import annotations

import itertools
import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

from safeload._boundary import typed_errors
from safeload._bytes.archives.locating import given_ref, located
from safeload._bytes.kinds import sniff
from safeload._json import read_json_object
from safeload._recognise import what_config
from safeload._text.progress import progress
from safeload._text.words import counted
from safeload.bert._vocabulary import VOCAB_NAME, read_vocabulary
from safeload.cli import _console
from safeload.cli._receiving import receiving
from safeload.cli._statistics import Statistics, number, remark, statistics_of
from safeload.cli._weights import Tensor, Weights, open_given
from safeload.errors import SafeLoadError, UnsafeFileError
from safeload.fleet._found import Model
from safeload.fleet._kinds import kinds_at
from safeload.fleet._tree import BERT_OR_ELMO, find_models
from safeload.weights._places import has_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from safeload._bytes.files import FileRef

SCHEMA = "safeload-inspect/1"
MAX_MODELS = 1_000
"""How many models of a folder are listed."""

_TEXTS = ("variable", "shape", "dtype", "remark", "odd")


def run(given: str, *, stats: bool, html: str | None, as_json: bool) -> int:
    """Print a description of a path, and return the exit code."""
    try:
        return _describe(given, stats=stats, html=html, as_json=as_json)
    except SafeLoadError as exc:
        _console.print_error(exc, as_json=as_json)
        return 1


@typed_errors
def _describe(given: str, *, stats: bool, html: str | None, as_json: bool) -> int:
    with receiving():
        ref = located(given_ref(given, "path", "path"))
        side = _beside_weights(ref)
        models = _models_in(given, ref) if side is None else []
    if models:
        _print_models(ref.path, models, as_json=as_json)
        return 0
    if side is None:
        with closing(open_given(given)) as weights:
            return _inspect(weights, stats=stats, html=html, as_json=as_json)
    try:
        _print_facts(side, as_json=as_json)
    except RecursionError as exc:  # printing nests more calls than reading did
        raise UnsafeFileError("the file is nested too deeply to print", resolved=ref.path) from exc
    return 0


def _inspect(weights: Weights, *, stats: bool, html: str | None, as_json: bool) -> int:
    found = _statistics(weights) if stats or html else {}
    said = ""
    if html:
        from safeload.cli.pages.model import write_page  # noqa: PLC0415  (for this option alone)

        said = write_page(html, weights, found)
    if as_json:
        _console.print_json(_as_dict(weights, found))
    else:
        out = _console.console()
        _print_weights(out, weights, found, stats=stats)
        if html:
            _console.line(out, (said, "bold"))
            _console.line(out, ("written  ", _console.NOTE), os.path.abspath(html))
    is_damaged = any(each.fault or each.n_nan or each.n_infinite for each in found.values())
    return 1 if is_damaged else 0


def _beside_weights(ref: FileRef) -> dict[str, Any] | None:
    """Describe a JSON file or vocabulary; return None for any other path."""
    path = ref.path
    if not ref.is_file():
        return None
    if path.endswith(".json"):
        data = read_json_object(ref.at(path, "JSON"))
        return {"path": path, "what": what_config(data), "keys": data}
    if os.path.basename(path) == VOCAB_NAME or (path.endswith(".txt") and sniff(ref) is None):
        tokens = read_vocabulary(ref.at(path, "vocab"))
        first = dict(list(tokens.items())[:5])
        return {"path": path, "what": f"a BERT vocabulary of {len(tokens):,} tokens", "keys": first}
    return None


def _models_in(given: str, ref: FileRef) -> list[Model]:
    """Return the models of a folder that is not itself one model; empty where there are less than two."""
    kinds = kinds_at(given)
    if not ref.is_dir() or len(kinds) == 1 or (not kinds and has_weights(ref)):
        return []
    found = itertools.islice(find_models(BERT_OR_ELMO, [given]), MAX_MODELS)
    models = [each for each in found if isinstance(each, Model)]
    return models if len(models) > 1 else []


def _print_models(path: str, models: list[Model], *, as_json: bool) -> None:
    what = f"a folder with {counted(len(models), 'model')}"
    if as_json:
        listed = [model._asdict() for model in models]
        _console.print_json({"schema": SCHEMA, "path": path, "what": what, "models": listed})
        return
    out = _console.console()
    _console.line(out, (what, "bold"))
    _console.line(out, f"  {path}")
    for model in models:
        _console.line(out, f"  {model.kind or 'unknown':<7} {model.path}")


def _print_facts(facts: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        _console.print_json({"schema": SCHEMA, **facts})
        return
    out = _console.console()
    _console.line(out, (facts["what"], "bold"))
    _console.line(out, f"  {facts['path']}")
    for key, value in facts["keys"].items():
        _console.line(out, f"  {key}: {value}")


def _statistics(weights: Weights) -> dict[str, Statistics]:
    found = {}
    with progress(_console.console(), len(weights.tensors), "reading") as advance:
        for number, name in enumerate(weights.tensors, 1):
            values, fault = weights.file.look(name)
            if values is not None and values.dtype.name != weights.tensors[name].spec.dtype:
                values = None  # raw bits of a dtype that NumPy lacks
            each = statistics_of(values, fault)
            if each is not None:
                found[name] = each
            advance(number)
    return found


def _as_dict(weights: Weights, found: Mapping[str, Statistics]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "path": weights.file.ref.path,
        "what": weights.what,
        "files": [{"role": file.role, "path": file.path, "n_bytes": file.n_bytes} for file in weights.files()],
        "tensors": [
            {
                "name": name,
                "layer": tensor.layer,
                "shape": list(tensor.spec.shape),
                "dtype": tensor.spec.dtype,
                "n_bytes": tensor.n_bytes,
                "statistics": found[name].to_dict() if name in found else None,
            }
            for name, tensor in weights.tensors.items()
        ],
    }


def _print_weights(out: Console, weights: Weights, found: Mapping[str, Statistics], *, stats: bool) -> None:
    n_bytes = sum(tensor.n_bytes for tensor in weights.tensors.values())
    _console.line(out, (weights.what, "bold"))
    _console.line(out, f"  {weights.file.ref.path}")
    for line in weights.files_text():
        _console.line(out, f"  {line}")
    _console.line(out, f"  {len(weights.tensors):,} tensors, {_console.bytes_text(n_bytes)}")
    titles = _columns(stats=stats, is_wide=out.width >= _console.WIDE)
    columns = [
        _console.Column("" if title in ("remark", "odd") else title, title in _TEXTS, title in ("variable", "remark"))
        for title in titles
    ]

    def rows() -> Iterator[_console.Cells]:
        for layer, members in itertools.groupby(weights.tensors.values(), key=lambda tensor: tensor.layer):
            tensors = list(members)
            sums = {"variable": layer, "size": _console.bytes_text(sum(each.n_bytes for each in tensors))}
            yield _console.TITLE, tuple(sums.get(title, "") for title in titles)
            for tensor in tensors:
                cells = _cells(tensor, found.get(tensor.spec.name))
                yield "", tuple(cells.get(title, "") for title in titles)

    _console.table(out, columns, rows)


def _columns(*, stats: bool, is_wide: bool) -> list[str]:
    if not stats:
        return ["variable", "shape", "dtype", "size"]
    if is_wide:
        return ["variable", "shape", "dtype", "size", "min", "max", "mean", "std", "NaN", "zeros", "remark"]
    return ["variable", "shape", "min", "max", "std", "odd"]


def _cells(tensor: Tensor, each: Statistics | None) -> dict[str, str]:
    cells = {
        "variable": f"  {tensor.inner_name}",
        "shape": str(tuple(tensor.spec.shape)),
        "dtype": tensor.spec.dtype,
        "size": _console.bytes_text(tensor.n_bytes),
    }
    if each is not None:
        cells |= {
            "min": number(each.low),
            "max": number(each.high),
            "mean": number(each.mean),
            "std": number(each.std),
            "NaN": f"{each.n_nan + each.n_infinite:,}",
            "zeros": f"{each.n_zero:,}",
            "remark": remark(each),
            "odd": remark(each).split(":")[0].lower(),
        }
    return cells
