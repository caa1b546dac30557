"""Which packages a backend takes, and what is said where one is missing, of another version or broken."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import sys

import numpy as np
import pytest

import safeload
from safeload._frameworks import elmo, packages, tensorflow
from safeload.elmo.builders import builder_of
from tests.elmos import options, write_elmo
from tests.frameworks.packages import facts, installer, refused

OR_TORCH = "or pass backend='torch': the same parameters, forward and outputs, without AllenNLP"
INSTALL = packages.install("elmo")


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Return a function that installs packages of one module each, in place of those of these names."""
    return installer(monkeypatch, tmp_path)


def test_a_backend_that_is_named_is_the_one_that_is_taken():
    assert elmo.choose_backend("torch") == "torch"
    assert builder_of("torch") is importlib.import_module("safeload.elmo.builders.torch")
    assert elmo.versions_of("torch") == {"torch": importlib.metadata.version("torch")}


def test_the_versions_are_those_that_are_installed(install):
    install("torch", "1.99.0")
    assert elmo.versions_of("torch") == {"torch": "1.99.0"}
    install("allennlp", "2.10.7")
    assert elmo.versions_of("allennlp") == {"torch": "1.99.0", "allennlp": "2.10.7"}


def test_a_package_that_is_no_distribution_has_no_version(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    assert elmo.versions_of("torch") == {"torch": "?"}


def auto(caplog, **options):
    with caplog.at_level(logging.INFO, logger="safeload"):
        return elmo.choose_backend("auto", **options)


def test_auto_takes_torch_and_says_why(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "allennlp", None)

    assert auto(caplog) == "torch"
    assert caplog.messages == ["backend 'auto' took torch: allennlp is not installed"]


SOUND = "import sys\nsys.modules['allennlp.modules'] = sys.modules['allennlp.modules.elmo'] = sys.modules['allennlp']"


@pytest.mark.parametrize("version", ["2.10.0", "2.10.1", None])
def test_auto_takes_an_allennlp_that_imports(install, caplog, version):
    install("allennlp", version, SOUND)

    assert auto(caplog) == "allennlp"
    assert caplog.messages == ["backend 'auto' took allennlp"]
    assert elmo.choose_backend("allennlp") == "allennlp"


def test_auto_takes_torch_without_skip_connections(install, caplog, tmp_path):
    install("allennlp", "2.10.1", SOUND)
    write_elmo(tmp_path, options(lstm={"use_skip_connections": False}))

    assert safeload.report_of(safeload.load_elmo(tmp_path)).backend == "torch"
    assert auto(caplog, use_skip_connections=False) == "torch"
    told = "AllenNLP cannot build a biLM without skip connections"
    assert caplog.messages == [f"backend 'auto' took torch: {told}"]


@pytest.mark.parametrize("too_new", [True, False])
def test_an_allennlp_that_is_not_installed_is_told(monkeypatch, too_new):
    monkeypatch.setitem(sys.modules, "allennlp", None)
    python = sys.version_info[:2]
    monkeypatch.setattr(elmo, "_LAST_PYTHON_OF_ALLENNLP", (python[0], python[1] - too_new))

    how = "AllenNLP 2.10 installs on Python 3.8 to 3.10 only" if too_new else INSTALL
    assert facts(refused(elmo.choose_backend, "allennlp")) == (
        "allennlp is not installed", "allennlp", ">=2.10.1,<2.11", [how, OR_TORCH],
    )  # fmt: skip


def test_python_3_10_is_the_last_of_allennlp():
    assert elmo._LAST_PYTHON_OF_ALLENNLP == (3, 10)


@pytest.mark.parametrize("version", ["2.9.3", "3.2.10."])
def test_an_allennlp_of_another_version_is_told(install, version):
    install("allennlp", version, SOUND)

    message = f"allennlp {version} is installed, but safeload supports AllenNLP 2.10 only"
    hints = ["pip install 'allennlp==2.10.1'", OR_TORCH]
    assert facts(refused(elmo.choose_backend, "allennlp")) == (message, "allennlp", ">=2.10.1,<2.11", hints)


def test_an_allennlp_that_cannot_be_imported_is_told(install):
    install("allennlp", "2.10.1", "raise OSError('libfoo.so')")

    message, package, wanted, hints = facts(refused(elmo.choose_backend, "allennlp"))
    assert message == "allennlp is installed but cannot be imported: OSError: libfoo.so"
    assert (package, wanted) == ("allennlp", ">=2.10.1,<2.11")
    assert INSTALL in hints[0]


def test_an_allennlp_without_a_torch_is_told(install):
    install("allennlp", "2.10.1", SOUND)
    install("torch", None, "raise OSError('libfoo.so')")

    assert refused(elmo.choose_backend, "allennlp").package == "torch"


def test_a_torch_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)

    assert facts(refused(elmo.require_torch)) == ("torch is not installed", "torch", ">=1.12", [INSTALL])
    assert refused(elmo.choose_backend, "torch").package == "torch"


def test_a_torch_that_cannot_be_imported_is_told(install):
    install("torch", "2.1.0", "raise OSError('libfoo.so')")

    message, package, wanted, hints = facts(refused(elmo.require_torch))
    assert message == "torch is installed but cannot be imported: OSError: libfoo.so"
    assert (package, wanted) == ("torch", ">=1.12")
    assert INSTALL in hints[0]


def test_a_torch_for_another_numpy_is_told(install):
    install(
        "torch", None, "__version__ = '1.13.1'\ndef from_numpy(array): raise RuntimeError('Numpy is not available')"
    )

    message = f"torch 1.13.1 cannot use numpy {np.__version__}: Numpy is not available"
    hints = ["pip install 'numpy<2'", "or install torch 2.3 or later, which is built for NumPy 2"]
    assert facts(refused(elmo.require_torch)) == (message, "numpy", "<2", hints)


def test_a_tensorflow_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)

    assert facts(refused(elmo.choose_backend, "keras")) == (
        "TensorFlow is not installed", "tensorflow", ">=2.15,<2.22", [packages.install("bert")],
    )  # fmt: skip


def test_the_keras_of_the_tensorflow_that_is_here_is_taken():
    tf = pytest.importorskip("tensorflow")
    package = tf.keras.Model.__module__.split(".")[0]

    assert elmo.choose_backend("keras") == "keras"
    assert tensorflow.require_keras() is sys.modules[package]
    assert elmo.versions_of("keras") == {
        "tensorflow": tf.__version__,
        package.replace("_", "-"): importlib.metadata.version(package),
    }
