"""The mutants themselves, and that the tables name those that there are."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.mutants import mutants_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CODE = '''
"""A docstring."""
import os
SIZES = {"a": 1, "b": 2}
def cut(text: str, limit: int = 9) -> str:
    """A docstring."""
    if len(text) <= limit and not text.startswith("x"):
        raise ValueError("a message")
    return text[:limit]
'''
NAMES = """
module: {'a': 1, 'b': 2} -> {'b': 2}
module: {'a': 1, 'b': 2} -> {'a': 1}
module: 'a' -> 'XXa'
module: 'b' -> 'XXb'
module: 1 -> 2
module: 2 -> 3
cut: 9 -> 10
cut: len(text) <= limit and (not text.startswith('x')) -> not (len(text) <= limit and (not text.startswith('x')))
cut: len(text) <= limit and (not text.startswith('x')) -> len(text) <= limit or not text.startswith('x')
cut: len(text) <= limit and (not text.startswith('x')) -> not text.startswith('x')
cut: len(text) <= limit and (not text.startswith('x')) -> len(text) <= limit
cut: len(text) <= limit -> len(text) < limit
cut: len(text) <= limit -> len(text) > limit
cut: not text.startswith('x') -> text.startswith('x')
cut: text.startswith('x') -> text.endswith('x')
cut: 'x' -> 'XXx'
cut: raise ValueError('a message') -> pass
cut: return text[:limit] -> return None
cut: :limit -> :
"""


def test_a_module_has_these_mutants():
    assert [mutant.name for mutant in mutants_of(ast.parse(CODE))] == NAMES.strip().splitlines()


def test_a_mutant_is_the_module_with_the_change():
    tree = ast.parse(CODE)
    mutant = next(
        mutant for mutant in mutants_of(tree) if mutant.name == "cut: len(text) <= limit -> len(text) < limit"
    )
    mutant.apply()

    assert ast.unparse(tree) == ast.unparse(ast.parse(CODE)).replace("<=", "<")


def table(name):
    tomllib = pytest.importorskip("tomllib") if sys.version_info >= (3, 11) else pytest.importorskip("tomli")
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))


def test_the_plan_names_what_is_there():
    for group in table("plan")["group"]:
        for name in (*group["modules"], *group["tests"]):
            assert (ROOT / name.partition("::")[0]).exists()


def test_a_module_that_is_not_in_the_plan_is_an_error():
    pytest.importorskip("tomllib")
    command = [sys.executable, "-m", "tests.mutation.run", "safeload/none.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "add to a group of tests/mutation/plan.toml: safeload/none.py" in done.stderr


def test_the_argued_mutants_are_there_and_argued():
    for module, argued in table("argued").items():
        names = {mutant.name for mutant in mutants_of(ast.parse((ROOT / module).read_text(encoding="utf-8")))}

        assert sorted(set(argued) - names) == []
        assert all(argued.values())
