"""Packages that a test installs in place of those that are there, and the facts of the error for one that is missing."""

from __future__ import annotations

import sys

import pytest

from safeload.errors import MissingDependencyError

ALLENNLP = ("allennlp", "allennlp.modules", "allennlp.modules.elmo")


def write_distribution(folder, name, version):
    """Install a distribution of no modules into a folder of `sys.path`."""
    facts = folder / f"{name}-{version}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def installer(monkeypatch, folder):
    """Return a function that installs packages of one module each, in place of those of these names."""
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])

    def write(name, version=None, code=None):
        if version:
            write_distribution(folder, name, version)
        if code is not None:
            for part in ALLENNLP if name == "allennlp" else (name,):
                monkeypatch.setitem(sys.modules, part, None)  # so that what was there comes back
                monkeypatch.delitem(sys.modules, part)
            (folder / f"{name}.py").write_text(code)

    return write


def refused(call, *given, **options):
    """Return the error of a call for which a package is missing."""
    with pytest.raises(MissingDependencyError) as caught:
        call(*given, **options)
    return caught.value


def facts(error):
    """Return the message, package, wanted version and hints of an error."""
    return error.message, error.package, error.wanted, list(error.hints)
