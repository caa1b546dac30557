"""The picture of the house: its modules, and the imports between them, read from the code.

A module here is a module or a package right under `safeload/`. An arrow that follows from others is left out. Modules stand above
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
TITLE = "The modules of safeload; an arrow leads from a module to one that it imports"
TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 8 4 0 8z" fill="currentColor"/></marker></defs>'
)


@functools.cache
def imports() -> dict[str, set[str]]:
    """Return module -> the modules that it imports, for types included."""
    names = {
        path.stem: path.name for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    del names["__init__"], names["__main__"]
    found: dict[str, set[str]] = {module: set() for module in names.values()}
    for module in names.values():
        inside = [PACKAGE / module] if module.endswith(".py") else sorted((PACKAGE / module).rglob("*.py"))
        for path in inside:
            for name in _imported(ast.parse(path.read_text(encoding="utf-8"))):
                other = names.get(name.split(".")[1]) if name.startswith("safeload.") else None
                if other not in (None, module):
                    found[module].add(other)
    return found


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for child in ast.iter_child_nodes(node) for name in _imported(child)]


@functools.cache
def below(module: str) -> frozenset[str]:
    """Return every module that this one stands on."""
    return frozenset(other for each in imports()[module] for other in (each, *below(each)))


def arrows() -> list[tuple[str, str]]:
    """Return the imports that follow from no others."""
    return [
        (module, other)
        for module, others in imports().items()
        for other in sorted(others)
        if not any(other in below(each) for each in others)
    ]


@functools.cache
def floor(module: str) -> int:
    """Return how many modules stand below this one, one on another."""
    return max((floor(other) + 1 for other in imports()[module]), default=0)


def modules() -> list[str]:
    """Return the modules, those first that others stand on."""
    return sorted(imports(), key=lambda module: (floor(module), module.strip("_")))


def what_is(module: str) -> str:
    """Return the first line of a module's docstring."""
    path = PACKAGE / module if module.endswith(".py") else PACKAGE / module / "__init__.py"
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
    parts += [_box(module, *places[module]) for module in modules()]
    return "\n".join([*parts, "</svg>"])


def _floors() -> tuple[list[list[str]], list[list[str]]]:
    """Return what stands on each floor, from the lowest, and each arrow as the things it passes."""
    floors: list[list[str]] = [[] for _ in range(max(map(floor, imports())) + 1)]
    for module in modules():
        floors[floor(module)].append(module)
    lines = []
    for module, other in arrows():
        passed = [f"{module}>{other}>{level}" for level in range(floor(module) - 1, floor(other), -1)]
        for name in passed:
            floors[int(name.rsplit(">", 1)[1])].append(name)
        lines.append([module, *passed, other])
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


def _box(module: str, x: float, y: float, width: float) -> str:
    return (
        f'<g class="module" data-module="{module}"><title>{escape(what_is(module))}</title>'
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{HEIGHT}" rx="5"/>'
        f'<text x="{x + width / 2:.0f}" y="{y + HEIGHT / 2 + 6:.0f}" text-anchor="middle">{module.removesuffix(".py")}</text></g>'
    )
