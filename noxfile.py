"""`nox -s tests-3.12` and the like; `nox --list` shows them all.

The suite on the newest releases that setup.cfg admits (`tests`) and on the oldest (`oldest`); on the wheel, away from
this checkout (`wheel`); the part of it that needs no extra, installed from the sdist (`bare`).
"""

from __future__ import annotations

import configparser
import re
import shutil
from pathlib import Path

import nox

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]

nox.options.default_venv_backend = "venv"


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The suite on the newest releases within the bounds."""
    session.install("-e", ".[all,test]")
    session.run("pytest", *session.posargs)


@nox.session(python=["3.10", "3.11"])  # 3.12 and 3.13 have no wheels of the oldest releases
def oldest(session: nox.Session) -> None:
    """The suite on the oldest releases within the bounds."""
    constraints = Path(session.create_tmp()) / "oldest.txt"
    constraints.write_text(oldest_releases(), encoding="utf-8")
    session.install("-e", ".[all,test]", "-c", str(constraints))
    session.run("pytest", *session.posargs)


@nox.session(python=["3.10", "3.11"])
def wheel(session: nox.Session) -> None:
    """The suite and the typing examples on the installed wheel, from a folder without `safeload/`."""
    tree, _, built = distributions(session)
    session.install(f"{built}[all,test,dev]")
    session.chdir(tree)
    session.run("pytest", *session.posargs)
    session.run("mypy", "tests/typing")
    session.run("pyright")


@nox.session(python=PYTHONS)
def bare(session: nox.Session) -> None:
    """What works without any extra, installed from the sdist."""
    tree, sdist, _ = distributions(session)
    session.install(str(sdist), "pytest")
    session.chdir(tree)
    session.run("pytest", "-o", "addopts=-ra", "tests/packaging/test_without_extras.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("mypy", "tests/typing")
    session.run("pyright")


def oldest_releases() -> str:
    """Return the lower bounds of setup.cfg as pip's constraints."""
    setup = configparser.ConfigParser()
    setup.read("setup.cfg", encoding="utf-8")
    extras = setup["options.extras_require"]
    required = [setup["options"]["install_requires"], *(extras[name] for name in ("bert", "elmo", "yaml"))]
    return re.sub(r">=([\w.]+),<[\w.]+", r"==\1", "\n".join(required))


def distributions(session: nox.Session) -> tuple[Path, Path, Path]:
    """Build the sdist, and the wheel from it; return the unpacked sdist without its `safeload/`, and both files."""
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder)
    session.install("build", "twine")
    session.run("python", "-m", "build", "--outdir", str(folder))
    session.run("twine", "check", "--strict", *map(str, folder.iterdir()))
    (sdist,), (built,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    shutil.unpack_archive(sdist, folder, filter="data")
    tree = folder / sdist.name.removesuffix(".tar.gz")
    shutil.rmtree(tree / "safeload")
    return tree, sdist, built
