"""Which Keras a load takes, for each TensorFlow, tf-keras and value of TF_USE_LEGACY_KERAS; what is said where none will do."""

from __future__ import annotations

import importlib
import logging
import os
import sys

import pytest

from safeload._frameworks import packages, tensorflow
from safeload.errors import MissingDependencyError
from tests.frameworks.packages import facts, installer, refused, write_distribution

NAME = "TF_USE_LEGACY_KERAS"
KERAS_3 = "TensorFlow 2.16 comes with Keras 3; keras-bert needs tf-keras of the same minor version"


@pytest.fixture(scope="module")
def backend():
    return tensorflow.require_keras_bert()


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Return a function that makes these distributions the only installed ones; what is imported stays imported."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(path for path in sys.path if "site-packages" not in path)])

    def write(**versions):
        for name, version in versions.items():
            write_distribution(tmp_path, name, version)

    return write


def set_variable(monkeypatch, value):
    monkeypatch.setenv(NAME, value or "")  # so that it is put back, whatever the load makes of it
    if value is None:
        monkeypatch.delenv(NAME)


@pytest.mark.parametrize(
    ("asked", "version", "tf_keras", "added", "variable"),
    [
        (None, "2.9.3", None, False, None),
        (None, "2.15.1", None, False, None),
        ("0", "2.15.1", None, False, "0"),
        ("1", "2.15.1", "2.15.0", False, "1"),
        (None, "2.16", "2.16.0", True, "1"),
        (None, "2.16.1", "2.16.0", True, "1"),
        ("", "2.21.0.dev20260101", "2.21.0", True, "1"),
        ("1", "2.21.0", "2.21.0", False, "1"),
        ("true", "2.21.0", "2.21.0", False, "1"),
        ("True", "2.21.0", "2.21.0", False, "1"),
    ],
)
def test_the_variable_is_set_where_keras_2_needs_it(install, monkeypatch, asked, version, tf_keras, added, variable):
    set_variable(monkeypatch, asked)
    install(**({"tf_keras": tf_keras} if tf_keras else {}))

    assert tensorflow._choose_keras(version) is added
    assert os.environ.get(NAME) == variable


@pytest.mark.parametrize("asked", [None, "1"])
def test_that_the_variable_was_set_is_logged(install, monkeypatch, caplog, asked):
    set_variable(monkeypatch, asked)
    install(tf_keras="2.16.0")
    with caplog.at_level(logging.INFO, logger="safeload"):
        tensorflow._choose_keras("2.16.1")

    told = [f"set {NAME}=1 for this process: TensorFlow 2.16.1 comes with Keras 3"]
    assert caplog.messages == (told if asked is None else [])


@pytest.mark.parametrize(
    ("asked", "version", "tf_keras", "message", "hints"),
    [
        ("0", "2.16.1", "2.16.0", f"{NAME}=0 selects Keras 3, which keras-bert does not support",
         [f"unset {NAME}, or set it to 1"]),
        (None, "2.16", None, KERAS_3, ["pip install 'tf-keras==2.16.*'"]),
        (None, "2.16", "2.17.0", KERAS_3, ["pip install 'tf-keras==2.16.*'"]),
        ("1", "2.15.1", "2.16.0", f"{NAME} is set; keras-bert needs tf-keras of the same minor version",
         ["pip install 'tf-keras==2.15.*'", f"or unset {NAME}: TensorFlow 2.15.1 includes Keras 2"]),
    ],
)  # fmt: skip
def test_a_choice_that_cannot_work_is_told_and_changes_nothing(
    install, monkeypatch, asked, version, tf_keras, message, hints
):
    set_variable(monkeypatch, asked)
    install(**({"tf_keras": tf_keras} if tf_keras else {}))

    with pytest.raises(MissingDependencyError) as caught:
        tensorflow._choose_keras(version)

    error = caught.value
    assert (error.message, list(error.hints)) == (message, hints)
    assert (error.package, error.found) == ("tf-keras", tf_keras or "none")
    assert error.wanted == f"=={version[:4]}.*"
    assert os.environ.get(NAME) == asked


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("name", ["tensorflow", "tensorflow_cpu", "tensorflow_macos", "tensorflow_intel", "tf_nightly"])
def test_each_distribution_of_tensorflow_is_known_by_its_version(install, monkeypatch, name):
    set_variable(monkeypatch, None)
    install(**{name: "2.16.1"})

    with pytest.raises(MissingDependencyError, match=r"TensorFlow 2\.16\.1 comes with Keras 3"):
        tensorflow.require_keras_bert()


@pytest.mark.parametrize("distribution", ["tensorflow", "tensorflow_of_somebody"])
def test_the_versions_are_those_of_the_packages(backend, install, monkeypatch, distribution):
    monkeypatch.setenv(NAME, os.environ.get(NAME, ""))
    tf, package = backend.tf, "tf_keras" if "tf_keras" in sys.modules else "keras"
    keras = importlib.import_module(package)
    install(**{distribution: tf.__version__, package: keras.__version__, "keras_bert": "0.89.7"})
    found = tensorflow.require_keras_bert()

    assert (found.tf, found.keras_bert) == (tf, backend.keras_bert)
    assert found.versions == {
        "tensorflow": tf.__version__,
        package.replace("_", "-"): keras.__version__,
        "keras-bert": "0.89.7",
    }


def test_a_keras_bert_that_is_no_distribution_loads_too(backend, install, monkeypatch):
    monkeypatch.setenv(NAME, os.environ.get(NAME, ""))
    install(tensorflow=backend.tf.__version__, tf_keras=backend.tf.__version__)

    assert tensorflow.require_keras_bert().versions["keras-bert"] == "?"


@pytest.mark.parametrize(
    ("module", "package", "wanted", "message"),
    [
        ("tensorflow", "tensorflow", ">=2.15,<2.22", "TensorFlow is not installed"),
        ("keras_bert", "keras-bert", "==0.89.*", "keras-bert is not installed"),
    ],
)
@pytest.mark.usefixtures("backend")
def test_a_package_that_is_not_installed_is_told(install, monkeypatch, module, package, wanted, message):
    install()
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MissingDependencyError) as caught:
        tensorflow.require_keras_bert()

    error = caught.value
    assert (error.message, error.package, error.wanted, error.found) == (message, package, wanted, "none")
    assert error.hints == (packages.install("bert"),)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("module", ["tensorflow", "keras_bert"])
def test_a_package_that_cannot_be_imported_is_told_as_that(install, monkeypatch, tmp_path, module):
    set_variable(monkeypatch, None)
    install(tensorflow="2.15.1", keras_bert="0.89.0")
    monkeypatch.delitem(sys.modules, module)
    (tmp_path / f"{module}.py").write_text("raise OSError('libfoo.so')")
    package = module.replace("_", "-")

    with pytest.raises(MissingDependencyError) as caught:
        tensorflow.require_keras_bert()

    error = caught.value
    assert error.message == f"{package} is installed but cannot be imported: OSError: libfoo.so"
    assert (error.package, error.wanted) == (package, "importable")
    assert error.hints[0].endswith("a fresh environment with " + packages.install("bert") + " usually fixes this")


@pytest.fixture
def keras_3(monkeypatch):
    monkeypatch.setenv(NAME, "1")
    monkeypatch.delitem(sys.modules, "tensorflow.keras", raising=False)
    return pytest.importorskip("keras", minversion="3")


def require_told(tf, keras, *, added):
    with pytest.raises(MissingDependencyError) as caught:
        tensorflow._keras_package(tf, added=added)

    error = caught.value
    assert "tf.keras is already Keras 3 in this process" in error.message
    assert (error.package, error.found, error.wanted) == ("keras", keras.__version__, "tf-keras 2.21.*")
    assert [hint[:23] for hint in error.hints] == [f"set {NAME}", "or call safeload.load_b"]
    assert os.environ.get(NAME) == (None if added else "1")


def test_a_keras_3_that_was_imported_through_tensorflow_is_told(backend, keras_3, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow.keras", keras_3)

    require_told(backend.tf, keras_3, added=True)


def test_a_tensorflow_that_cannot_be_imported_is_told(monkeypatch, tmp_path):
    installer(monkeypatch, tmp_path)("tensorflow", "2.21.0", "raise OSError('libfoo.so')")

    message, package, wanted, hints = facts(refused(tensorflow.require_keras))
    assert message == "tensorflow is installed but cannot be imported: OSError: libfoo.so"
    assert (package, wanted) == ("tensorflow", ">=2.15,<2.22")
    assert packages.install("bert") in hints[0]
