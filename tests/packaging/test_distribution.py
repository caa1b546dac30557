"""The sdist and the wheel: their files, their bytes, their metadata."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePath

import pytest

import safeload

pytest.importorskip(
    "setuptools", minversion="77.0.3", reason="the suite's setuptools is older than what builds safeload"
)

ROOT = Path(__file__).parents[2]
BUILD = """
import sys
from setuptools import build_meta
folder = sys.argv[1]
build_meta.build_sdist(folder)
build_meta.build_wheel(folder)
"""
# what runs of the tests, of the tools and of the docs leave in a checkout
LITTER = [
    "docs/_build/index.html",
    "safeload/__pycache__/x.pyc",
    "tests/.hypothesis/x",
    "tests/x.pyc",
    ".venv/lib/x.py",
]
MADE_BY_SETUPTOOLS = {
    "PKG-INFO",
    *(
        f"safeload.egg-info/{name}.txt"
        for name in ("SOURCES", "dependency_links", "entry_points", "requires", "top_level")
    ),
    "safeload.egg-info/PKG-INFO",
}

pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists() or shutil.which("git") is None, reason="no checkout: git tells which files belong"
)


def tracked():
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in done.stdout.split("\0") if (ROOT / name).is_file()}


def build(folder, epoch):
    """Build both from a copy of the tracked files, all of one age; return the sdist and the wheel."""
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
        os.utime(folder / name, (epoch, epoch))
    for name in LITTER:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "dist").mkdir()
    command = [sys.executable, "-c", BUILD, str(folder / "dist")]
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("dist/*.tar.gz")), next(folder.glob("dist/*.whl"))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("one"), epoch=1_600_000_000)


@pytest.fixture
def metadata(built):
    with zipfile.ZipFile(built[1]) as wheel:
        return email.message_from_bytes(wheel.read(f"safeload-{safeload.__version__}.dist-info/METADATA"))


def test_the_wheel_holds_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built[1]) as wheel:
        found = set(wheel.namelist())
    about = {f"safeload-{safeload.__version__}.dist-info/{name}" for name in (
        "METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt",
    )}  # fmt: skip

    assert found == about | {name for name in tracked() if name.startswith("safeload/")}
    assert "safeload/py.typed" in found


def test_the_sdist_holds_every_tracked_file_but_dot_files(built):
    with tarfile.open(built[0]) as sdist:
        found = {member.name.partition("/")[2] for member in sdist if member.isfile()}

    wanted = {name for name in tracked() if not any(part.startswith(".") for part in PurePath(name).parts)}
    assert found == wanted | MADE_BY_SETUPTOOLS


def test_two_builds_are_the_same_bytes(built, tmp_path):
    again = build(tmp_path / "elsewhere", epoch=1_650_000_000)

    assert [path.name for path in again] == [path.name for path in built]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in built]


def test_the_sdist_tells_nothing_of_who_built_it(built):
    with tarfile.open(built[0]) as sdist:
        facts = {(member.mtime, member.uid, member.gid, member.uname, member.gname) for member in sdist}
        modes = {(member.isdir(), member.mode) for member in sdist}

    assert facts == {(1_577_836_800, 0, 0, "", "")}
    assert modes <= {(True, 0o755), (False, 0o755), (False, 0o644)}


def test_the_metadata_says_what_is_so(metadata):
    assert metadata["Version"] == safeload.__version__
    assert (metadata["License-Expression"], metadata["License-File"]) == ("Apache-2.0", "LICENSE")
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["Author"] == "the safeload authors"
    assert [metadata[name] for name in ("Project-URL", "Home-page", "Download-URL")] == [None, None, None]
    assert "Typing :: Typed" in metadata.get_all("Classifier")


def test_the_readme_of_an_index_names_files_of_the_sdist_and_links_to_none(metadata):
    shown, kept = metadata.get_payload(), (ROOT / "README.md").read_text(encoding="utf-8")
    links = [
        (text, path)
        for text, path in re.findall(r"(?<!!)\[([^]\n]+)\]\(([^)\s:]+)\)", kept)
        if not path.startswith("#")
    ]
    pictures = re.findall(r"!\[([^]\n]+)\]\(([^)\s:]+)\)", kept)
    blocks = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

    assert links
    for text, path in links:
        assert f"{text} (`{path.partition('#')[0]}`)" in shown
        assert (ROOT / path.partition("#")[0]).exists()
    for text, path in pictures:
        assert f"({text})" in shown
        assert (ROOT / path).exists()
    assert re.findall(r"\]\((?!\w+:|#)", blocks.sub("", shown)) == []
    assert blocks.findall(shown) == blocks.findall(kept)


def test_the_pythons_are_those_of_the_nox_sessions(metadata):
    classifiers = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") if "Python :: 3." in line]
    sessions = re.search(r"^PYTHONS = \[(.*)\]$", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE)
    first, last = (int(python.partition(".")[2]) for python in (classifiers[0], classifiers[-1]))

    assert ", ".join(f'"{python}"' for python in classifiers) == sessions[1]
    assert metadata["Requires-Python"] == f"<3.{last + 1},>=3.{first}"
