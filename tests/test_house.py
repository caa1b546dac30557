"""The rooms, their arrows, and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import safeload
from safeload import errors

PACKAGE = Path(safeload.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"tensorflow", "keras", "tf_keras", "keras_bert", "torch", "allennlp"}
HEAVY_ROOMS = {"bert/_backend.py", "demo/bert.py", "demo/elmo.py", "elmo/_fill.py"}
HEAVY_AT_THE_TOP = {
    "elmo/_encoder.py": "torch",
    "elmo/_lstm.py": "torch",
    "elmo/_torch.py": "torch",
    "elmo/_keras.py": "tensorflow",
    "elmo/_keras_bilm.py": "tensorflow",
    "elmo/_keras_inputs.py": "tensorflow",
    "elmo/_keras_tokens.py": "tensorflow",
    "keras.py": "tensorflow",
}
ROOMS = [
    "errors.py",
    "_html.py",
    "report.py",
    "_paths.py",
    "_files.py",
    "_optional.py",
    "_compare.py",
    "_arguments.py",
    "_tensors.py",
    "_formats",
    "lock.py",
    "_locked.py",
    "settings",
    "bert",
    "elmo",
    "keras.py",
    "compat",
    "testing",
    "pytest_plugin.py",
    "demo",
    "cli",
]


def imports_of(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def room_of(name):
    parts = name.split(".")[1:]
    return next((room for part in parts[:1] for room in ROOMS if room.removesuffix(".py") == part), None)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_an_import_points_to_an_earlier_room(path):
    here = path.relative_to(PACKAGE).parts[0]
    if here in ("__init__.py", "__main__.py"):
        return
    for _, name in imports_of(path):
        if name.startswith("safeload.") and (room := room_of(name)):
            assert ROOMS.index(room) <= ROOMS.index(here), f"{here} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_heavy_import_stands_inside_a_function_of_its_room(path):
    top_level = {node.lineno for node in ast.parse(path.read_text(encoding="utf-8")).body}
    for node, name in imports_of(path):
        room = str(path.relative_to(PACKAGE))
        if room in HEAVY_AT_THE_TOP:
            assert name.split(".")[0] not in HEAVY - {HEAVY_AT_THE_TOP[room]}
        elif name.split(".")[0] in HEAVY:
            assert room in HEAVY_ROOMS
            assert node.lineno not in top_level
            assert node.col_offset > 0


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_with_a_framework_at_its_top_is_imported_by_no_other_at_its_top(path):
    if str(path.relative_to(PACKAGE)) in HEAVY_AT_THE_TOP:
        return
    heavy = {"safeload." + room.removesuffix(".py").replace("/", ".") for room in HEAVY_AT_THE_TOP}
    for node, name in imports_of(path):
        assert name.rpartition(".")[0] not in heavy or node.col_offset > 0
        assert name not in heavy or node.col_offset > 0


def test_importing_safeload_imports_only_the_standard_library():
    code = "import sys; before = set(sys.modules); import safeload; print(*sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) - sys.stdlib_module_names == {"safeload"}


def test_every_public_name_is_there_and_documented():
    assert len(set(safeload.__all__)) == len(safeload.__all__)
    for name in safeload.__all__:
        assert name == "FULL_LENGTH" or getattr(safeload, name).__doc__


def test_the_error_tree_is_the_one_that_is_drawn():
    classes = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.SafeLoadError)]
    drawn = [
        line.strip("+-| ").split("(")[0].split(" ")[0] for line in errors.__doc__.split("```")[1].splitlines() if line
    ]

    assert sorted(drawn) == sorted(cls.__name__ for cls in classes)
    for cls in classes:
        assert cls.__name__ + "(" in errors.__doc__ or issubclass(cls, errors.MissingFileError)
