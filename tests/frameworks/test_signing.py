"""Which model-signing verifies signatures, and what is said where it is missing, of another version or broken."""

from __future__ import annotations

import importlib.metadata
import sys

import pytest

import safeload
from safeload._frameworks import packages, signing
from tests.frameworks.packages import facts, installer, refused
from tests.signatures.bundles import BUNDLE, PUBLIC_KEY

BOUNDS = {each.package: each.versions for each in packages.REQUIREMENTS["signing"]}
COMMAND = f"pip install 'model-signing{BOUNDS['model-signing']}' 'pyOpenSSL{BOUNDS['pyOpenSSL']}'"


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Return a function that installs packages of one module each, in place of those of these names."""
    monkeypatch.setattr(sys, "version_info", (3, 11, 4))
    for name in [name for name in sys.modules if name.partition(".")[0] == "model_signing"]:
        monkeypatch.delitem(sys.modules, name)
    return installer(monkeypatch, tmp_path)


def test_the_packages_that_are_here_are_taken():
    pytest.importorskip("model_signing")
    found = signing.require_signing()

    assert found.version == importlib.metadata.version("model-signing")
    assert found.hashing is sys.modules["model_signing.hashing"]
    assert issubclass(found.invalid, Exception)


def test_a_load_without_the_package_says_which_command_installs_it(bert, tmp_path, monkeypatch):
    monkeypatch.setattr(signing, "version_of", lambda _: None)
    monkeypatch.setattr(sys, "version_info", (3, 11, 4))
    (tmp_path / "model.sig").write_text(BUNDLE)
    (tmp_path / "publisher.pub").write_text(PUBLIC_KEY)
    arguments = {"signature": tmp_path / "model.sig", "signed_by": tmp_path / "publisher.pub"}
    error = refused(lambda: safeload.check_bert(bert, **arguments))
    message = "model-signing is not installed, which verifies and makes signatures"
    assert facts(error) == (message, "model-signing", BOUNDS["model-signing"], [COMMAND])


def test_on_an_older_python_the_hint_says_which_one(monkeypatch):
    monkeypatch.setattr(signing, "version_of", lambda _: None)
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))
    assert refused(signing.require_signing).hints == (f"in an environment of Python 3.11 or later: {COMMAND}",)


@pytest.mark.parametrize("version", ["0.3.1", "1.0.1", "2.0.0"])
def test_another_version_is_refused(install, version):
    install("model_signing", version, "")
    error = refused(signing.require_signing)
    assert error.message.startswith(f"model-signing {version} is installed, but safeload verifies signatures with")
    assert error.hints == (COMMAND,)


def test_what_model_signing_imports_without_asking_for_it_is_named(monkeypatch):
    usual = signing.version_of
    monkeypatch.setattr(sys, "version_info", (3, 11, 4))
    monkeypatch.setattr(
        signing, "version_of", lambda name: {"pyOpenSSL": None, "model-signing": "1.1.1"}.get(name, usual)
    )
    assert facts(refused(signing.require_signing))[1:] == ("pyOpenSSL", BOUNDS["pyOpenSSL"], [COMMAND])
