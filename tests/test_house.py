"""The floors of the package, its imports, and what an import costs."""

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
HEAVY = {"tensorflow", "keras", "tf_keras", "keras_bert", "torch", "allennlp", "transformers"}
HEAVY_MODULES = {
    "bert/layers/transformers.py", "demo/bert.py", "demo/elmo.py", "elmo/builders/torch_fill.py", "elmo/layers/keras.py",
    "elmo/layers/torch.py",
}  # fmt: skip
HEAVY_AT_THE_TOP = {
    "bert/builders/transformers_build.py": "torch",
    "bert/builders/transformers_fill.py": "torch",
    "elmo/builders/torch.py": "torch",
    "elmo/builders/torch_encoder.py": "torch",
    "elmo/builders/torch_export.py": "torch",
    "elmo/builders/torch_inputs.py": "torch",
    "elmo/builders/torch_lstm.py": "torch",
    "elmo/builders/keras.py": "tensorflow",
    "elmo/builders/keras_bilm.py": "tensorflow",
    "elmo/builders/keras_inputs.py": "tensorflow",
    "elmo/builders/keras_layer.py": "tensorflow",
    "elmo/builders/keras_mean.py": "tensorflow",
    "elmo/builders/keras_text.py": "tensorflow",
    "elmo/builders/keras_tokens.py": "tensorflow",
    "compat/allennlp/embedder.py": "allennlp",
    "compat/allennlp_in_place.py": "allennlp",
    "keras.py": "tensorflow",
}
FLOORS = (
    ("_version.py", "_text"),
    ("report.py", "errors.py", "models.py"),
    ("_arguments.py", "_bytes", "_early.py", "_boundary.py", "_compare.py", "_naming.py", "_scopes.py"),
    ("_json.py", "_forms", "_values.py", "_digest.py", "_suspicion.py", "lock"),
    (
        "_recognise.py",
        "_caches.py",
        "_advice.py",
        "_published.py",
        "_frameworks",
        "_signatures",
        "_tensors.py",
        "_reports.py",
        "_model_kind.py",
        "_unproven.py",
        "_fit.py",
        "_steps.py",
        "_layers.py",
        "_outputs",
        "_saving.py",
        "_streamed.py",
        "_converting.py",
        "_diagnosis.py",
        "_trials.py",
    ),
    ("bert", "elmo", "weights"),
    ("_convert.py", "_expected.py", "keras.py", "settings", "compat", "testing", "fleet"),
    ("pytest_plugin.py", "demo", "cli"),
    ("__init__.py", "__main__.py"),
)
"""From the lowest floor up; an entry imports only entries of lower floors, and on its own floor those before it."""

SYSTEM_MODULE = "_bytes/system.py"
ASKS_THE_SYSTEM = {
    "preadv", "pread", "memfd_create", "O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY", "getuid", "geteuid",
    "posix_fadvise", "sched_getaffinity", "uname", "fork",
}  # fmt: skip
SYSTEM_IMPORTS = {"resource", "fcntl", "pwd", "grp", "termios", "msvcrt", "winreg", "signal", "multiprocessing"}


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def module_of(path):
    return ".".join(("safeload", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


BY_MODULE = {module_of(path): path for path in MODULES}


def imports_of(path):
    """Yield each import of a file, those for types among them: the node, and the module or name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def imported_files(path):
    """Return the package's own files that a file imports."""
    names = [name for _, name in imports_of(path)]
    return {BY_MODULE[found] for name in names if (found := own_module(name))} - {path}


def own_module(name):
    return next((found for found in (name, name.rpartition(".")[0]) if found in BY_MODULE), None)


def entry_of(path):
    return path.relative_to(PACKAGE).parts[0]


def place_of(path):
    """Return the number of an entry's floor, and its place on it."""
    return next(
        (number, floor.index(entry))
        for number, floor in enumerate(FLOORS)
        for entry in [entry_of(path)]
        if entry in floor
    )


def test_there_are_at_most_nine_floors_and_every_entry_is_on_one():
    listed = [entry for floor in FLOORS for entry in floor]

    assert len(FLOORS) <= 9
    assert sorted(listed) == sorted({entry_of(path) for path in MODULES})


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_file_imports_only_what_is_below_it(path):
    for other in imported_files(path):
        assert entry_of(other) == entry_of(path) or place_of(other) < place_of(path), f"it imports {name_of(other)}"


def test_no_two_files_import_each_other():
    below = {}

    def reach(path, way):
        assert path not in way, " -> ".join(map(name_of, [*way[way.index(path) :], path]))
        if path not in below:
            below[path] = set()
            for other in imported_files(path):
                below[path] |= {other} | reach(other, [*way, path])
        return below[path]

    for path in MODULES:
        assert path not in reach(path, [])


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_framework_is_imported_inside_a_function_of_a_builder(path):
    top_level = {node.lineno for node in ast.parse(path.read_text(encoding="utf-8")).body}
    for node, name in imports_of(path):
        if name_of(path) in HEAVY_AT_THE_TOP:
            assert name.split(".")[0] not in HEAVY - {HEAVY_AT_THE_TOP[name_of(path)]}
        elif name.split(".")[0] in HEAVY:
            assert name_of(path) in HEAVY_MODULES
            assert node.lineno not in top_level
            assert node.col_offset > 0


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_file_with_a_framework_at_its_top_is_imported_by_no_other_at_its_top(path):
    if name_of(path) in HEAVY_AT_THE_TOP:
        return
    heavy = {"safeload." + name.removesuffix(".py").replace("/", ".") for name in HEAVY_AT_THE_TOP}
    for node, name in imports_of(path):
        assert name.rpartition(".")[0] not in heavy or node.col_offset > 0
        assert name not in heavy or node.col_offset > 0


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_one_module_asks_which_system_this_is(path):
    if name_of(path) == SYSTEM_MODULE:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    asked = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if (node.value.id == "os" and node.attr in ASKS_THE_SYSTEM)
        or (node.value.id, node.attr) in {("sys", "platform"), ("os", "name"), ("platform", "system")}
    }

    assert not asked
    imported = {name for _, name in imports_of(path)} - {"multiprocessing.connection.Connection"}
    assert not {name.split(".")[0] for name in imported} & SYSTEM_IMPORTS


def test_the_wings_have_the_same_files_for_the_same_work():
    bert, elmo = ({path.name for path in (PACKAGE / wing).glob("*.py")} for wing in ("bert", "elmo"))

    assert bert & elmo == {
        "__init__.py",
        "_arguments.py",
        "_calls.py",
        "_converting.py",
        "_mismatch.py",
        "_model.py",
        "_outputs.py",
        "_parameters.py",
        "_places.py",
        "_saving.py",
        "_trials.py",
        "_vocabulary.py",
    }
    assert bert - elmo == {
        "_against.py", "_choice.py", "_config.py", "_content.py", "_dialects.py", "_runtimes.py", "_saved_config.py",
    }  # fmt: skip
    assert elmo - bert == {
        "_allennlp.py", "_characters.py", "_direct.py", "_held.py", "_module.py", "_options.py",
    }  # fmt: skip
    for folder in ("namings", "builders"):
        assert (PACKAGE / "bert" / folder / "__init__.py").exists()
        assert (PACKAGE / "elmo" / folder / "__init__.py").exists()


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
