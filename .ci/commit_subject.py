"""Check the subject of a commit: `python .ci/commit_subject.py FILE`, where the file has the message."""

from __future__ import annotations

import re
import sys
from pathlib import Path

MAX_COLUMNS = 72
NOT_A_VERB = re.compile(r"(The|A|An|This|It|New|Some|More|No|Bug|Bugfix|Wip|WIP)$|\w+(ed|ing)$")
"""A first word that is no verb in the imperative; "Add" is one, "Added" and "Adding" are not."""

VERBS = ("Bring", "Embed", "Feed", "Need", "Ping", "Shed", "Speed", "String")
MADE_BY_GIT = ("Merge ", "Revert ", "fixup! ", "squash! ")


def complaints(subject: str) -> list[str]:
    """Return what is wrong with a subject."""
    if subject.startswith(MADE_BY_GIT):
        return []
    found = []
    if len(subject) > MAX_COLUMNS:
        found.append(f"it has {len(subject)} characters; at most {MAX_COLUMNS} are shown everywhere")
    first = re.match(r"[A-Z][a-z]+", subject)
    if first is None or (first[0] not in VERBS and NOT_A_VERB.match(first[0])):
        found.append('it must begin with a verb and a capital letter, such as "Add" or "Refuse"')
    if subject.endswith("."):
        found.append("it ends with a full stop")
    return found


def main() -> int:
    """Print what is wrong, and return the exit code."""
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    subject = next((line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    found = complaints(subject)
    for each in found:
        print(f"the subject of the commit: {each}: {subject!r}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
