"""The version of a package, and what is said where it is missing or cannot be imported; small packages, installed for it."""

from __future__ import annotations

import configparser
import re
import sys
from pathlib import Path

import pytest

from safeload._frameworks import packages
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


EXTRA_LINE = re.compile(r"([A-Za-z-]+)([<>=][^;]*?)(?:; python_version (<|>=) \"(\d+)\.(\d+)\")?$")


@pytest.mark.parametrize("extra", packages.REQUIREMENTS)
def test_the_table_of_requirements_is_that_of_setup_cfg(extra):
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    lines = [line for line in setup["options.extras_require"][extra].splitlines() if line and not line.startswith("#")]
    listed = []
    for line in lines:
        package, versions, sign, major, minor = EXTRA_LINE.match(line).groups()
        bound = (int(major), int(minor)) if sign else None
        first, after = (bound if sign == ">=" else (3, 10)), (bound if sign == "<" else (3, 14))
        listed.append(packages.Requirement(package, versions, first, after))

    assert list(packages.REQUIREMENTS[extra]) == listed


def test_every_extra_that_a_user_installs_is_in_the_table():
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")

    assert set(setup["options.extras_require"]) - {"all", "test", "test-checks", "bench", "dev", "docs"} == set(
        packages.REQUIREMENTS
    )


@pytest.mark.parametrize(
    ("version", "command"),
    [
        ((3, 10, 4), "pip install 'tensorflow>=2.15,<2.16' 'keras-bert>=0.89,<0.90'"),
        ((3, 12, 0), "pip install 'tensorflow>=2.16.1,<2.22' 'tf-keras>=2.16,<2.22' 'keras-bert>=0.89,<0.90'"),
    ],
)
def test_a_hint_names_upstream_s_packages_for_the_running_python(version, command, monkeypatch):
    monkeypatch.setattr(sys, "version_info", version)

    assert packages.install("bert") == command


def test_no_hint_and_no_page_installs_this_project_by_a_name_on_an_index():
    root = Path(__file__).parents[2]
    texts = [*(root / "safeload").rglob("*.py"), *(root / "docs").rglob("*.md"), root / "README.md"]

    assert [path.name for path in texts if "pip install 'safeload" in path.read_text(encoding="utf-8")] == []
