from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from safeload import testing
from tests.elmos import BACKENDS

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(*command, **options):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # where the command safeload is
    env = {**os.environ, "PATH": path}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env, **options)


@pytest.mark.parametrize("example", ["replace_keras_bert.py", "replace_allennlp_elmo.py"])
def test_an_example_trains(example, run_script):
    done = run_script(EXAMPLES / example)

    assert done.returncode == 0, done.stderr
    losses = [float(line.rsplit(" ", 1)[1]) for line in done.stdout.splitlines()]
    assert len(losses) == 5
    assert losses[-1] < losses[0]


def test_elmo_in_keras_trains_and_serves(run_script):
    done = run_script(EXAMPLES / "elmo_in_keras.py")

    assert done.returncode == 0, done.stderr
    *epochs, served = done.stdout.splitlines()
    losses = [float(line.rsplit(" ", 1)[1]) for line in epochs]
    assert losses[-1] < losses[0] / 2
    assert float(served.rsplit(" ", 1)[1]) > 0.5


def test_variables_that_were_not_read_are_an_error_at_the_load_call(run_script):
    script = EXAMPLES / "keras_elmo_unread_variables.py"
    done = run_script(script)

    assert done.returncode == 0, done.stderr
    classic, ours = done.stdout.split("safeload, at the load call:")
    assert "FailedPreconditionError: " in classic
    assert "module/bilm/CNN_high_0/b_carry" in classic
    assert "VariableMismatchError: " in ours
    assert "MISSING    CNN_high_0/b_carry" in ours
    assert "29 variables read and proven" in ours


def test_models_are_deployed_only_where_each_is_whole(tiny_bert, tmp_path):
    script = EXAMPLES / "check_before_deploy.sh"
    shutil.copytree(tiny_bert, tmp_path / "models" / "bert")
    done = run(script, "models", "deployed", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "deployed to deployed\n"), done.stderr
    assert (tmp_path / "deployed" / "bert").is_dir()

    testing.truncate(shutil.copytree(tiny_bert, tmp_path / "models" / "cut"))
    done = run(script, "models", "other", cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads((tmp_path / "models-report.json").read_text())["n_bad"] == 1
    assert not (tmp_path / "other").exists()

    assert run(script, "nowhere", "other", cwd=tmp_path).returncode == 1
    assert run(script, cwd=tmp_path).returncode == 2


def test_diagnose_finds_the_file_that_was_cut(run_script):
    done = run_script(EXAMPLES / "diagnose.py")

    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("the files are at fault: a data shard is truncated")
    assert "failed  keras-bert's own loader: IndexError: Read less bytes than requested" in done.stdout


def test_each_replica_is_filled_under_a_strategy(run_script):
    done = run_script(EXAMPLES / "strategy_scope.py")

    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 replicas, equal: True\nBERT: 37 variables read and verified, 9 unused\n"


def with_models(folder, tiny_bert, tiny_elmo):
    (folder / "models").mkdir()
    (folder / "models/bert").symlink_to(tiny_bert)
    (folder / "models/elmo").symlink_to(tiny_elmo)
    return folder


def test_paths_in_a_settings_file(tiny_bert, tiny_elmo, tmp_path, run_script):
    folder = with_models(tmp_path, tiny_bert, tiny_elmo)
    shutil.copy(EXAMPLES / "config.ini", folder)
    done = run_script(EXAMPLES / "paths_in_a_settings_file.py", folder / "config.ini")

    assert done.returncode == 0, done.stderr
    assert "BERT: 46 variables read" in done.stdout
    assert "ELMo: 29 datasets read" in done.stdout


def test_relative_to_this_script(tiny_bert, tiny_elmo, tmp_path, run_script):
    script = shutil.copy(EXAMPLES / "relative_to_this_script.py", with_models(tmp_path, tiny_bert, tiny_elmo))
    done = run_script(script, cwd="/")

    assert done.returncode == 0, done.stderr
    assert "BERT: 37 variables read" in done.stdout


def test_the_demo_loads_every_form_and_fails_on_every_broken_copy(run_script):
    done = run_script("-m", "safeload", "demo")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("37 variables, equal outputs") == 5
    assert [line for line in done.stdout.splitlines() if "Error: " in line and "hint" not in line] != []
    assert done.stdout.count("29 datasets, vectors (2, 4, 16), equal outputs") == 2 * len(BACKENDS)
    assert [done.stdout.count(f"Broken copy {number}: ") for number in range(1, 9)] == [2] * 6 + [1, 0]
    assert "SHOULD NOT" not in done.stdout
    assert done.stdout.endswith("13 of 13 faults caught\nNext, with a model of yours: safeload check FOLDER\n")
    assert "Warning" not in done.stdout + done.stderr
    assert "DIFFERENT OUTPUTS" not in done.stdout
