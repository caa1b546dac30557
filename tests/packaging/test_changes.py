"""The changelog and the fragments of the next one: their form, and that towncrier makes one of the other."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from safeload._text.toml import toml_table
from safeload._version import __version__
from tests.docs.blocks import ROOT

TEXT = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
TYPES = {
    each["directory"]: each["name"]
    for each in toml_table((ROOT / "pyproject.toml").read_bytes())["tool"]["towncrier"]["type"]
}
FRAGMENTS = sorted(path for path in (ROOT / "news").iterdir() if path.name != "README.md")


def test_a_release_has_its_section_and_only_its_development_may_lack_the_date():
    (newest, date), *older = re.findall(r"^## (\S+) \((.+)\)$", TEXT, re.MULTILINE)
    base, _, development = __version__.partition(".dev")

    assert (newest == base) == (not development or date == "unreleased")
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", each) for _, each in older + [(newest, date)] * (not development))
    assert [version for version, _ in older] == sorted((version for version, _ in older), reverse=True)


def test_every_entry_is_one_line_under_the_name_of_its_type():
    assert set(re.findall(r"^### (.*)$", TEXT, re.MULTILINE)) <= set(TYPES.values())
    for entry in re.findall(r"^- .*(?:\n .*)*", TEXT, re.MULTILINE):
        assert re.fullmatch(r"- [A-Z`].*\.", entry), entry
        assert len(entry) <= 160, entry


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_is_one_sentence_of_a_type(path):
    name = re.fullmatch(r"(?:\+[\w-]+|\d+)\.(\w+)(?:\.\d+)?\.md", path.name)

    assert name
    assert name[1] in TYPES
    assert re.fullmatch(r"[A-Z`][^\n]*\.\n?", path.read_text(encoding="utf-8"))


def test_the_page_of_the_fragments_lists_the_types():
    assert re.findall(r"^\| `(\w+)` \|", (ROOT / "news/README.md").read_text(encoding="utf-8"), re.MULTILINE) == list(
        TYPES
    )


def test_towncrier_adds_the_fragments_above_the_last_release(tmp_path):
    pytest.importorskip("towncrier")
    for name in ("CHANGELOG.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "news").mkdir()
    shutil.copy(ROOT / "news/README.md", tmp_path / "news")
    (tmp_path / "news/+form.added.md").write_text("`load_bert` reads a new form.\n", encoding="utf-8")
    (tmp_path / "news/7.fixed.md").write_text("A fault is gone.\n", encoding="utf-8")

    command = [sys.executable, "-m", "towncrier", "build", "--yes", "--version", "9.9.0", "--date", "2030-01-02"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    head, _, rest = TEXT.partition("\n## ")
    made = "## 9.9.0 (2030-01-02)\n\n### Added\n\n- `load_bert` reads a new form.\n\n### Fixed\n\n- A fault is gone. (#7)\n"
    written = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.sub("\n+", "\n", written) == re.sub("\n+", "\n", f"{head}\n{made}\n## {rest}")
    assert sorted(path.name for path in (tmp_path / "news").iterdir()) == ["README.md"]
