"""Put facts from the code into the text of pages: `python docs/_ext/pages.py` writes those that the pages keep.

A line `<!-- from-code: NAME WORDS... -->` stands for what the function NAME of `facts.py` returns for the words. Where a line
`<!-- end of from-code -->` follows, the page keeps that text between the two; else only the site has it.
"""

from __future__ import annotations

import re
from pathlib import Path

import facts

DOCS = Path(__file__).parent.parent
END = "<!-- end of from-code -->"
MARK = re.compile(
    rf"^(?P<mark><!-- from-code: (?P<name>\w+)(?P<words>(?: \w+)*) -->)$(?P<kept>\n(?:(?!<!-- from-code: ).*\n)*?{END}$)?",
    re.MULTILINE,
)


def for_site(text: str) -> str:
    """Return a page with the facts in the place of its marks."""
    return MARK.sub(_fact, text)


def for_file(text: str) -> str:
    """Return a page with the facts that it keeps as the code has them now."""
    return MARK.sub(
        lambda match: f"{match['mark']}\n\n{_fact(match).rstrip()}\n\n{END}" if match["kept"] else match[0], text
    )


def _fact(match: re.Match[str]) -> str:
    found: str = getattr(facts, match["name"])(*match["words"].split())
    return found


if __name__ == "__main__":
    for page in sorted(DOCS.rglob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = for_file(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(page.relative_to(DOCS.parent))  # noqa: T201
