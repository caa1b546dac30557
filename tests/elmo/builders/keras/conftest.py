"""The tests of the Keras layer: run by `test_keras.py` beside this folder, in a process of its own for each Keras.

A process has one Keras, and `load_bert` settles which: these tests are collected only where the variable names it.
"""

from __future__ import annotations

import os

import pytest

PACKAGE = os.environ.get("SAFELOAD_TEST_KERAS")
# the numbers are TensorFlow's, so that under tf_keras they are those of the Keras 3 that is tested beside it
collect_ignore_glob = {None: ["test_*.py"], "tf_keras": ["test_parity.py"]}.get(PACKAGE, [])

if PACKAGE:
    import safeload
    from tests.elmo.shapes import SENTENCES
    from tests.elmos import SMALLEST, write_elmo

    @pytest.fixture(scope="session")
    def keras():
        """Return the Keras under test, which the layer must have found by itself."""
        from safeload.elmo.builders.keras import keras

        assert keras.Model.__module__.partition(".")[0] == PACKAGE
        return keras

    @pytest.fixture
    def folder(tmp_path):
        """Return the folder of an ELMo of one layer and one filter, since graphs are traced often; `SHAPES` has others."""
        write_elmo(tmp_path, SMALLEST)
        return tmp_path

    @pytest.fixture
    def load(folder, keras):  # noqa: ARG001  (which Keras it is must be proven first)
        """Return a function that loads the tiny ELMo as a layer: `load(stateful=True)`."""
        return lambda **options: safeload.load_elmo(folder, backend="keras", **options)

    @pytest.fixture
    def ids():
        """Return the character ids of four sentences of 1 to 10 words."""
        return safeload.character_ids(SENTENCES).numpy().astype("int32")
