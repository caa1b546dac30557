from __future__ import annotations

from tests.elmos import BACKENDS


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
