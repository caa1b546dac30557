"""Test what the nightly check says of good and of changed models."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from safeload.testing import flip_bit, write_bert, write_elmo

HERE = Path(__file__).parent


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the models in a folder."""
    command = ["sh", HERE / "check.sh", "models"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_good_models_end_with_0(tmp_path: Path) -> None:
    """Check two."""
    write_bert(tmp_path / "models/bert")
    write_elmo(tmp_path / "models/elmo")
    done = check(tmp_path)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_changed_model_ends_with_1_and_is_in_the_report(tmp_path: Path) -> None:
    """Lock two models, and change one."""
    write_elmo(tmp_path / "models/elmo")
    write_bert(tmp_path / "models/bert")
    subprocess.run(["safeload", "lock", "models"], cwd=tmp_path, check=True)
    flip_bit(tmp_path / "models/elmo")

    assert check(tmp_path).returncode == 1
    (report,) = (tmp_path / "reports").glob("*.jsonl")
    rows = [json.loads(line) for line in report.read_text().splitlines()]
    assert [row["path"] for row in rows if row.get("ok") is False] == ["models/elmo"]
