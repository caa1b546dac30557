"""A short run of each fuzz target, from the kept corpus on; the long runs are made by hand: see README.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TARGETS = sorted(path.name for path in (HERE / "corpus").iterdir())
SECONDS = 4


@pytest.mark.parametrize("target", TARGETS)
def test_a_short_run_finds_nothing(target, tmp_path):
    pytest.importorskip("atheris")
    limits = [f"-max_total_time={SECONDS}", "-rss_limit_mb=3000", "-timeout=20", f"-artifact_prefix={tmp_path}/"]
    command = [sys.executable, "-m", "tests.fuzz.run", target, *limits, str(tmp_path), str(HERE / "corpus" / target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS + 100)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done " in done.stderr


def test_every_target_has_a_corpus():
    from tests.fuzz import targets

    assert sorted(targets.TARGETS) == TARGETS
    assert sum(path.stat().st_size for path in (HERE / "corpus").rglob("*") if path.is_file()) < 100_000
