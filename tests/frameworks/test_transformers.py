"""Which torch and transformers a BERT is built with, and what is said where one is missing, of another version or broken."""

from __future__ import annotations

import importlib.metadata
import sys

import pytest

import safeload
from safeload import errors, testing
from safeload._frameworks import packages, transformers
from tests.frameworks.packages import facts, installer, refused

BOUNDS = {each.package: each.versions for each in packages.REQUIREMENTS["transformers"]}
COMMAND = f"pip install 'torch{BOUNDS['torch']}' 'transformers{BOUNDS['transformers']}'"


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Return a function that installs packages of one module each, in place of those of these names."""
    monkeypatch.setattr(sys, "version_info", (3, 11, 4))
    for name in [name for name in sys.modules if name.partition(".")[0] == "transformers"]:
        monkeypatch.delitem(sys.modules, name)
    return installer(monkeypatch, tmp_path)


def test_the_packages_that_are_here_are_taken():
    pytest.importorskip("transformers", minversion="4.57")
    torch = pytest.importorskip("torch", minversion="2.2")
    found = transformers.require_transformers()

    assert found.torch is torch
    assert found.bert.BertModel.__name__ == "BertModel"
    assert found.config_class is sys.modules["transformers"].BertConfig
    assert found.versions == {name: importlib.metadata.version(name) for name in ("torch", "transformers")}


@pytest.mark.parametrize("version", ["4.20.1", "4.56.2", "6.0.0", "6.1.0rc1", "0.9"])
def test_another_version_of_transformers_is_refused(install, version):
    install("torch", "2.13.0", "")
    install("transformers", version, "")

    wanted = BOUNDS["transformers"]
    message = f"transformers {version} is installed, but safeload builds with transformers{wanted}"
    assert facts(refused(transformers.require_transformers)) == (message, "transformers", wanted, [COMMAND])


@pytest.mark.parametrize("version", ["1.13.1", "2.1.2+cpu", "2.14.0", "3.0"])
def test_another_version_of_torch_is_refused(install, version):
    install("torch", version, "")

    error = refused(transformers.require_transformers)
    assert (error.package, error.found, error.hints) == ("torch", version, (COMMAND,))


@pytest.mark.parametrize("version", ["4.57", "4.57.0", "4.57.6", "5.0.0", "5.24.0.dev0", "5.99.1"])
def test_versions_within_the_bounds_are_tried(install, version):
    install("torch", "2.13.0+cpu", "")
    install("transformers", version, "raise ImportError('half of it')")

    error = refused(transformers.require_transformers)
    assert error.message == "transformers is installed but cannot be imported: ImportError: half of it"
    assert (error.found, error.hints[0].partition(" with ")[2].partition(" usually")[0]) == (version, COMMAND)


@pytest.mark.usefixtures("install")
def test_a_package_that_is_missing_is_named_with_the_command(monkeypatch):
    monkeypatch.setattr(transformers, "version_of", lambda _: None)
    assert facts(refused(transformers.require_transformers)) == (
        "torch is not installed", "torch", BOUNDS["torch"], [COMMAND],
    )  # fmt: skip


def test_on_an_older_python_the_hint_says_which_one(install, monkeypatch):
    install("torch", "1.12.1", "")
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))

    assert refused(transformers.require_transformers).hints == (
        f"in an environment of Python 3.11 or later: {COMMAND}",
    )


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="3.10 has a torch for AllenNLP")
@pytest.mark.parametrize("training", [False, True])
def test_beside_allennlp_a_load_is_a_typed_error(tmp_path, training):
    with pytest.raises(errors.MissingDependencyError, match=r"Python 3\.11 or later") as caught:
        safeload.load_bert(testing.write_bert(tmp_path), backend="transformers", training=training)

    assert caught.value.package in ("torch", "transformers")
    assert safeload.check_bert(tmp_path, backend="transformers", training=training).read
