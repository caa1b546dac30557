"""Test that only good models are deployed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from safeload.testing import truncate, write_bert

SCRIPT = Path(__file__).with_name("deploy.sh")


def deploy(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Deploy the models in a folder."""
    command = ["sh", SCRIPT, *(arguments or ("models", "deployed"))]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_good_models_are_deployed(tmp_path: Path) -> None:
    """Deploy one."""
    write_bert(tmp_path / "models/bert")

    assert deploy(tmp_path).stdout == "deployed to deployed\n"
    assert (tmp_path / "deployed/bert").is_dir()


def test_a_bad_model_stops_the_deployment(tmp_path: Path) -> None:
    """Try to deploy a truncated one beside a good one."""
    write_bert(tmp_path / "models/bert")
    truncate(write_bert(tmp_path / "models/truncated"))

    assert deploy(tmp_path).returncode == 1
    assert json.loads((tmp_path / "models-report.json").read_text())["n_bad"] == 1
    assert not (tmp_path / "deployed").exists()


def test_a_wrong_call_deploys_nothing(tmp_path: Path) -> None:
    """Name a folder that is not there, and leave the target out."""
    assert deploy(tmp_path, "./nowhere", "deployed").returncode == 1
    assert deploy(tmp_path, "models").returncode == 2
    assert not (tmp_path / "deployed").exists()
