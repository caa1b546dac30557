"""The tables of element types are TensorFlow's."""

from __future__ import annotations

from safeload._forms.tensorflow.index_file import _DTYPE_NAMES, N_BYTES_OF, STRING, VARIANT


def test_every_dtype_that_tensorflow_numbers_has_its_name():
    import tensorflow as tf
    from tensorflow.core.framework import types_pb2

    numbers = [number for number in types_pb2.DataType.values() if 0 < number < types_pb2.DT_FLOAT_REF]
    assert {number: _DTYPE_NAMES.get(number) for number in numbers} == {n: tf.as_dtype(n).name for n in numbers}
    sizes = {
        _DTYPE_NAMES[n]: tf.as_dtype(n).size for n in numbers if _DTYPE_NAMES[n] not in {STRING, VARIANT, "resource"}
    }
    assert {name: N_BYTES_OF.get(name) for name in sizes} == sizes
