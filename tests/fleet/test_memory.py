"""The memory of a search and of each format does not grow with the number of models."""

from __future__ import annotations

import gc
import tracemalloc
from collections import deque
from dataclasses import replace

import pytest

from safeload.cli.formats import FORMATS, Head, Totals, _waiting, html, writer_of
from safeload.cli.formats._waiting import SkippedFolders
from safeload.errors import CorruptFileError
from safeload.fleet import _listing
from safeload.fleet._found import Skipped
from safeload.fleet._result import CheckResult
from safeload.fleet._tree import BERT_OR_ELMO, find_models
from safeload.report import LoadReport

FEW, MANY = 300, 1_500
MAX_GROWTH = 48_000
"""Bytes that a search of MANY may take beyond one of FEW: 40 for each, less than a path."""

MAX_GROWTH_OF_FORMAT = MAX_GROWTH + 2 * _waiting.N_COPIED
"""With the part that is copied at once."""


@pytest.fixture(autouse=True)
def frozen():
    """Take what other tests imported out of the collections of these, which take 0.2 s each with it."""
    gc.freeze()
    yield
    gc.unfreeze()


def peak(use, n):
    tracemalloc.start()
    try:
        use(n)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def growth(use):
    use(MANY)  # Python keeps something for code that runs often
    few = peak(use, FEW)
    return peak(use, MANY) - few


def models(place):
    place.mkdir(parents=True)
    (place / "vocab.txt").touch()


def empty(place):
    place.mkdir(parents=True)


def loose(place):
    place.mkdir(parents=True)
    (place / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")


@pytest.mark.parametrize("is_wide", [False, True], ids=["deep", "wide"])
@pytest.mark.parametrize("write", [models, empty, loose])
def test_a_search_keeps_nothing_of_what_it_found(write, is_wide, tmp_path, monkeypatch):
    monkeypatch.setattr(_listing, "MAX_SORTED", 100)
    for n in (FEW, MANY):
        for number in range(n):
            write(tmp_path / str(n) / ("" if is_wide else str(number // 100)) / f"{number:05}")
        models(tmp_path / str(n) / "zzz" / "last")
    counts = {}

    def search(n):
        counts[n] = sum(1 for _ in find_models(BERT_OR_ELMO, [str(tmp_path / str(n))]))

    assert growth(search) < MAX_GROWTH
    assert counts == {FEW: FEW + 1, MANY: MANY + 1}


RESULTS = (
    CheckResult(path="", kind="bert", report=LoadReport(model="BERT", warnings=("strange",))),
    CheckResult(path="", kind="bert", error=CorruptFileError("damaged", resolved="/m/w", given="m")),
)


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "text"])
def test_a_format_keeps_no_more_than_it_must(form, monkeypatch):
    monkeypatch.setattr(html, "MAX_ROWS", 100)
    monkeypatch.setattr(_waiting, "N_IN_MEMORY", 1_000)
    n_written = 0

    def write(text):
        nonlocal n_written
        n_written += len(text)

    def run(n):
        totals = Totals(n_good=n, n_bad=n)
        writer = writer_of(form, write, Head(time="2026-01-01T00:00:00.000Z", version="1", n_expected=7))
        for number in range(n):
            if number % 100 == 0:
                gc.collect()  # the encoder of JSON leaves cycles
            for result in RESULTS:
                writer.add(replace(result, path=f"/models/{number:07}"))
            totals.skipped.append(Skipped(f"/loose/{number:07}", "weights without a config beside them: w.bin"))
        writer.end(totals)

    assert growth(run) < MAX_GROWTH_OF_FORMAT
    assert n_written > MANY or form == "html"


def test_skipped_folders_come_back_as_they_were(monkeypatch):
    monkeypatch.setattr(_waiting, "N_IN_MEMORY", 10)
    rows = [Skipped(f"/a\udc80\n{number}", "é, \u2028") for number in range(3)]
    found = SkippedFolders()
    assert (len(found), list(found), bool(found)) == (0, [], False)
    deque(map(found.append, rows), 0)

    assert (len(found), list(found), list(found)) == (3, rows, rows)
