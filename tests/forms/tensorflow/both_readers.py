"""What TensorFlow's reader and safeload's say of the same checkpoint."""

from __future__ import annotations

import numpy as np

from safeload._forms.tensorflow.index_file import GRAPH
from tests.checkpoints import write_checkpoint
from tests.opened import opened_checkpoint


def listed_by_tensorflow(prefix):
    """Return key -> (dtype name, shape), without the object graph."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(prefix))
    dtypes = reader.get_variable_to_dtype_map()
    shapes = reader.get_variable_to_shape_map()
    return {key: (dtypes[key].name, tuple(shape)) for key, shape in shapes.items() if key != GRAPH}


def listed_by_safeload(prefix):
    """Return key -> (dtype name, shape)."""
    with opened_checkpoint(str(prefix)) as bundle:
        return {entry.name: (entry.dtype, entry.shape) for entry in bundle.variables.values()}


def read_all(prefix):
    """Check every variable, then return key -> values."""
    with opened_checkpoint(str(prefix)) as bundle:
        bundle.verify(bundle.variables)
        return {bundle.variables[name].name: values for name, values in bundle.read(bundle.variables).items()}


def bits(values):
    """Return the shape and the bytes of an array, or its list of strings."""
    values = np.asarray(values, object) if isinstance(values, bytes) else np.asarray(values)
    return values.shape, values.ravel().tolist() if values.dtype == object else values.tobytes()


def assert_same(prefix):
    """Assert that both readers list the same variables and return the same bits; return safeload's values."""
    import tensorflow as tf

    listed = listed_by_tensorflow(prefix)
    assert listed_by_safeload(prefix) == listed

    reader = tf.train.load_checkpoint(str(prefix))
    values = read_all(prefix)
    assert {name: bits(array) for name, array in values.items()} == {
        name: bits(reader.get_tensor(name)) for name in listed
    }
    return values


def small(folder):
    """Let TensorFlow write a checkpoint of three variables, and return its prefix and their values."""
    random = np.random.default_rng(7)
    tensors = {
        "dense/bias": random.normal(size=3).astype(np.float32),
        "dense/kernel": random.normal(size=(2, 3)).astype(np.float16),
        "words": np.array([b"one", b"", b"\xff" * 140], object),
    }
    prefix = folder / "model.ckpt"
    write_checkpoint(prefix, tensors)
    return prefix, tensors
