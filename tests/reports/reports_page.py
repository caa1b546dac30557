"""Make the page of reported failures from what the tests keep: `python -m tests.reports.reports_page` writes it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.reports.reported import GITHUB, OUT_OF_REACH, REPORTS, SECTIONS

SAID = Path(__file__).parent / "said"
PAGE = Path(__file__).parent.parent.parent / "docs/reference/reported-failures.md"
HEAD = """# Failures that people reported, and what safeload does

This page lists {n_all} classes of failures, most of them from public threads of the last eight years. safeload:

- loads {loads} of them correctly, {odd} of these with a warning or a note;
- raises a typed error for {typed};
- handles {told} in its commands;
- cannot do anything about {out}, which no loader can reach.

The tests make this page. Each class has a test that is named by its id (`tests/reports/test_reports_*.py`), or a row in the catalogue of
faults (`tests/faults/`). The third column shows what safeload did in this test. The last column links one of the threads.

`python -m tests.reports.reports_page` writes this page.
"""
LABELS = {
    "handled": "Loads",
    "noted": "Loads, with a note",
    "warned": "Loads, and warns",
    "told": "The command prints",
}
NO_THREAD = "none found"


def page():
    """Return the page."""
    kinds = {number: kind_and_text(number)[0] for number in REPORTS}
    counts = Counter(kinds.values())
    odd = counts["noted"] + counts["warned"]
    loads = counts["handled"] + odd
    parts = [
        HEAD.format(
            n_all=len(REPORTS), loads=loads, odd=odd, typed=counts["typed"], told=counts["told"], out=counts["out"]
        )
    ]
    for letter, title in SECTIONS.items():
        parts.append(
            f"\n## {letter}. {title}\n\n| Id | What people see | What safeload does | Thread |\n| --- | --- | --- | --- |\n"
        )
        for number, (symptom, thread) in REPORTS.items():
            if number[0] == letter:
                _, text = kind_and_text(number)
                parts.append(f"| {number} | {cell(symptom)} | {text} | {link(thread)} |\n")
    return "".join(parts)


def kind_and_text(number):
    if number in OUT_OF_REACH:
        return "out", f"Cannot be checked: {OUT_OF_REACH[number]}"
    kind, _, text = (SAID / f"{number}.txt").read_text(encoding="utf-8").partition("\n")
    first, *hints = text.strip().split("\n")
    if kind in LABELS:
        return kind, f"{LABELS[kind]}: {cell(first)}"
    return kind, "<br>".join([f"`{cell(first)}`", *map(cell, hints)])


def link(thread):
    if not thread:
        return NO_THREAD
    if thread.startswith("https://"):
        return f"<{thread}>"
    return f"[{thread.replace('/issues/', '#').replace('/pull/', '!')}]({GITHUB}{thread})"


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
