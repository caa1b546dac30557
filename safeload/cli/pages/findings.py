"""Say what was found in the values of a file: a verdict in a line, and a list in words."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from safeload._text.html import escape
from safeload._text.words import counted
from safeload.cli.pages.compared import sentence
from safeload.cli.pages.frame import copied, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload.cli.pages.compared import Compared

N_GROUPS = 30
"""How many layers, and tensors outside of layers, are listed."""

N_OF_LAYER = 3
"""How many tensors of one layer are listed, the farthest from their neighbours first."""

N_MEASURES = 2
"""How many statistics of one tensor are named."""


def verdict(compared: Compared) -> tuple[bool, str]:
    """Return whether nothing was found, and a sentence about it."""
    parts = []
    if n_broken := len(compared.marks):
        parts.append(f"{counted(n_broken, 'tensor')} {'looks' if n_broken == 1 else 'look'} broken")
    if n_far := len(compared.outliers):
        verb, whose = ("is", "its") if n_far == 1 else ("are", "their")
        parts.append(f"{counted(n_far, 'tensor')} {verb} unlike {whose} neighbours")
    if parts:
        return False, f"{', and '.join(parts)}."
    like = ", and each layer is like its neighbours" if compared.deviations else ""
    return True, f"No tensor looks broken{like}."


def findings(compared: Compared) -> Iterator[str]:
    """Yield the list of what was found, broken tensors first; nothing where nothing was."""
    groups: dict[str, list[str]] = {}
    for name in itertools.chain(compared.marks, compared.outliers):
        groups.setdefault(compared.layers.get(name, name), []).append(name)
    if not groups:
        return
    yield '<section><h2 id="findings">Findings</h2>\n<ul>'
    for names in itertools.islice(groups.values(), N_GROUPS):
        yield _group(names, compared)
    if len(groups) > N_GROUPS:
        yield f"<li>and {len(groups) - N_GROUPS:,} more, marked below</li>"
    yield "</ul></section>\n"


def _group(names: list[str], compared: Compared) -> str:
    layer = compared.layers.get(names[0], "")
    first = f"<strong>{text(layer[:1].upper() + layer[1:])}</strong>" if layer else ""
    if len(names) == 1:
        return f"<li>{first}{', ' if first else ''}{_finding(names[0], compared)}</li>\n"
    ordered = sorted(names, key=lambda name: -_farthest(name, compared))
    more = len(names) - N_OF_LAYER
    n_tensors = list(compared.layers.values()).count(layer)
    items = "".join(f"<li>{_finding(name, compared)}</li>" for name in ordered[:N_OF_LAYER])
    rest = f"<li>and {more:,} more, marked in the map</li>" if more > 0 else ""
    return f"<li>{first}: {len(names):,} of its {n_tensors:,} tensors stand out\n<ul>{items}{rest}</ul></li>\n"


def _farthest(name: str, compared: Compared) -> float:
    if name in compared.marks:
        return float("inf")
    return max(abs(each.score) for each in compared.deviations[name].values())


def _finding(name: str, compared: Compared) -> str:
    if name in compared.marks:
        words = compared.marks[name].words
    else:
        known = compared.deviations[name]
        words = "; ".join(sentence(known[measure.id], measure) for measure in compared.outliers[name][:N_MEASURES])
    return f"{copied(name, 'the name')}: {escape(words)}"
