"""`nox -s tests-3.12` and the like; `nox --list` shows them all.

The suite on the newest releases that setup.cfg admits (`tests`) and on the oldest (`oldest`); the part of it that needs no
framework (`checks`); the suite on the wheel, away from this checkout (`wheel`); whether each Python builds the same bytes
(`builds`); the part of the suite that needs no extra, installed from the sdist (`bare`); a BERT in torch on the last release of transformers 4 (`transformers4`), since `tests` takes the
newest; the wheels that the Dockerfiles need (`images`); what the next releases will break (`prereleases`), which may fail. What
the suite leaves out, since it takes long: `mutants`, `fuzz`, `benchmarks`, and the libraries that wrote the golden files
(`golden`).
"""

from __future__ import annotations

import configparser
import re
import shutil
from pathlib import Path

import nox

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
WRITERS = {
    "tf_models": ["tf-models-official==2.20.0", "tensorflow-cpu==2.20.0", "tf-keras==2.20.1"],
    "transformers": ["transformers==4.49.0", "tensorflow-cpu==2.18.1", "tf-keras==2.18.0"],
    "keras_hub": ["keras-hub==0.32.0", "keras==3.15.1", "tensorflow-cpu==2.21.0"],
}
"""Script in `tests/bert/golden/` -> the releases that wrote its files."""

PLATFORMS = {
    "slim": ["manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014"],
    "alpine": ["musllinux_1_2", "musllinux_1_1"],
}
"""Variant of Python's image -> the tags of the wheels that pip takes there."""

TRANSFORMERS = sorted(map(str, Path("tests/bert").rglob("test_transformers*.py")))
FRAMEWORKS = ["tensorflow", "tf-keras", "keras-hub", "torch", "transformers", "jax"]

nox.options.default_venv_backend = "venv"
nox.options.sessions = []


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The suite on the newest releases within the bounds."""
    session.install("-e", ".[all,test]")
    session.run("pytest", *session.posargs)


@nox.session(python=["3.10", "3.11"])  # 3.12 and 3.13 have no wheels of the oldest releases
def oldest(session: nox.Session) -> None:
    """The suite on the oldest releases within the bounds."""
    install_oldest(session, [BASE, "bert", "elmo", "yaml"], "all,test")
    session.run("pytest", *session.posargs)


BASE = ""
"""What is required without any extra; some extras need newer releases of it."""

OLDEST = {
    "remote,dask,signing": (
        "tests/bytes/test_remote.py",
        "tests/bytes/test_remote_kept.py",
        "tests/fleet/test_addresses.py",
        "tests/fleet/test_cluster.py",
        "tests/signatures",
    ),
    "transformers": (*TRANSFORMERS, "tests/frameworks/test_transformers.py"),
    "keras-hub": ("tests/bert/builders/test_keras_hub.py", "tests/frameworks/test_keras_hub.py"),
}
"""Extras that do not install beside the oldest of the others -> their tests."""


@nox.session(python="3.11")
@nox.parametrize("extras", list(OLDEST), ids=[name.replace(",", "+") for name in OLDEST])
def oldest_extras(session: nox.Session, extras: str) -> None:
    """The tests of extras on their oldest releases."""
    install_oldest(session, extras.split(","), f"{extras},test-checks")
    session.run("pytest", *OLDEST[extras], *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """The sdist, and the wheel from it, into `dist/`."""
    shutil.rmtree("dist", ignore_errors=True)
    session.install("build", "twine")
    session.run("python", "-m", "build")
    session.run("twine", "check", "--strict", *map(str, Path("dist").iterdir()))


@nox.session(python=PYTHONS, requires=["build"])
def builds(session: nox.Session) -> None:
    """Whether each Python builds the same bytes as the first."""
    folder = Path(session.create_tmp()) / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(folder))
    for first in sorted(Path("dist").iterdir()):
        if (folder / first.name).read_bytes() != first.read_bytes():
            session.error(f"{first.name} has other bytes on this Python")


@nox.session(python=["3.10", "3.11"], requires=["build"])
def wheel(session: nox.Session) -> None:
    """The suite and the typing examples on the installed wheel."""
    (built,) = Path("dist").glob("*.whl")
    session.install(f"{built}[all,test,dev]")
    session.chdir(tree_without_package(session))
    session.run("pytest", *session.posargs)
    session.run("mypy", "tests/typing")
    session.run("pyright")


@nox.session(python=PYTHONS, requires=["build"])
def bare(session: nox.Session) -> None:
    """What works without any extra, installed from the sdist."""
    (sdist,) = Path("dist").glob("*.tar.gz")
    session.install(str(sdist), "pytest")
    session.chdir(tree_without_package(session))
    session.run(
        "pytest",
        "-o",
        "addopts=-ra --import-mode=importlib",
        "tests/packaging/test_without_extras.py",
        *session.posargs,
    )


@nox.session(python=PYTHONS)
def checks(session: nox.Session) -> None:
    """The tests of the checks and of what is below them, without any framework."""
    session.install("-e", ".[test-checks]")
    folders = [f"tests/{name}" for name in ("bytes", "forms", "lock", "settings", "text", "cli")]
    session.run("pytest", "--without-frameworks", *folders, *session.posargs)


@nox.session(requires=["build"])
@nox.parametrize("machine", ["x86_64", "aarch64"])
@nox.parametrize("recipe", sorted(path.stem for path in Path("examples/docker").glob("*.Dockerfile")))
def images(session: nox.Session, recipe: str, machine: str) -> None:
    """Whether a Dockerfile finds a wheel of each package that it installs, on each processor."""
    (built,) = Path("dist").glob("*.whl")
    image = re.search(
        r"^FROM python:([\d.]+)-(\w+)$", Path(f"examples/docker/{recipe}.Dockerfile").read_text(), re.MULTILINE
    )
    platforms = [f"--platform={platform}_{machine}" for platform in PLATFORMS[image[2]]]
    options = [f"--python-version={image[1]}", *platforms, "--only-binary=:all:"]
    session.run("python", "-m", "pip", "download", *options, "--dest", session.create_tmp(), str(built))


@nox.session(python="3.11")
def transformers4(session: nox.Session) -> None:
    """What builds a BERT in torch, on transformers 4's last release and without TensorFlow."""
    session.install("-e", ".[transformers]", "transformers==4.57.*", "pytest>=8,<10", "pytest-xdist>=3.5,<4")
    session.run("pytest", *TRANSFORMERS, "tests/frameworks/test_transformers.py", *session.posargs)


@nox.session(python="3.11")
def prereleases(session: nox.Session) -> None:
    """The suite on pre-releases of the frameworks, beyond the bounds: it prints what will break."""
    tree = tree_without_bounds(session)
    session.install("--pre", "--upgrade", "-e", f"{tree}[all,test]")
    session.chdir(tree)
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")  # it asks code objects for names that 3.10 does not keep
def mutants(session: nox.Session) -> None:
    """Whether a test fails for each small change of a module; those of the whole plan, or of the modules that are named."""
    session.install("-e", ".[all,test]")
    session.run("pytest", "tests/mutation")
    session.run("python", "-m", "tests.mutation.run", *session.posargs)


@nox.session(python="3.11")  # atheris has wheels for it
def fuzz(session: nox.Session) -> None:
    """Each reader under atheris for a few seconds; with arguments, one as long as they say."""
    session.install("-e", ".[all,test]")
    if session.posargs:
        session.run("python", "-m", "tests.fuzz.run", *session.posargs)
    else:
        session.run("pytest", "tests/fuzz")


@nox.session(python="3.11")
def benchmarks(session: nox.Session) -> None:
    """Whether every side runs, then the table of speeds: half an hour without `--only TEXT`."""
    session.install("-e", ".[bench,test]")
    session.run("pytest", "tests/benchmarks")
    session.run("python", "benchmarks/bench.py", *session.posargs)


@nox.session(python="3.11")
@nox.parametrize("writer", list(WRITERS))
def golden(session: nox.Session, writer: str) -> None:
    """Whether the libraries that wrote the golden files write the same values again; minutes to install each."""
    session.install("-e", ".", *WRITERS[writer])
    folder = Path(session.create_tmp()) / writer
    shutil.rmtree(folder, ignore_errors=True)
    environment = {"KERAS_BACKEND": "tensorflow", "TF_USE_LEGACY_KERAS": "0" if writer == "keras_hub" else "1"}
    session.run("python", f"tests/bert/golden/write_{writer}.py", str(folder), env=environment)
    session.run("python", "-m", "tests.bert.golden.compare", writer, str(folder))


@nox.session
def lint(session: nox.Session) -> None:
    """What `make lint` runs."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")
    session.run("mypy")
    session.run("mypy", "tests/typing")
    session.run("pyright")
    session.run("python", "-m", "venv", "--without-pip", "build/bare")
    session.run("pyright", "--pythonpath", "build/bare/bin/python", "tests/typing/models.py")


def install_oldest(session: nox.Session, extras: list[str], installed: str) -> None:
    """Install this checkout with the oldest releases that it and some of its extras admit."""
    constraints = Path(session.create_tmp()) / "oldest.txt"
    constraints.write_text(oldest_releases(extras), encoding="utf-8")
    session.install("-e", f".[{installed}]", "-c", str(constraints))


def oldest_releases(extras: list[str]) -> str:
    """Return the lower bounds of setup.cfg as pip's constraints."""
    setup = configparser.ConfigParser()
    setup.read("setup.cfg", encoding="utf-8")
    required = {BASE: setup["options"]["install_requires"], **setup["options.extras_require"]}
    return re.sub(r">=([\w.]+)(,<[\w.]+)?", r"==\1", "\n".join(required[name] for name in extras))


def tree_without_bounds(session: nox.Session) -> Path:
    """Copy the checkout, and remove the upper bounds of the frameworks where packages are installed and required."""
    tree = Path(session.create_tmp()) / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for name in session.run("git", "ls-files", "-z", external=True, silent=True).split("\0"):
        if Path(name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, tree / name)
    for name in ("setup.cfg", "safeload/_frameworks/packages.py"):
        text = (tree / name).read_text(encoding="utf-8")
        (tree / name).write_text(without_bounds(text), encoding="utf-8")
    return tree


def without_bounds(text: str) -> str:
    """Remove the upper bounds of the frameworks from requirements."""
    return re.sub(rf"\b({'|'.join(FRAMEWORKS)})(\", \")?(>=[\w.]+),<[\w.]+", r"\1\2\3", text)


def tree_without_package(session: nox.Session) -> Path:
    """Unpack the sdist and remove its `safeload/`, so that what is installed is what is tested."""
    (sdist,) = Path("dist").glob("*.tar.gz")
    folder = Path(session.create_tmp())
    shutil.unpack_archive(sdist, folder)
    tree = folder / sdist.name.removesuffix(".tar.gz")
    shutil.rmtree(tree / "safeload")
    return tree
