"""Each case in a process of its own, since a process can choose its Keras once; most fork one that has imported TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata

import pytest

from tests import forking

KERAS_3 = tuple(map(int, metadata.version("tensorflow").split(".")[:2])) >= (2, 16)
brings_keras_3 = pytest.mark.skipif(not KERAS_3, reason="TensorFlow comes with Keras 2")
brings_keras_2 = pytest.mark.skipif(KERAS_3, reason="TensorFlow comes with Keras 3")

REFUSED = """
from safeload.errors import MissingDependencyError
before = dict(os.environ)
try:
    safeload.load_bert(folder)
except MissingDependencyError as exc:
    assert "TF_USE_LEGACY_KERAS" in str(exc), exc
    assert exc.package and exc.wanted and exc.found and exc.python
    assert dict(os.environ) == before
    print("refused")
"""
LOADED = """
print("loaded", len(safeload.load_bert(folder).weights))
"""
HIDE = """
import importlib.metadata, importlib.util
find_spec, version = importlib.util.find_spec, importlib.metadata.version
hidden = {hidden!r}
importlib.util.find_spec = lambda name, *rest: None if name == hidden else find_spec(name, *rest)
def hide(name):
    if name.replace("-", "_").startswith(hidden):
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)
importlib.metadata.version = hide
from safeload.errors import MissingDependencyError
try:
    safeload.load_bert(folder)
except MissingDependencyError as exc:
    assert "pip install" in str(exc), exc
    print("refused", exc.package, exc.found)
"""


START = "import os, sys\nimport safeload\nfolder = {!r}\n"


def without_choice():
    return {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}


def run(folder, code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", START.format(str(folder)) + code],
        capture_output=True,
        text=True,
        env={**without_choice(), **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def beside_tensorflow(tiny_bert, tmp_path_factory):
    """Return a function that runs code where TensorFlow is imported already, and no Keras."""
    script = tmp_path_factory.mktemp("keras") / "script.py"
    with forking.template("tensorflow", env=without_choice()) as fork:

        def run(code):
            script.write_text(START.format(str(tiny_bert)) + code)
            done = fork(script, env=without_choice())
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        yield run


def test_a_load_imports_what_it_needs(tiny_bert):
    assert run(tiny_bert, LOADED) == "loaded 37"


@pytest.mark.parametrize(
    "before", ["import tensorflow", "from tensorflow import keras", "import tensorflow as tf; tf.constant(1)"]
)
def test_a_load_works_until_tf_keras_is_resolved(beside_tensorflow, before):
    assert beside_tensorflow(before + LOADED) == "loaded 37"


@brings_keras_3
@pytest.mark.parametrize(
    "before",
    [
        "import tensorflow as tf; tf.keras.layers.Dense",
        "import tensorflow.keras",
        "from tensorflow.keras import layers",
        "import keras_bert",
    ],
)
def test_a_tf_keras_that_is_keras_3_already_is_refused(beside_tensorflow, before):
    assert beside_tensorflow(before + REFUSED) == "refused"


@brings_keras_3
def test_a_variable_that_asks_for_keras_3_is_refused(tiny_bert):
    assert run(tiny_bert, REFUSED, TF_USE_LEGACY_KERAS="0") == "refused"


@brings_keras_3
def test_a_variable_that_asks_for_tf_keras_works(tiny_bert):
    assert run(tiny_bert, "import tensorflow.keras" + LOADED, TF_USE_LEGACY_KERAS="1") == "loaded 37"


@brings_keras_2
def test_a_variable_that_asks_for_a_missing_tf_keras_is_refused(tiny_bert):
    assert run(tiny_bert, REFUSED, TF_USE_LEGACY_KERAS="1") == "refused"


@pytest.mark.parametrize("hidden", ["tensorflow", "keras_bert"])
def test_a_missing_package_is_named_with_what_installs_it(tiny_bert, hidden):
    assert run(tiny_bert, HIDE.format(hidden=hidden)) == f"refused {hidden.replace('_', '-')} none"


def test_a_package_that_cannot_be_imported_is_told_from_a_missing_one(beside_tensorflow, tmp_path):
    (tmp_path / "keras_bert.py").write_text("raise TypeError('Descriptors cannot be created directly')")
    code = REFUSED.replace('"TF_USE_LEGACY_KERAS" in str(exc)', '"Descriptors" in str(exc) and exc.__cause__').replace(
        "assert dict(os.environ) == before", "assert exc.package == 'keras-bert'"
    )

    assert beside_tensorflow(f"sys.path.insert(0, {str(tmp_path)!r})\n{code}") == "refused"


LIGHT = (
    "\nprint(*sorted({name.split('.')[0] for name in sys.modules} & {'tensorflow', 'keras', 'tf_keras', 'keras_bert'}))"
)


def test_a_check_imports_neither_tensorflow_nor_keras(tiny_bert):
    assert run(tiny_bert, "safeload.check_bert(folder, training=True)" + LIGHT) == ""


@pytest.mark.parametrize(
    "call",
    [
        "safeload.load_bert(folder, seq_len=99)",
        "safeload.load_bert(folder + '/x')",
        "safeload.load_bert(folder, folder + '/vocab.txt')",
    ],
)
def test_a_load_that_fails_has_not_imported_them_either(tiny_bert, call):
    code = f"\ntry:\n    {call}\nexcept safeload.SafeLoadError:\n    pass\nelse:\n    raise SystemExit(1)"

    assert run(tiny_bert, code + LIGHT) == ""
