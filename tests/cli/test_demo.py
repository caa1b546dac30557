from __future__ import annotations

import importlib.util

import pytest

from tests.elmos import BACKENDS


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is here")
def test_the_demo_of_a_bert_alone_needs_no_torch(run_script):
    done = run_script("-m", "safeload", "demo")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("37 variables, equal outputs") == 5
    assert done.stdout.endswith("6 of 6 faults caught\nNext, with a model of yours: safeload check FOLDER\n")


def test_the_demo_loads_every_form_and_fails_on_every_broken_copy(run_script):
    pytest.importorskip("torch")
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
