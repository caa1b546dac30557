"""Write the page of a weight file: its facts, what was found, each layer against its neighbours, and every tensor."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from safeload._bytes.writing import atomic_write
from safeload._text.html import escape
from safeload._text.words import counted
from safeload._version import __version__
from safeload.cli import _console
from safeload.cli._statistics import number, remark
from safeload.cli.pages import heat_map
from safeload.cli.pages.beside import config_facts, digest_text
from safeload.cli.pages.compared import compared
from safeload.cli.pages.findings import findings, verdict
from safeload.cli.pages.frame import (
    CLOSING,
    cell,
    copied,
    facts,
    filter_box,
    head,
    heads,
    listed,
    opening,
    scrolled,
    text,
)
from safeload.cli.pages.parts import Part, count_text, parts_of, parts_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from safeload.cli._statistics import Statistics
    from safeload.cli._weights import Tensor, Weights
    from safeload.cli.pages.compared import Compared

MAX_TENSORS = 20_000
"""The most tensors on a page; no browser shows more."""

N_FILES = 20
"""How many files of a model in several are listed."""

_TITLES = (
    ("tensor", "name"), ("shape", "short"), ("type", "short"), ("size", "number"), ("min", "number"), ("max", "number"), ("mean", "number"),
    ("standard deviation", "number"), ("not finite", "number"), ("zeros", "number"), ("remark", ""),
)  # fmt: skip


def write_page(path: str, weights: Weights, found: Mapping[str, Statistics]) -> str:
    """Write the page atomically, in parts, and return its verdict.

    Raises:
        SafeLoadError: As `atomic_write`.
    """
    result = compared(_shown(weights), found)
    with atomic_write(path, role="page") as unfinished:
        for part in page(weights, found, result, datetime.now(timezone.utc)):
            unfinished.write(part.encode("utf-8", "backslashreplace"))
    return verdict(result)[1]


def _shown(weights: Weights) -> list[Tensor]:
    return list(itertools.islice(weights.tensors.values(), MAX_TENSORS))


def page(weights: Weights, found: Mapping[str, Statistics], result: Compared, time: datetime) -> Iterator[str]:
    """Yield the parts of the page, as HTML, with the time at which it is written."""
    tensors, parts = _shown(weights), parts_of(weights.tensors)
    name = os.path.basename(weights.file.ref.path)
    is_good, said = verdict(result)
    sign = "\N{CHECK MARK}" if is_good else "\N{WARNING SIGN}"
    yield opening(f"{name} - safeload inspect", heat_map.STYLE)
    yield f"""<header><h1>{text(name)}</h1>
<p id="verdict" class="verdict {"good" if is_good else "bad"}"><span aria-hidden="true">{sign}</span> {escape(said)}</p>
{facts(_facts(weights, parts, time))}</header>
<main>
"""
    if len(tensors) < len(weights.tensors):
        yield f'<p class="note">The first {len(tensors):,} tensors are shown; safeload inspect --json has all.</p>\n'
    yield from findings(result)
    if result.stacks:
        yield from heat_map.maps(result, found)
    yield from parts_table(parts)
    yield from _every_tensor(tensors, found, result)
    yield f"</main>\n{CLOSING}"


def _facts(weights: Weights, parts: Sequence[Part], time: datetime) -> Iterator[tuple[str, str]]:
    n_bytes = sum(part.n_bytes for part in parts)
    n_values = sum(part.n_values for part in parts if part.is_model)
    n_tensors = sum(part.n_tensors for part in parts if part.is_model)
    types = Counter(tensor.spec.dtype for tensor in weights.tensors.values()).most_common()
    path = weights.file.ref.path
    files = [f"{copied(file.path, 'the path')} {_console.bytes_text(file.n_bytes)}" for file in weights.files()]
    yield "What", escape(weights.what)
    yield "Path", copied(path, "the path")
    yield "Files", listed(files, N_FILES) if len(files) > 1 else ""
    yield from config_facts(weights.file.ref)
    yield "Parameters", f"{count_text(n_values)} in {counted(n_tensors, 'tensor')}"
    yield "Size", f"{_console.bytes_text(n_bytes)} of values, {counted(n_bytes, 'byte')}"
    yield "Types", escape(", ".join(f"{dtype} ({counted(count, 'tensor')})" for dtype, count in types))
    yield "Digest", digest_text(weights.file)
    yield "Written", f"{time:%Y-%m-%d %H:%M} UTC, by safeload {escape(__version__)}"


def _every_tensor(tensors: Sequence[Tensor], found: Mapping[str, Statistics], result: Compared) -> Iterator[str]:
    yield '<section><h2 id="all">Every tensor</h2>\n'
    yield filter_box("tensors", "Show tensors whose row has these words")
    yield from scrolled("Every tensor", _list(tensors, found, result))
    yield "</section>\n"


def _list(tensors: Sequence[Tensor], found: Mapping[str, Statistics], result: Compared) -> Iterator[str]:
    yield f'<table id="tensors"><caption>Statistics of the finite values. Weights have no unit.</caption>{heads(*_TITLES)}<tbody>\n'
    for tensor in tensors:
        yield _row(tensor, found.get(tensor.spec.name), result)
    yield "</tbody></table>"


def _row(tensor: Tensor, each: Statistics | None, result: Compared) -> str:
    name = tensor.spec.name
    cells = [str(tuple(tensor.spec.shape)), tensor.spec.dtype, _console.bytes_text(tensor.n_bytes), *[""] * 7]
    if each is not None:
        cells[3:] = [number(value) for value in (each.low, each.high, each.mean, each.std)]
        unlike = "unlike its neighbours" if name in result.outliers else ""
        cells += [f"{each.n_nan + each.n_infinite:,}", f"{each.n_zero:,}", remark(each) or unlike]
    odd = ' class="odd"' if name in result.marks or name in result.outliers else ""
    row = "".join(cell(text(value), kind) for value, (_, kind) in zip(cells, _TITLES[1:], strict=True))
    return f"<tr{odd}>{head(copied(name, 'the name'), 'name')}{row}</tr>\n"
