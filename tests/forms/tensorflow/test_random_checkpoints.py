from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.checkpoints import write_sharded
from tests.forms.laws import LAW
from tests.forms.tensorflow.both_readers import assert_same

DTYPES = ("float16", "float32", "float64", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
          "uint64", "bool", "complex64", "complex128", "string")  # fmt: skip

# TensorFlow ends the process for the empty name, which is the header's key, and its listing decodes UTF-8
names = st.text(min_size=1, max_size=12) | st.from_regex(r"\A[a-c]/[a-c]{1,3}(:0|/Adam)?\Z")
shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
rows = st.tuples(st.sampled_from(DTYPES), shapes, st.integers(0, 2**32 - 1))


def tensor_of(dtype, shape, seed):
    import tensorflow as tf

    random = np.random.default_rng(seed)
    if dtype == "string":
        words = [random.bytes(random.choice([0, 1, 5, 127, 128, 300])) for _ in range(np.prod(shape, dtype=int))]
        return np.array([*words, None], object)[:-1].reshape(shape)
    return tf.cast(random.integers(0, 120, shape), dtype)


@settings(LAW, max_examples=400)
@given(tensors=st.dictionaries(names, rows, min_size=1, max_size=8), n_shards=st.integers(1, 3))
def test_any_checkpoint_is_read_as_tensorflow_reads_it(tensors, n_shards, tmp_path_factory):
    prefix = tmp_path_factory.getbasetemp() / "random.ckpt"
    made = [(name, tensor_of(*row)) for name, row in tensors.items()]
    shards = [dict(made[number::n_shards]) for number in range(n_shards)]

    write_sharded(prefix, *filter(None, shards))

    assert set(assert_same(prefix)) == set(tensors)
