"""Make the page of reported failures of what the tests keep: `python -m tests.reports.reports_page` writes it."""

from __future__ import annotations

from pathlib import Path

from tests.reports.reported import GITHUB, OUT_OF_REACH, REPORTS, SECTIONS

SAID = Path(__file__).parent / "said"
PAGE = Path(__file__).parent.parent.parent / "docs/reference/reported-failures.md"
HEAD = """# Failures that people reported, and what safeload says

{n_all} classes of failures were found in public threads of eight years. safeload loads {handled} of them rightly, raises a typed
error for {typed}, and {out} are out of a loader's reach. This page is made of the tests: each class has one, named by its id
(`tests/reports/test_reports_*.py`), and what stands in the third column is what it saw.

Made by `python -m tests.reports.reports_page`.
"""


def page():
    """Return the page."""
    kinds = {number: kind_and_text(number)[0] for number in REPORTS}
    counts = {kind: list(kinds.values()).count(kind) for kind in ("handled", "typed", "out")}
    parts = [HEAD.format(n_all=len(REPORTS), **counts)]
    for letter, title in SECTIONS.items():
        parts.append(
            f"\n## {letter}. {title}\n\n| id | what people see | what safeload says | thread |\n| --- | --- | --- | --- |\n"
        )
        for number, (symptom, thread) in REPORTS.items():
            if number[0] == letter:
                _, text = kind_and_text(number)
                link = f"[{thread.replace('/issues/', '#').replace('/pull/', '!')}]({GITHUB}{thread})" if thread else ""
                parts.append(f"| {number} | {cell(symptom)} | {text} | {link} |\n")
    return "".join(parts)


def kind_and_text(number):
    if number in OUT_OF_REACH:
        return "out", f"Out of reach: {OUT_OF_REACH[number]}"
    kind, _, text = (SAID / f"{number}.txt").read_text(encoding="utf-8").partition("\n")
    first, *hints = text.strip().split("\n")
    if kind == "handled":
        return kind, f"Loads: {cell(first)}"
    return kind, "<br>".join([f"`{cell(first)}`", *map(cell, hints)])


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
