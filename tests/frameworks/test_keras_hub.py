"""What is said where KerasHub, Keras 3 or its framework is missing, and that tf-keras stays what it is."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

from safeload._frameworks.keras_hub import require_keras_hub
from tests.frameworks.packages import facts, installer, refused

COMMAND = "pip install 'keras-hub>=0.32,<1'"
FIRST_PYTHON = (3, 11)
on_3_10 = pytest.mark.skipif(sys.version_info[:2] >= FIRST_PYTHON, reason="KerasHub installs on this Python")
from_3_11 = pytest.mark.skipif(sys.version_info[:2] < FIRST_PYTHON, reason="KerasHub does not install on this Python")
is_here = importlib.util.find_spec("keras_hub") is not None
needs_keras_hub = pytest.mark.skipif(not is_here, reason="keras-hub is not installed")


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Return a function that installs packages of one module each, the only ones that are there."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "site-packages" not in path])
    for name in ("keras", "keras_hub"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return installer(monkeypatch, tmp_path)


@on_3_10
def test_python_3_10_is_too_old(tmp_path):
    from safeload import load_bert, testing

    error = refused(load_bert, testing.write_bert(tmp_path / "bert"), backend="keras-hub")
    assert facts(error) == (
        "keras-hub >=0.32,<1 needs Python 3.11 or later",
        "keras-hub",
        ">=0.32,<1",
        ["run it with Python 3.11 or later, after: pip install 'keras-hub>=0.32,<1'"],
    )
    assert error.found == "none"


@from_3_11
@pytest.mark.usefixtures("install")
def test_a_missing_keras_hub_is_named_with_the_command():
    error = refused(require_keras_hub)

    assert facts(error) == ("keras-hub is not installed", "keras-hub", ">=0.32,<1", [COMMAND])


@from_3_11
@pytest.mark.parametrize("version", ["0.31.9", "1.0", "1.0.0.dev0"])
def test_a_version_outside_of_the_bounds_is_named(version, install):
    install("keras_hub", version, "")
    error = refused(require_keras_hub)

    message = f"keras-hub {version} is installed, but safeload supports keras-hub >=0.32,<1"
    assert facts(error) == (message, "keras-hub", ">=0.32,<1", [COMMAND])
    assert error.found == version


@from_3_11
def test_keras_2_is_too_old(install):
    install("keras_hub", "0.32.0", "")
    install("keras", "2.15.0", "__version__ = '2.15.0'")
    error = refused(require_keras_hub)

    assert facts(error) == ("Keras 2.15.0 is installed, but keras-hub needs Keras 3", "keras", ">=3", [COMMAND])


@from_3_11
def test_a_framework_that_is_missing_is_named(install):
    install("keras_hub", "0.32.0", "")
    install("keras", "3.15.0", "raise ModuleNotFoundError(\"No module named 'jax'\", name='jax')")
    error = refused(require_keras_hub)

    choose = "or set KERAS_BACKEND to tensorflow, jax or torch in the environment before Python starts"
    message = "Keras is set to run on jax, which is not installed"
    assert facts(error) == (message, "jax", "importable", ["pip install jax", choose])
    assert isinstance(error.__cause__, ModuleNotFoundError)


@from_3_11
def test_a_keras_that_cannot_be_imported_is_told_with_the_cause(install):
    install("keras_hub", "0.32.0", "")
    install("keras", "3.15.0", "raise ValueError('Unable to import backend : nonsense')")
    error = refused(require_keras_hub)

    assert error.message.startswith("keras is installed but cannot be imported: ValueError: Unable to import backend")
    assert (error.package, error.wanted) == ("keras", ">=3")


UNRESOLVED = """
import os, sys
from safeload._frameworks.keras_hub import require_keras_hub
from safeload.errors import MissingDependencyError
try:
    backend = require_keras_hub()
except MissingDependencyError as error:
    print(error.message, "|", error.package)
else:
    import tensorflow as tf
    print(backend.engine, *sorted(backend.versions), vars(tf)["keras"], "tf_keras" in sys.modules, "keras_bert" in sys.modules)
print(os.environ.get("TF_USE_LEGACY_KERAS"))
"""


def run(engine, code=UNRESOLVED):
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**environment, "KERAS_BACKEND": engine},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@needs_keras_hub
def test_tf_keras_is_not_imported_not_chosen_and_not_resolved():
    assert run("tensorflow") == ["tensorflow keras keras-hub tensorflow <KerasLazyLoader> False False", "None"]


@needs_keras_hub
def test_a_framework_that_does_not_train_is_refused():
    message, _ = run("numpy")
    assert message == (
        "Keras runs on numpy in this process, but a model of KerasHub needs tensorflow or jax or torch | keras"
    )


TOGETHER = """
import sys, threading
from safeload._frameworks.keras_hub import require_keras_hub
from safeload._frameworks.tensorflow import require_keras_bert
sys.setswitchinterval(1e-5)
failed = []

def use(require):
    try:
        require()
    except Exception as error:
        failed.append(str(error))

threads = [threading.Thread(target=use, args=(each,)) for each in (require_keras_bert, require_keras_hub)]
for each in threads:
    each.start()
for each in threads:
    each.join()
print(*failed)
"""


@needs_keras_hub
@pytest.mark.skipif(importlib.util.find_spec("keras_bert") is None, reason="keras-bert is not installed")
def test_two_threads_import_the_frameworks_one_after_the_other():
    """TensorFlow's modules import each other in circles: begun at two ends at once, Python reports a deadlock."""
    assert run("tensorflow", TOGETHER) == [""]
