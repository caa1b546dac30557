"""The public names: the reference describes them and no others, and none changes without a line in `public_api.txt`."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import importlib
import inspect
import re
from pathlib import Path

import click
import pytest

import safeload
from safeload import bert, errors, models, pytest_plugin, report, testing
from safeload.cli import main
from safeload.compat import keras_bert
from tests.docs.blocks import ROOT

KEPT = Path(__file__).parent / "public_api.txt"
REFERENCE = ROOT / "docs/reference"
PACKAGE = Path(safeload.__file__).parent


def defined_in(module):
    return {
        name
        for name, found in vars(module).items()
        if getattr(found, "__module__", "") == module.__name__ and not name.startswith("_") and callable(found)
    }


def public():
    """Return the public names, by what says in the code that they are."""
    layers = ast.literal_eval(re.search(r"__all__ = (.*)", (PACKAGE / "keras.py").read_text(encoding="utf-8"))[1])
    elmo = importlib.import_module("safeload.compat.allennlp")
    return {
        *safeload.__all__,
        *(f"errors.{name}" for name in defined_in(errors)),
        *(f"report.{name}" for name in defined_in(report) if isinstance(getattr(report, name), type)),
        *(f"bert.{name}" for name in bert.__all__),
        *(f"models.{name}" for name in models.__all__),
        *(f"testing.{name}" for name in testing.__all__),
        *(f"keras.{name}" for name in layers),
        *(f"compat.allennlp.{name}" for name in (*elmo.__all__, "ElmoTokenEmbedder")),
        *(f"compat.keras_bert.{name}" for name in defined_in(keras_bert)),
        *(f"pytest_plugin.{name}" for name in fixtures()),
        "pytest_plugin.BrokenModel",
    }


def fixtures():
    return re.findall(r"^@pytest\.fixture.*\ndef (\w+)", Path(pytest_plugin.__file__).read_text("utf-8"), re.MULTILINE)


def without_repeated(names):
    """Leave out a name of a module where `safeload` has the same."""
    top = set(safeload.__all__)
    return {name for name in names if "." not in name or name.rpartition(".")[2] not in top or "compat." in name}


def described():
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(REFERENCE.glob("*.md")))
    found = set(re.findall(r"^\.\. (?:auto\w+|py:\w+):: safeload\.(\S+)", text, re.MULTILINE))
    found |= {f"keras.{name}" for name in re.findall(r"from-code: keras_layer \w+ (\w+) ", text)}
    found |= {f"testing.{name}" for name in testing.__all__ if f"`safeload.testing.{name}`" in text}
    if "<!-- from-code: error_classes -->" in text:
        found |= {"SafeLoadError", *(f"errors.{name}" for name in defined_in(errors))}
    return found


def test_the_reference_describes_the_public_names_and_no_others():
    assert sorted(without_repeated(described())) == sorted(without_repeated(public()))


def test_every_public_name_exists():
    for name in public():
        module, _, attribute = f"safeload.{name}".rpartition(".")
        if module not in (
            "safeload.keras",
            "safeload.compat.allennlp",
        ):  # the layers need TensorFlow, the embedder AllenNLP
            assert hasattr(importlib.import_module(module), attribute), name


def test_the_types_of_models_are_those_that_a_type_checker_reads():
    stub = ast.parse((PACKAGE / "models.pyi").read_text(encoding="utf-8"))
    classes = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef)}
    (listed,) = (node.value for node in stub.body if isinstance(node, ast.Assign))

    assert ast.literal_eval(listed) == models.__all__ == sorted(defined_in(models))
    assert {name for name in classes if not name.startswith("_")} == set(models.__all__)


def snapshot():
    """Return a line for each public call, class and command: its parameters, fields and options."""
    lines = []
    for name in sorted(without_repeated(public())):
        module, _, attribute = f"safeload.{name}".rpartition(".")
        if module in ("safeload.keras", "safeload.compat.allennlp", "safeload.pytest_plugin"):
            lines.append(f"safeload.{name}")
        else:
            lines.append(f"safeload.{name}{shape_of(getattr(importlib.import_module(module), attribute))}")
    return "\n".join([*lines, *commands(main, "safeload")]) + "\n"


def shape_of(found):
    """Return the fields of a class, the parents of an error, or the parameters of a call."""
    if isinstance(found, type) and issubclass(found, (Exception, Warning)):
        return f" < {', '.join(parent.__name__ for parent in found.__bases__)}"
    if dataclasses.is_dataclass(found):
        return f": {', '.join(field.name for field in dataclasses.fields(found))}"
    if not inspect.isfunction(found):
        return ""
    parameters = inspect.signature(found).parameters.values()
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in parameters]
    return re.sub(r" at 0x\w+", "", str(inspect.Signature(plain)))


def commands(command, name):
    """Yield a line for each command, with its options and arguments."""
    parameters = [
        " ".join(each.opts) if isinstance(each, click.Option) else each.human_readable_name for each in command.params
    ]
    yield " | ".join([f"$ {name}", *parameters])
    if isinstance(command, click.Group):
        for inner in sorted(command.commands):
            yield from commands(command.commands[inner], f"{name} {inner}")


def test_what_is_public_changes_on_purpose_alone(request):
    now = snapshot()
    if request.config.getoption("--write-golden"):
        KEPT.write_text(now, encoding="utf-8")
    kept = KEPT.read_text(encoding="utf-8")
    changed = list(difflib.unified_diff(kept.splitlines(), now.splitlines(), lineterm="", n=0))[2:]

    if changed:
        pytest.fail("\n".join([
            "the public API has changed; where that is meant, read docs/explanation/stability.md, add a fragment to news/,",
            "and run this test with --write-golden",
            *changed,
        ]))  # fmt: skip
