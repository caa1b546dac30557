"""The picture of the house: its rooms, and the imports between them, read from the code.

A room is a module or a package right under `safeload/`. An arrow that follows from others is left out. Rooms stand above
those that they import.
"""

from __future__ import annotations

import ast
import functools
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

PACKAGE = Path(__file__).parent.parent.parent / "safeload"
WIDTH, HEIGHT, GAP, STEP, MARGIN = 142, 38, 18, 82, 4
DUMMY = 18
SWEEPS = 12
TITLE = "The rooms of safeload; an arrow leads from a room to one that it imports"
TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 8 4 0 8z" fill="currentColor"/></marker></defs>'
)


@functools.cache
def imports() -> dict[str, set[str]]:
    """Return room -> the rooms that it imports, for types included."""
    names = {
        path.stem: path.name for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    del names["__init__"], names["__main__"]
    found: dict[str, set[str]] = {room: set() for room in names.values()}
    for room in names.values():
        inside = [PACKAGE / room] if room.endswith(".py") else sorted((PACKAGE / room).rglob("*.py"))
        for path in inside:
            for name in _imported(ast.parse(path.read_text(encoding="utf-8"))):
                other = names.get(name.split(".")[1]) if name.startswith("safeload.") else None
                if other not in (None, room):
                    found[room].add(other)
    return found


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for child in ast.iter_child_nodes(node) for name in _imported(child)]


@functools.cache
def below(room: str) -> frozenset[str]:
    """Return every room that this one stands on."""
    return frozenset(other for each in imports()[room] for other in (each, *below(each)))


def arrows() -> list[tuple[str, str]]:
    """Return the imports that follow from no others."""
    return [
        (room, other)
        for room, others in imports().items()
        for other in sorted(others)
        if not any(other in below(each) for each in others)
    ]


@functools.cache
def floor(room: str) -> int:
    """Return how many rooms stand below this one, one on another."""
    return max((floor(other) + 1 for other in imports()[room]), default=0)


def rooms() -> list[str]:
    """Return the rooms, those first that others stand on."""
    return sorted(imports(), key=lambda room: (floor(room), room.strip("_")))


def what_is(room: str) -> str:
    """Return the first line of a room's docstring."""
    path = PACKAGE / room if room.endswith(".py") else PACKAGE / room / "__init__.py"
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n", 1)[0]


def picture() -> str:
    """Return the picture as SVG; its colours are the page's."""
    floors, lines = _floors()
    places = _places(floors)
    width = max(x + w for x, _, w in places.values()) + MARGIN
    height = (len(floors) - 1) * STEP + HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" aria-label="{TITLE}">',
        TIP,
    ]
    parts += [_line(line, places) for line in lines]
    parts += [_box(room, *places[room]) for room in rooms()]
    return "\n".join([*parts, "</svg>"])


def _floors() -> tuple[list[list[str]], list[list[str]]]:
    """Return what stands on each floor, from the lowest, and each arrow as the things it passes."""
    floors: list[list[str]] = [[] for _ in range(max(map(floor, imports())) + 1)]
    for room in rooms():
        floors[floor(room)].append(room)
    lines = []
    for room, other in arrows():
        passed = [f"{room}>{other}>{level}" for level in range(floor(room) - 1, floor(other), -1)]
        for name in passed:
            floors[int(name.rsplit(">", 1)[1])].append(name)
        lines.append([room, *passed, other])
    beside: dict[str, list[str]] = {}
    for line in lines:
        for first, second in pairwise(line):
            beside.setdefault(first, []).append(second)
            beside.setdefault(second, []).append(first)
    for sweep in range(SWEEPS):
        middle = {name: index - (len(level) - 1) / 2 for level in floors for index, name in enumerate(level)}
        for level in floors if sweep % 2 else reversed(floors):
            near = {name: [middle[other] for other in beside.get(name, [])] or [middle[name]] for name in level}
            level.sort(key=lambda name: (sum(near[name]) / len(near[name]), name))
            middle.update({name: index - (len(level) - 1) / 2 for index, name in enumerate(level)})
    return floors, lines


def _places(floors: list[list[str]]) -> dict[str, tuple[float, float, float]]:
    """Return name -> left edge, upper edge and width."""
    widths = [[DUMMY if ">" in name else WIDTH for name in level] for level in floors]
    full = max(sum(each) + GAP * (len(each) - 1) for each in widths)
    places = {}
    for number, (level, each) in enumerate(zip(floors, widths, strict=True)):
        x = MARGIN + (full - sum(each) - GAP * (len(each) - 1)) / 2
        y = MARGIN + (len(floors) - 1 - number) * STEP
        for name, width in zip(level, each, strict=True):
            places[name] = (x, y, width)
            x += width + GAP
    return places


def _line(line: list[str], places: dict[str, tuple[float, float, float]]) -> str:
    tops = [places[name] for name in line]
    x, y = tops[0][0] + tops[0][2] / 2, tops[0][1] + HEIGHT
    path = f"M{x:.0f} {y:.0f}"
    for left, top, width in tops[1:]:
        new_x, bend = left + width / 2, (top - y) / 2
        path += f"C{x:.0f} {y + bend:.0f} {new_x:.0f} {top - bend:.0f} {new_x:.0f} {top:.0f}"
        if (left, top, width) != tops[-1]:
            path += f"V{top + HEIGHT:.0f}"
        x, y = new_x, top + HEIGHT
    return (
        f'<path class="arrow" data-from="{line[0]}" data-to="{line[-1]}" d="{path}" fill="none" stroke="currentColor" '
        'stroke-opacity="0.55" stroke-width="1.3" marker-end="url(#tip)"/>'
    )


def _box(room: str, x: float, y: float, width: float) -> str:
    return (
        f'<g class="room" data-room="{room}"><title>{escape(what_is(room))}</title>'
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{HEIGHT}" rx="5"/>'
        f'<text x="{x + width / 2:.0f}" y="{y + HEIGHT / 2 + 6:.0f}" text-anchor="middle">{room.removesuffix(".py")}</text></g>'
    )
