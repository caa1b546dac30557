"""What a check changes in its process for the sake of speed, it puts back."""

from __future__ import annotations

import subprocess
import sys

import pytest

SEEN = """
import gc, os, sys
import safeload
def seen(event, _arguments):
    if event == "import" and _arguments[0] == "numpy":
        print("import", gc.isenabled(), os.environ.get("OPENBLAS_THREAD_TIMEOUT"))
sys.addaudithook(seen)
safeload.check_elmo(sys.argv[1])
print("after", gc.isenabled(), os.environ.get("OPENBLAS_THREAD_TIMEOUT"))
"""


@pytest.mark.parametrize(("own", "during", "after"), [(None, "4", "None"), ("26", "26", "26")])
def test_import_of_numpy_is_quick_and_leaves_no_trace(own, during, after, tiny_elmo, monkeypatch):
    monkeypatch.delenv("OPENBLAS_THREAD_TIMEOUT", raising=False)
    if own:
        monkeypatch.setenv("OPENBLAS_THREAD_TIMEOUT", own)
    done = subprocess.run([sys.executable, "-c", SEEN, tiny_elmo], capture_output=True, text=True, check=True)

    lines = done.stdout.splitlines()
    assert lines[0] == f"import False {during}"
    assert lines[-1] == f"after True {after}"
