"""The version of a package, and what is said where it is missing or cannot be imported; small packages, installed for it."""

from __future__ import annotations

import sys

import pytest

from safeload._frameworks.packages import import_installed, missing_dependency, version_of
from tests.frameworks.packages import facts, installer, refused


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Return a function that installs packages of one module each."""
    return installer(monkeypatch, tmp_path)


def test_a_version_is_found_without_an_import(install):
    install("brittle_package", "1.2.3", "raise SystemExit")

    assert version_of("brittle-package") == "1.2.3"
    assert version_of("brittle_package_of_nobody") is None


def test_the_error_says_what_is_wanted_what_was_found_and_on_which_python(install):
    install("some_package", "0.9")
    python = ".".join(map(str, sys.version_info[:3]))
    for package, found in (("some-package", "0.9"), ("other-package", "none")):
        error = missing_dependency("it is too old", package=package, wanted=">=1", hints=["pip install it"])

        assert facts(error) == ("it is too old", package, ">=1", ["pip install it"])
        assert (error.found, error.python) == (found, python)
        assert error.context == (("package", package), ("wanted", ">=1"), ("found", found), ("python", python))


def test_a_package_that_imports_is_returned(install):
    install("good_package", "2.0", "answer = 42")

    found = import_installed("good_package", package="good-package", wanted=">=2", install="pip install it")
    assert found.answer == 42


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise OSError('libfoo.so')", "OSError: libfoo.so"),
        ("import no_module_of_anybody", "ModuleNotFoundError: No module named 'no_module_of_anybody'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise RuntimeError('one line\\nanother')", "RuntimeError: one line"),
    ],
)
def test_a_package_that_cannot_be_imported_is_told_with_the_cause(install, code, told):
    install("bad_package", "1.0", code)

    error = refused(import_installed, "bad_package", package="bad-package", wanted=">=1", install="pip install it")
    assert error.message.startswith(f"bad-package is installed but cannot be imported: {told}")
    assert "\n" not in error.message
    assert (error.package, error.wanted, error.found) == ("bad-package", ">=1", "1.0")
    hint = "the exception above is the cause; a fresh environment with pip install it usually fixes this"
    assert error.hints == (hint,)
    assert type(error.__cause__).__name__ == told.partition(":")[0]
