"""The fenced blocks of the README and of the pages, and what each of them is run as."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
MADE_BY_A_TEST = {"docs/reference/reported-failures.md"}
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    if "_build" not in path.parts and str(path.relative_to(ROOT)) not in MADE_BY_A_TEST
)
FACTS = re.compile(r"^<!-- from-code: .* -->\n\n(?:(?!<!-- from-code: ).*\n)*?<!-- end of from-code -->$", re.MULTILINE)
FILE_NAME = re.compile(r"# (\w+\.[a-z]+)\n")
FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block.

    Attributes:
        page: Its page, relative to the root.
        line: Where it starts there.
        language: What stands behind the backquotes.
        text: What stands between the fences.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self):
        return f"{self.page}:{self.line}"

    @property
    def key(self):
        """Return how the tables of the tests name it: by page and first line."""
        return self.page, self.text.split("\n", 1)[0]

    @property
    def file(self):
        """Return the name of the file that the block is, which its first line says in a comment; else None."""
        named = FILE_NAME.match(self.text)
        return named and named[1]


def blocks_of(page):
    """Return the blocks of a page, but for the directives of the site and for what the page keeps of the code."""
    text = FACTS.sub(lambda match: "\n" * match[0].count("\n"), (ROOT / page).read_text(encoding="utf-8"))
    found = [
        Block(page=page, line=text.count("\n", 0, match.start()) + 1, language=match[1], text=match[2])
        for match in FENCE.finditer(text)
    ]
    return [block for block in found if not block.language.startswith("{")]


def commands_of(block):
    """Return the commands of a console block, each with the output that is shown below it."""
    commands = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        else:
            commands[-1][1].append(line)
    return [(command, "\n".join(shown)) for command, shown in commands]


def matches(shown, printed):
    """Tell whether a shown text is the printed one; `...` stands for anything, and times are not compared."""

    def plain(text):
        return re.sub(r"\d+\.\d+ ?s\b", "# s", "\n".join(line.rstrip() for line in text.strip().splitlines()))

    first, *others = plain(shown).split("...")
    left = plain(printed)
    if not others or not left.startswith(first):
        return left == first
    left = left.removeprefix(first)
    *middle, last = others
    for part in middle:
        place = left.find(part)
        if place < 0:
            return False
        left = left[place + len(part) :]
    return left.endswith(last)
