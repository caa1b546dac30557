"""The Keras layer, on each Keras that is installed: its tests run in a process of their own, which has one Keras."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

SUITE = Path(__file__).parent / "keras"
BRINGS_KERAS_3 = not metadata.version("tensorflow").startswith("2.15.")
KERASES = {"keras": "0", "tf_keras": "1"} if BRINGS_KERAS_3 else {"keras": "0"}


@pytest.mark.parametrize("package", KERASES)
def test_the_layer(package):
    env = {**os.environ, "SAFELOAD_TEST_KERAS": package, "TF_USE_LEGACY_KERAS": KERASES[package]}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", str(SUITE)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not BRINGS_KERAS_3, reason="Keras 2 has TensorFlow alone")
@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_a_keras_on_another_framework_is_told(tiny_elmo, framework):
    is_here = importlib.util.find_spec(framework)
    message = f"Keras runs on {framework} in this process" if is_here else "tf.keras cannot be imported"
    code = f"import safeload\nsafeload.load_elmo({str(tiny_elmo)!r}, backend='keras')"
    env = {**os.environ, "KERAS_BACKEND": framework, "TF_USE_LEGACY_KERAS": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)

    assert f"MissingDependencyError: {message}" in done.stderr
    assert "set KERAS_BACKEND=tensorflow in the environment before Python starts" in done.stderr
