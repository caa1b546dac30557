"""What TensorFlow is given of an array, and when a variable counts as filled with it."""

from __future__ import annotations

import numpy as np
import pytest

from safeload._frameworks.tensorflow import require_keras_bert
from safeload._tensors import holds, tensor_of


@pytest.fixture(scope="module")
def tf():
    return require_keras_bert().tf


def floats(n_bytes_off=0):
    """Return 0 to 15, in memory that begins so far behind a multiple of 64 that is none of 65."""
    memory = np.zeros(256, np.uint8)
    start = -memory.ctypes.data % 64
    start += 64 * ((memory.ctypes.data + start) % 65 == 0) + n_bytes_off
    values = memory[start : start + 64].view(np.float32)
    values[:] = np.arange(16)
    return values


def in_its_memory(tensor, values):
    return np.asarray(memoryview(tensor)).ctypes.data == values.ctypes.data


def test_memory_that_tensorflow_can_use_becomes_the_variables_own(tf):
    values = floats()
    variable = tf.Variable(np.zeros(16, np.float32))
    variable.assign(tensor_of(tf, values))

    assert in_its_memory(variable.value(), values)


@pytest.mark.parametrize("n_bytes_off", [4, 16, 32])
def test_memory_on_which_tensorflow_would_end_the_process_is_copied(tf, n_bytes_off):
    values = floats(n_bytes_off)
    tensor = tensor_of(tf, values)

    assert not in_its_memory(tensor, values)
    np.testing.assert_array_equal(tensor.numpy(), values)


def test_a_transposed_array_is_copied_in_its_order(tf):
    values = floats().reshape(2, 8).T

    np.testing.assert_array_equal(tensor_of(tf, values).numpy(), values)


def test_a_variable_holds_equal_values_and_no_others(tf):
    values = floats()
    variable = tf.Variable(values.copy())
    assert holds(tf, variable, values)

    variable.assign_add(np.eye(1, 16, 15, dtype=np.float32)[0])
    assert not holds(tf, variable, values)


def test_a_variable_in_the_arrays_own_memory_is_not_copied_to_be_compared(tf):
    values = floats()
    variable = tf.Variable(np.zeros(16, np.float32))
    variable.assign(tensor_of(tf, values))
    values[3] = np.nan  # which equals nothing, so that only the address can tell

    assert holds(tf, variable, values)
