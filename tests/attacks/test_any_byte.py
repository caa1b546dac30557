"""Any single-byte change or cut of any file is told, or the weights are the original's; TensorFlow is the judge for BERT."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import safeload
from safeload.errors import SafeLoadError, SafeLoadWarning
from tests.command_line import safeload_cli
from tests.opened import opened_checkpoint

RELAXED = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def damages(draw, data):
    """Return the bytes with one byte changed, one removed, one added, or the end cut off."""
    at = draw(st.integers(0, len(data) - 1))
    kind = draw(st.sampled_from(["change", "cut", "remove", "add"]))
    if kind == "cut":
        return data[:at]
    if kind == "remove":
        return data[:at] + data[at + 1 :]
    byte = bytes([draw(st.integers(0, 255))])
    return data[:at] + byte + data[at + (kind == "change") :]


def weights_of(folder):
    with opened_checkpoint(str(folder / "bert_model.ckpt")) as bundle:
        return bundle.read(bundle.variables)


@pytest.fixture(scope="session")
def judged(tiny_bert):
    """Return the values that TensorFlow reads from the sound checkpoint."""
    tf = pytest.importorskip("tensorflow")
    reader = tf.train.load_checkpoint(str(tiny_bert / "bert_model.ckpt"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


@RELAXED
@given(data=st.data())
def test_any_byte_of_a_bert(data, bert, tiny_bert, judged):
    path = data.draw(st.sampled_from(sorted(tiny_bert.iterdir())))
    (bert / path.name).write_bytes(data.draw(damages(path.read_bytes())))
    try:
        report = safeload.check_bert(bert, training=True)
        found = weights_of(bert)
    except (SafeLoadError, SafeLoadWarning):
        return
    finally:
        shutil.copyfile(path, bert / path.name)
    assert len(report.read) == 46
    assert all(np.array_equal(found[name], values) for name, values in judged.items())


@RELAXED
@given(data=st.data())
def test_any_byte_of_a_locked_elmo(data, elmo, tiny_elmo):
    if not (elmo / "safeload.lock").exists():
        safeload_cli("lock", elmo)
    path = data.draw(st.sampled_from(sorted(tiny_elmo.iterdir())))
    before = path.read_bytes()
    damaged = data.draw(damages(before))
    (elmo / path.name).write_bytes(damaged)
    try:
        safeload.check_elmo(elmo)
    except (SafeLoadError, SafeLoadWarning):
        return
    finally:
        shutil.copyfile(path, elmo / path.name)
    assert damaged == before
