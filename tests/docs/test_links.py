"""Every link of a Markdown file to another file, or to a heading, leads there in a clone too."""

from __future__ import annotations

import re

import pytest

from tests.docs.blocks import FENCE, ROOT

SKIPPED = {"node_modules", "build", "dist", "_build"}
FILES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part in SKIPPED or part.startswith(".") for part in path.relative_to(ROOT).parts)
)
MADE_ON_THE_SITE = {"docs/reference/errors.md", "docs/reference/api.md", "docs/reference/messages.md"}
"""Pages whose headings are made from the code; the site's own build checks links to these."""


def slug(title):
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def slugs_of(path):
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {slug(title) for title in titles}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path):
    text = re.sub(r"`[^`\n]+`", "", FENCE.sub("", path.read_text(encoding="utf-8")))
    for target in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", text):
        file, _, heading = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), target
        if heading and found.suffix == ".md" and str(found.relative_to(ROOT)) not in MADE_ON_THE_SITE:
            assert heading in slugs_of(found), target
