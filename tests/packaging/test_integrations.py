"""The pre-commit hook, the GitHub Action and the Dockerfile: what they run, run here."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from safeload import testing
from tests.docs.blocks import ROOT

HOOKS, ACTION = ROOT / ".pre-commit-hooks.yaml", ROOT / "action.yml"
RECIPES = sorted((ROOT / "examples/docker").glob("*.Dockerfile"))
pytestmark = pytest.mark.skipif(
    not HOOKS.exists(), reason="no checkout: the sdist has no files whose name begins with a dot"
)


@pytest.fixture
def project(tiny_bert, tiny_elmo, tmp_path):
    """Return a folder with a BERT and an ELMo in it."""
    for name, model in (("bert model", tiny_bert), ("elmo", tiny_elmo)):
        shutil.copytree(model, tmp_path / "project" / name)
        for path in (tmp_path / "project" / name).iterdir():
            path.chmod(0o644)
    return tmp_path / "project"


@pytest.fixture
def run(project, tmp_path):
    """Return a function that runs a command in the project, where `safeload` is this one."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/safeload"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m safeload "$@"\n')
    script.chmod(0o755)
    path = {"PATH": os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]]), "PYTHONPATH": str(ROOT)}

    def _run(*command, code=0, **env):
        done = subprocess.run(
            command, cwd=project, capture_output=True, text=True, check=False, env={**os.environ, **path, **env}
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return _run


def read_yaml(path):
    return pytest.importorskip("yaml").safe_load(path.read_text(encoding="utf-8"))


def test_the_hook_checks_the_repository(run, project):
    (hook,) = read_yaml(HOOKS)
    command = [*shlex.split(hook["entry"]), *hook["args"]]

    assert (hook["language"], hook["pass_filenames"]) == ("python", False)
    assert run(*command).startswith("2 good, 0 bad")
    testing.poison(project / "elmo")
    assert run(*command, code=1).startswith("BAD  ./elmo  CorruptFileError")


def test_the_hook_runs_where_a_file_of_a_model_changed(project):
    (hook,) = read_yaml(HOOKS)
    names = [path.name for path in project.rglob("*") if path.is_file()]
    assert len(names) >= 6
    assert all(re.search(hook["files"], name) for name in [*names, "pytorch_model.bin", "model.tar.gz", "x.ckpt.meta"])
    assert not any(re.search(hook["files"], name) for name in ("main.py", "README.md", "package.json"))


def test_pre_commit_runs_the_hook(run, project):
    pytest.importorskip("pre_commit")
    (hook,) = read_yaml(HOOKS)
    local = {**hook, "language": "system"}  # the environment that pre-commit would install is this one
    (project / ".pre-commit-config.yaml").write_text(json.dumps({"repos": [{"repo": "local", "hooks": [local]}]}))
    run("git", "init", "-q")
    run("git", "add", "-A")
    home = {"PRE_COMMIT_HOME": str(project.parent / "home")}
    assert "Passed" in run(sys.executable, "-m", "pre_commit", "run", "--all-files", **home)
    testing.poison(project / "elmo")
    run("git", "add", "-A")
    assert "CorruptFileError" in run(sys.executable, "-m", "pre_commit", "run", "--all-files", code=1, **home)


def test_the_action_annotates_bad_models(run, project):
    action = read_yaml(ACTION)
    step = action["runs"]["steps"][-1]
    defaults = {name: given["default"] for name, given in action["inputs"].items()}

    assert action["runs"]["using"] == "composite"
    assert {re.search(r"inputs\.([\w-]+)", text)[1] for text in step["env"].values()} <= set(defaults)
    assert run("bash", "-c", step["run"], PATHS=defaults["paths"], OPTIONS=defaults["args"]).startswith("2 good")
    assert run("bash", "-c", step["run"], PATHS="bert model\n\nelmo\n", OPTIONS="--expect 2 --strict").startswith(
        "2 good"
    )
    testing.poison(project / "bert model")
    shown = run("bash", "-c", step["run"], PATHS="bert model", OPTIONS="", code=1)
    assert shown.startswith("::error file=bert model/bert_model.ckpt.data-00000-of-00001,title=CorruptFileError::")


@pytest.fixture(params=RECIPES, ids=lambda path: path.name)
def recipe(request):
    """Return the instructions of a Dockerfile, and their arguments, in order."""
    return [line.split(maxsplit=1) for line in request.param.read_text().splitlines() if re.match("[A-Z]+ ", line)]


def test_the_image_runs_the_check(run, project, recipe):
    last = dict(recipe)
    command = [*json.loads(last["ENTRYPOINT"]), *json.loads(last["CMD"])]

    assert last["USER"] == "nobody"
    assert "2 good" in run(*[str(project) if part == "/models" else part for part in command])


def test_the_image_installs_safeload_from_what_it_copies(project, recipe, tmp_path):
    pytest.importorskip("setuptools", minversion="77.0.3", reason="it is older than what builds safeload")
    for _, arguments in (each for each in recipe if each[0] == "COPY"):
        *sources, target = arguments.split()
        for source in sources:
            into = tmp_path / target.lstrip("/") / (source if target.endswith("/") else "")
            into.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, into)
    ((_, install),) = [each for each in recipe if each[0] == "RUN"]
    python, *pip = shlex.split(install.replace("/src", str(tmp_path / "src")))
    # what safeload requires is installed here; whether the image finds wheels of it, the session `images` asks
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(tmp_path / "installed")]
    subprocess.run([sys.executable, *pip, *offline], check=True, capture_output=True)

    assert python == "python"
    done = subprocess.run(
        [sys.executable, tmp_path / "installed/bin/safeload", "check", project],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "2 good" in done.stdout


def test_there_are_two_images():
    assert [path.stem for path in RECIPES] == ["alpine", "slim"]
