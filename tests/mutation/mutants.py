"""The mutants of a module: each is the module's syntax tree with one small change."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPERATORS = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.And: (ast.Or,), ast.Or: (ast.And,),
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.FloorDiv,), ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,), ast.Mod: (ast.FloorDiv,), ast.Pow: (ast.Mult,), ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,), ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,), ast.BitXor: (ast.BitAnd,),
}  # fmt: skip
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_METHODS = {
    "startswith": "endswith", "endswith": "startswith", "removeprefix": "removesuffix", "removesuffix": "removeprefix",
}  # fmt: skip
_NOT_CODE = ("annotation", "returns", "decorator_list", "ctx", "op", "ops")
_SILENT = ("logger.", "logging.", "TypeVar")
_SCOPES = (ast.FunctionDef, ast.ClassDef)


class Place(NamedTuple):
    """Where a node stands.

    Attributes:
        node: The node.
        holder: What holds it: a node or a list.
        key: The attribute or index under which.
        scope: The qualified name of the function or class around it, "" for the module.
        function: The first line of the outermost function whose body it is in, 0 for none.
        lines: Those of its statement, or of the head of a compound one.
    """

    node: ast.AST
    holder: Any
    key: Any
    scope: str
    function: int
    lines: range


@dataclass(frozen=True)
class Mutant:
    """A change.

    Attributes:
        name: Where it is, what stood there, what stands there now; unique in the module.
        place: Where it is.
        put: What stands there now.
    """

    name: str
    place: Place
    put: ast.AST

    def apply(self) -> None:
        """Change the tree, once and for all: for a process that ends with the mutant."""
        if isinstance(self.place.holder, list):
            self.place.holder[self.place.key] = self.put
        else:
            setattr(self.place.holder, self.place.key, self.put)


def mutants_of(tree: ast.Module) -> list[Mutant]:
    """Return the mutants, in the order of the code."""
    found: list[Mutant] = []
    seen: Counter[str] = Counter()
    for place in _places(tree, tree.body, "", 0, range(0)):
        for put in _changes(place):
            name = f"{place.scope or 'module'}: {_shown(place.node)} -> {_shown(put)}"
            seen[name] += 1
            if seen[name] > 1:
                name = f"{name}  #{seen[name]}"
            found.append(Mutant(name, place, put))
    return found


def _shown(node: ast.AST) -> str:
    node = node.test if isinstance(node, ast.If | ast.While) else node
    return " ".join(ast.unparse(node).split())


def _places(parent: ast.AST, nodes: list[Any], scope: str, function: int, lines: range) -> Iterator[Place]:
    for number, node in enumerate(nodes):
        if isinstance(node, ast.AST):
            yield from _visit(parent, Place(node, nodes, number, scope, function, lines))


def _visit(parent: ast.AST, place: Place) -> Iterator[Place]:
    node = place.node
    if _is_left_alone(node, parent):
        return
    if isinstance(node, ast.stmt):
        body = getattr(node, "body", None)
        end = body[0].lineno if body else (node.end_lineno or 0) + 1
        place = place._replace(lines=range(node.lineno, max(end, node.lineno + 1)))
    yield place
    inner = f"{place.scope}.{node.name}".lstrip(".") if isinstance(node, _SCOPES) else place.scope
    for key, value in ast.iter_fields(node):
        if key in _NOT_CODE:
            continue
        function = place.function
        if isinstance(node, ast.FunctionDef) and key == "body" and not function:
            function = min(each.lineno for each in (node, *node.decorator_list))
        if isinstance(value, list):
            yield from _places(node, value, inner, function, place.lines)
        elif isinstance(value, ast.AST):
            yield from _visit(node, Place(value, node, key, inner, function, place.lines))


def _is_left_alone(node: ast.AST, parent: ast.AST) -> bool:
    """Tell docstrings, imports, the log, what only types need, and `strict` of a `zip`: they hold no behaviour."""
    value = getattr(node, "value", None)
    return (
        isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        or (isinstance(node, ast.keyword) and node.arg == "strict")
        or (isinstance(node, ast.Expr) and isinstance(value, ast.Constant))
        or (isinstance(value, ast.Call) and ast.unparse(value.func).startswith(_SILENT))
        or (isinstance(parent, ast.Module) and isinstance(node, ast.Assign) and _is_for_types(node))
    )


def _is_for_types(node: ast.Assign) -> bool:
    return _shown(node.targets[0]) == "__all__" or isinstance(node.value, ast.Subscript)


def _changes(place: Place) -> Iterator[ast.AST]:
    for kind, rule in _RULES:
        if isinstance(place.node, kind):
            yield from rule(place.node)
    if isinstance(place.node, ast.Tuple | ast.List | ast.Set | ast.Dict) and not place.function:
        yield from _table(place.node)


def _constant(node: ast.Constant) -> Iterator[ast.AST]:
    """Change numbers, flags, bytes and names; a text with a space in it is the wording of a message."""
    value = node.value
    if isinstance(value, bool):
        yield _with(node, value=not value)
    elif isinstance(value, int | float):
        yield _with(node, value=value + 1)
    elif isinstance(value, bytes) or (isinstance(value, str) and " " not in value):
        yield _with(node, value=(b"XX" if isinstance(value, bytes) else "XX") + value)


def _comparison(node: ast.Compare) -> Iterator[ast.AST]:
    for number, op in enumerate(node.ops):
        for other in _OPERATORS[type(op)]:
            yield _with(node, ops=[*node.ops[:number], other(), *node.ops[number + 1 :]])


def _operation(node: Any) -> Iterator[ast.AST]:
    yield _with(node, op=_OPERATORS[type(node.op)][0]())


def _part(node: ast.BoolOp) -> Iterator[ast.AST]:
    for number in range(len(node.values)):
        rest = [value for at, value in enumerate(node.values) if at != number]
        yield rest[0] if len(rest) == 1 else _with(node, values=rest)


def _condition(node: Any) -> Iterator[ast.AST]:
    if not _is_negated_elsewhere(node.test):
        yield _with(node, test=_negated(node.test))


def _filter(node: ast.comprehension) -> Iterator[ast.AST]:
    for number, test in enumerate(node.ifs):
        if not _is_negated_elsewhere(test):
            yield _with(node, ifs=[*node.ifs[:number], _negated(test), *node.ifs[number + 1 :]])


def _result(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None and not isinstance(node.value, ast.Constant):
        yield _with(node, value=ast.Constant(None))


def _omission(node: ast.stmt) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call):
        yield ast.copy_location(ast.Pass(), node)


def _jump(node: ast.stmt) -> Iterator[ast.AST]:
    yield ast.copy_location(ast.Continue() if isinstance(node, ast.Break) else ast.Break(), node)


def _bound(node: ast.Slice) -> Iterator[ast.AST]:
    for name in ("lower", "upper"):
        if getattr(node, name) is not None:
            yield _with(node, **{name: None})


def _call(node: ast.Call) -> Iterator[ast.AST]:
    for number, keyword in enumerate(node.keywords):
        if keyword.arg not in (None, "strict"):
            yield _with(node, keywords=[*node.keywords[:number], *node.keywords[number + 1 :]])
    if isinstance(node.func, ast.Name) and node.func.id in _NAMES:
        yield _with(node, func=_with(node.func, id=_NAMES[node.func.id]))
    if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
        yield _with(node, func=_with(node.func, attr=_METHODS[node.func.attr]))


def _table(node: ast.Tuple | ast.List | ast.Set | ast.Dict) -> Iterator[ast.AST]:
    """Leave out each row."""
    fields = ("keys", "values") if isinstance(node, ast.Dict) else ("elts",)
    count = len(getattr(node, fields[0]))
    for number in range(count if count > 1 else 0):
        rows = {name: [row for at, row in enumerate(getattr(node, name)) if at != number] for name in fields}
        yield _with(node, **rows)


_RULES: tuple[tuple[Any, Any], ...] = (
    (ast.Constant, _constant),
    (ast.Compare, _comparison),
    (ast.BoolOp | ast.BinOp | ast.AugAssign, _operation),
    (ast.BoolOp, _part),
    (ast.UnaryOp, lambda node: [node.operand]),
    (ast.If | ast.While | ast.IfExp, _condition),
    (ast.comprehension, _filter),
    (ast.Return, _result),
    (ast.Raise | ast.AugAssign | ast.Expr, _omission),
    (ast.Break | ast.Continue, _jump),
    (ast.Slice, _bound),
    (ast.Call, _call),
)


def _with(node: ast.AST, **changes: Any) -> ast.AST:
    changed = copy.copy(node)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed


def _negated(test: ast.expr) -> ast.expr:
    return ast.copy_location(ast.UnaryOp(ast.Not(), test), test)


def _is_negated_elsewhere(test: ast.expr) -> bool:
    return isinstance(test, ast.UnaryOp) or (isinstance(test, ast.Compare) and len(test.ops) == 1)
