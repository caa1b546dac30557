"""What developers and reporters meet: the hooks of pre-commit, the templates, how to cite."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys

import pytest

from safeload._version import __version__
from tests.docs.blocks import ROOT

CONFIG, SUBJECT = ROOT / ".pre-commit-config.yaml", ROOT / ".ci/commit_subject.py"
yaml = pytest.importorskip("yaml")
pytestmark = pytest.mark.skipif(
    not CONFIG.exists(), reason="no checkout: the sdist has no files whose name begins with a dot"
)


def hooks():
    (local,) = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["repos"]
    return {hook["id"]: hook for hook in local["hooks"]}


def complaints_of(subject, tmp_path):
    message = tmp_path / "message"
    message.write_text(f"\n{subject}\n\nThe reason.\n# a comment of git\n", encoding="utf-8")
    done = subprocess.run([sys.executable, SUBJECT, message], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (not done.stderr)
    return done.stderr


@pytest.mark.parametrize(
    "subject",
    ["Add a form", "Read it", "Speed up a check", 'Revert "x"', "Merge branch 'y'", "Bring it back", "A" + "d" * 71],
)
def test_a_good_subject_passes(subject, tmp_path):
    assert complaints_of(subject, tmp_path) == ""


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Added a form", "must begin with a verb"),
        ("Adding a form", "must begin with a verb"),
        ("The form is read", "must begin with a verb"),
        ("read a form", "must begin with a verb"),
        ("fix: a form", "must begin with a verb"),
        ("", "must begin with a verb"),
        ("Add a form.", "full stop"),
        ("Add " + "x" * 69, "it has 73 characters"),
    ],
)
def test_a_bad_subject_is_refused(subject, text, tmp_path):
    assert text in complaints_of(subject, tmp_path)


def test_git_refuses_a_bad_subject_once_the_hooks_are_installed(tmp_path):
    pytest.importorskip("pre_commit")
    hook = {**hooks()["commit-subject"], "language": "system", "entry": f"{sys.executable} {SUBJECT}"}
    (tmp_path / CONFIG.name).write_text(json.dumps({"repos": [{"repo": "local", "hooks": [hook]}]}), encoding="utf-8")
    environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "home")}

    def run(*command, code=0):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def commit(subject, code=0):
        author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        return run("git", *author, "commit", "--allow-empty", "-qm", subject, code=code)

    run("git", "init", "-q")
    run("git", "add", CONFIG.name)
    run(sys.executable, "-m", "pre_commit", "install", "--hook-type", "commit-msg")

    assert "must begin with a verb" in commit("added a form", code=1)
    commit("Add a form")


def test_the_hooks_have_the_versions_of_the_extra():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    asked = {each for hook in hooks().values() for each in hook.get("additional_dependencies", ())}

    assert asked
    assert asked <= set(setup["options.extras_require"]["dev"].split())


def test_how_to_cite_has_this_version():
    facts = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))

    assert (facts["title"], facts["version"], facts["license"]) == ("safeload", __version__, "Apache-2.0")


@pytest.mark.parametrize("path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem)
def test_a_template_asks_for_the_doctor(path):
    template = yaml.safe_load(path.read_text(encoding="utf-8"))
    parts = [part["attributes"] for part in template["body"]]

    assert {"name", "description", "body"} == set(template)
    assert all(part["type"] == "textarea" and re.fullmatch(r"\w+", part["id"]) for part in template["body"])
    assert any("safeload doctor --json" in part["label"] + part.get("description", "") for part in parts)
